"""Sums of arrays padded with 0, each added where it stands.

In: a statement of a backward whose terms are padded arrays.  Out: its lines; nothing where the
value may not be overwritten, or a compiler fuses, and then it is printed as any other.

    d_x[h] = d_down[h - 1] - d_down[h]    (each 0 beyond its ends)
    →  d_x = F.pad(d_down, (1, 0)); d_x[:-1].sub_(d_down)

It refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_context import Context
from lossgen.backends.torch_expressions import Expressions
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Padding(Context):
    """Prints sums of padded arrays."""

    def padded_sum(self, x: Statement) -> tuple[sp.Expr, list[str]]:
        """What such a sum starts from, and the lines that add the rest to it."""
        if x.op != "map" or not isinstance(x.body, sp.Add) or self.names.fusing:
            return x.body, []
        printer = self.printer(x, x.free)
        terms = sorted(x.body.args, key=lambda t: (_padded(t) is not None, _is_subtracted(t)))
        steps: list[str] = []
        while len(terms) > 1:
            step = self._step(x, terms[-1], printer)
            if not step or not printer.owns(terms[:-1], terms[-1]):
                break
            terms.pop()
            steps.insert(0, step)
        return sp.Add(*terms), steps

    def _step(self, x: Statement, term: sp.Expr, printer: Expressions) -> str:
        read = _padded(term)
        found = None if read is None else printer.padding(read)
        if read is None or found is None or found[0] != [*x.free]:
            return ""
        index = [f"{before or ''}:{-after or ''}" for before, after in found[1]]
        while index[-1] == ":":
            index.pop()
        method = "sub_" if _is_subtracted(term) else "add_"
        return f"{x.name}[{', '.join(index)}].{method}({read.name})"


def _padded(term: sp.Expr) -> nd.Padded | None:
    number, rest = term.as_coeff_Mul()
    return rest if isinstance(rest, nd.Padded) and abs(number) == 1 else None


def _is_subtracted(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0] == -1)
