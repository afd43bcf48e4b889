"""How a loop takes a sum, an extreme, an ``any`` or what is added at labels.

In: such a ``Statement`` of a row whose positions meet.  Out: ``Taken``. Of those over all pairs,
two kinds need only a loop over the row:

    any_m (y[n, m] < 0 and m <= k)              →  running: for k: any |= y[n, k] < 0
    any_k (listed[n, k] and label[n, k] == c)   →  placed: for k: if listed: any[label[k]] = 1

What has no such loop raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.unsupported import Unsupported
from lossgen.nodes import TRUE, Letter, free_letters
from lossgen.program import Op, Statement

_LOOPED = ("sum", "amax", "amin", "any", "scatter")


@dataclass(frozen=True, slots=True)
class Taken:
    """A statement as a loop takes it.

    Attributes:
        letters: the positions that the loop runs over.
        place: where a value is added, if that is neither the row's nor a position of the loop.
        strict: of what runs along, whether a position's own value does not yet count.
    """

    statement: Statement
    op: Op
    letters: tuple[Letter, ...]
    body: sp.Expr
    where: sp.Expr = TRUE
    place: sp.Expr | None = None
    running: bool = False
    strict: bool = False

    @property
    def name(self) -> str:
        """The statement's."""
        return self.statement.name

    def expressions(self) -> tuple[sp.Expr, ...]:
        """Everything that it computes with."""
        place = () if self.place is None else (self.place,)
        return (self.body, self.where, self.statement.base, *place)


def taken(x: Statement, inside: Set[Letter]) -> Taken:
    """How a loop takes a statement; `inside`: the letters of a row's positions.

    Raises:
        Unsupported: where none does.
    """
    if x.op not in _LOOPED:
        raise Unsupported(f"it needs the operation '{x.op}' for elements of a row that meet")
    letters = tuple(y for y in (*x.free, *x.bound) if y in inside)
    if x.op == "scatter":
        return _scattered(x, inside)
    if len(letters) == 2 and len(x.bound) == 1:
        own, bound = letters
        conditions = [*_joint(x.where), *(_joint(x.body) if x.op == "any" else ())]
        for test in (c for c in conditions if isinstance(c, nd.Compare)):
            rest = [c for c in conditions if c != test]
            body = x.body if x.op != "any" else TRUE
            if any(own in free_letters(e) for e in (body, *rest)):
                continue
            where = nd.And(*rest)
            if (test.left, test.right) == (bound, own) and test.op in ("<", "<="):
                told = {bound: own}
                body, where = (nd.substitute(e, told) for e in (body, where))
                return Taken(x, x.op, (own,), body, where, running=True, strict=test.op == "<")
            place = test.right if test.left == own else test.left
            if test.op == "==" and own in test.args[1:] and own not in free_letters(place):
                return Taken(x, x.op, (bound,), body, where, place)
    if x.op == "any":
        return Taken(x, x.op, letters, nd.And(x.body, x.where))
    return Taken(x, x.op, letters, x.body, x.where)


def _scattered(x: Statement, inside: Set[Letter]) -> Taken:
    """What each position of a row adds at a label of it."""
    places = [t for y, t in zip(x.free, x.target, strict=True) if y != t]
    read = frozenset().union(*map(free_letters, (x.body, x.where, *x.target))) & inside
    if len(places) != 1 or len(x.bound) != 1 or {*x.bound} != read:
        raise Unsupported(f"'{x.name}' adds at places that several rows may share")
    return Taken(x, "scatter", x.bound, x.body, x.where, places[0])


def _joint(condition: sp.Basic) -> tuple[sp.Basic, ...]:
    """What a condition joins."""
    return () if condition is TRUE else nd.conjuncts(condition)
