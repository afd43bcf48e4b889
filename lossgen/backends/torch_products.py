"""Sums of products as matrix products, whose large intermediate is never formed.

In: a sum or mean statement.  Out: ``@``, ``torch.einsum``, or nothing if it is no such product.

    sim[i, j] = sum_d z[i, d]*w[j, d]  →  z @ w.T

It leaves alone a masked sum, and one in which a factor has every letter already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.layout import permuted
from lossgen.backends.torch_context import Context, operand
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Size, free_letters
from lossgen.program import Statement

# The code of an array, and its letters.
_Part = tuple[str, frozenset[Letter]]


@dataclass(frozen=True, slots=True)
class Products(Context):
    """Prints matrix products."""

    def contraction(self, x: Statement) -> str | None:
        """A product as a matrix product, if no factor has all the letters."""
        if x.op not in ("sum", "mean") or x.where is not TRUE or not isinstance(x.body, sp.Mul):
            return None
        scope = {*x.free, *x.bound}
        operands = [f for f in x.body.args if free_letters(f)]
        scalars = [f for f in x.body.args if not free_letters(f)]
        if len(operands) < 2 or any(free_letters(f) >= scope for f in operands):
            return None
        operands = _grouped(operands)
        if any(free_letters(f) >= scope for f in operands) or len(operands) < 2:
            return None
        if x.op == "mean":
            scalars += [1 / Size(y) for y in x.bound]
        code = self._product(x, operands)
        if not scalars:
            return code
        factor = sp.Mul(*scalars)
        numerator, denominator = sp.fraction(factor)
        printer = self.printer(x, ())
        if numerator != 1:
            code = (
                f"{printer.operand(numerator)} * {operand(code)}"
                if numerator != -1
                else f"-{operand(code)}"
            )
        return f"{operand(code)} / {printer.operand(denominator)}" if denominator != 1 else code

    def _product(self, x: Statement, operands: list[sp.Expr]) -> str:
        if len(operands) == 2 and len(x.bound) == 1:
            k = x.bound[0]
            outer = [[y for y in x.free if y in free_letters(f)] for f in operands]
            if all(len(o) == 1 for o in outer) and outer[0] != outer[1]:
                first, second = operands if x.free[0] == outer[0][0] else reversed(operands)
                left = self._matrix(x, first, k, last=True)
                return f"{left} @ {self._matrix(x, second, k, last=False)}"
        parts: list[_Part] = []
        for factor in operands:
            scope = self.program.sorted(free_letters(factor))
            parts.append((bare(self.printer(x, scope).code(factor)), frozenset(scope)))
        while len(parts) > 2:
            # einsum takes more than two from the left, whatever size that makes: pair them here.
            best = _best_pair(parts, x.free)
            kept = self.program.sorted(_left(parts, best, x.free))
            made = self._einsum([parts[k] for k in best], kept), frozenset(kept)
            parts = [made, *(p for k, p in enumerate(parts) if k not in best)]
        return self._einsum(parts, x.free)

    def _einsum(self, parts: list[_Part], kept: Sequence[Letter]) -> str:
        marks = {y: chr(ord("a") + p) for p, y in enumerate(self.program.order)}
        terms = ["".join(marks[y] for y in self.program.sorted(p[1])) for p in parts]
        result = "".join(marks[y] for y in kept)
        return f'torch.einsum("{",".join(terms)}->{result}", {", ".join(p[0] for p in parts)})'

    def _matrix(self, x: Statement, factor: sp.Expr, bound: Letter, *, last: bool) -> str:
        other = next(y for y in free_letters(factor) if y != bound)
        wanted = [other, bound] if last else [bound, other]
        if isinstance(factor, nd.Read) and not isinstance(factor, nd.Padded):
            return self.printer(x, wanted).operand(factor)
        scope = self.program.sorted({*wanted})
        return permuted(operand(self.printer(x, scope).code(factor)), scope, wanted)


def _grouped(operands: list[sp.Expr]) -> list[sp.Expr]:
    """Factors over the same letters, or over fewer, multiply before the product."""
    groups: list[sp.Expr] = []
    for factor in sorted(operands, key=lambda f: -len(free_letters(f))):
        host = next(
            (k for k, g in enumerate(groups) if free_letters(g) >= free_letters(factor)), None
        )
        if host is None:
            groups.append(factor)
        else:
            groups[host] = groups[host] * factor
    return groups


def _left(parts: list[_Part], pair: tuple[int, int], free: tuple[Letter, ...]) -> frozenset[Letter]:
    """The letters of two factors' product that anything after it needs."""
    others = frozenset(free).union(*(p[1] for k, p in enumerate(parts) if k not in pair))
    return (parts[pair[0]][1] | parts[pair[1]][1]) & others


def _best_pair(parts: list[_Part], free: tuple[Letter, ...]) -> tuple[int, int]:
    """The two factors whose product is smallest; of several, those that share most letters."""
    return min(
        combinations(range(len(parts)), 2),
        key=lambda pair: (
            len(_left(parts, pair, free)),
            -len(parts[pair[0]][1] & parts[pair[1]][1]),
        ),
    )
