"""What leaves the expression it stands in, for a loop of its own.

In: a plain statement.  Out: it, after statements for its parts that

- read at a label: elements are picked one by one, the rest is computed many at once;
- are functions of fewer letters than the statement has: once for each row, not for each class;
- are functions that elements choose from: a branch around them would keep what they share apart.

    loss[n] = -f(x[n])*alpha[label[n]]        →  alpha_of_label[n] = alpha[label[n]]; …
    logit[n, c] = where(…, cos(angle[n]), …)  →  cos_logit[n] = cos(angle[n]); …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import Letter, Read, free_letters, is_static
from lossgen.program import Program, Statement
from lossgen.roles import Kind


class Apart:
    """Names the parts of statements that are computed apart.

    Args:
        name: makes a name that nothing has yet.
    """

    def __init__(
        self, program: Program, order: tuple[Letter, ...], name: Callable[[str], str]
    ) -> None:
        self.kinds: dict[str, Kind] = {a.name: a.kind for a in program.inputs}
        self.last = program.inputs[0].axes[-1]  # neighbours in memory, many at once
        self.order, self.name = order, name
        self.known: dict[sp.Basic, Read] = {}

    def statements(self, x: Statement) -> Iterator[Statement]:
        """The statements for the parts of one, and what is left of it."""
        if x.op not in ("map", "sum"):
            yield x
            return
        x = replace(x, body=_chosen_first(x.body))
        told: dict[sp.Basic, sp.Basic] = {}
        for part in () if isinstance(x.body, Read) else self._parts(x.body, x, chosen=False):
            if part not in self.known:
                yield from self.statements(self._named(part, x))
            told[part] = self.known[part]
        yield replace(x, body=_told(x.body, told)) if told else x

    def _parts(self, e: sp.Basic, x: Statement, *, chosen: bool) -> Iterator[sp.Basic]:
        """What leaves an expression; `chosen`, where it is one of two that elements choose from."""
        if isinstance(e, Read) and e.name in self.kinds:
            if at_place(e) and x.op == "map":
                yield e
        elif _is_dear(e) and e != x.body and self._leaves(e, x, chosen=chosen):
            yield e
        elif isinstance(e, nd.Where) and not is_static(e.args[0]):
            yield from self._parts(e.args[0], x, chosen=chosen)
            for part in e.args[1:]:
                yield from self._parts(part, x, chosen=True)
        else:
            for part in e.args:
                yield from self._parts(part, x, chosen=chosen)

    def _leaves(self, e: sp.Basic, x: Statement, *, chosen: bool) -> bool:
        own = free_letters(e)
        if not own:
            return False
        letters = frozenset().union(x.bound, *map(free_letters, x.expressions()))
        return (chosen and self.last in letters) or own < letters or e in self.known

    def _named(self, part: sp.Basic, x: Statement) -> Statement:
        letters = tuple(y for y in self.order if y in free_letters(part))
        kind: Kind = "real"
        if isinstance(part, Read):
            wanted, kind = f"{part.name}_of_label", self.kinds[part.name]
        else:
            wanted = f"{type(part).__name__.lower()}_{x.name}"
        name = self.name(wanted)
        self.known[part] = Read(Str(name), *letters)
        return Statement(name, letters, part, kind=kind)


def at_place(read: Read) -> bool:
    """Whether a read is at a place that is computed."""
    return any(shifted_letter(s) is None and not s.is_Integer for s in read.subscripts)


def _told(e: sp.Basic, told: dict[sp.Basic, sp.Basic]) -> sp.Basic:
    """An expression in other words for some of its parts."""
    return told[e] if e in told else nd.rebuild(e, [_told(a, told) for a in e.args])


def _is_dear(e: sp.Basic) -> bool:
    """Whether an expression is a function that takes far longer than arithmetic."""
    if isinstance(e, (sp.Pow, nd.PowerSlope)):
        return not e.args[1].is_number
    cheap = (nd.Abs, nd.Sign, nd.Step, nd.StopGradient)
    return isinstance(e, (nd.Unary, nd.Xlogy, nd.LogAddExp)) and not isinstance(e, cheap)


def _chosen_first(e: Any) -> Any:
    """A function of what elements choose in place of a choice of its values: it is computed once.

    where(c, -f(a), f(b))  →  where(c, -1, 1)*f(where(c, a, b))
    """
    if not e.args or isinstance(e, Read):
        return e
    if isinstance(e, nd.Where) and not is_static(e.args[0]):
        condition, yes, no = e.args
        e = nd.Where(condition, _under(yes, condition, True), _under(no, condition, False))
    e = nd.rebuild(e, [_chosen_first(a) for a in e.args])
    if not isinstance(e, nd.Where) or is_static(e.args[0]):
        return e
    condition, (one, yes), (other, no) = e.args[0], *(x.as_coeff_Mul() for x in e.args[1:])
    if type(yes) is not type(no) or not (isinstance(yes, nd.Unary) and _is_dear(yes)):
        return e
    factor = one if one == other else nd.Where(condition, one, other)
    return factor * type(yes)(nd.Where(condition, yes.arg, no.arg))


def _under(e: Any, condition: sp.Basic, holds: bool) -> Any:
    """An expression that is only taken where a condition holds, or does not."""
    if isinstance(e, nd.Where) and e.args[0] == condition:
        return _under(e.args[1 if holds else 2], condition, holds)
    return nd.rebuild(e, [_under(a, condition, holds) for a in e.args]) if e.args else e
