"""What an adjoint has at a label alone, read and put there instead of sought along the axis.

In: the statements of a backward.  Out: the same values without a pass over the classes.

    d_a[n]    = sum_c where(c == t[n], g[n, c], 0)            →  d_a[n] = g[n, t[n]]
    d_x[n, c] = where(c == t[n], 0, g[n, c]), v[n] added at t[n]  →  g[n, c], v[n] put at t[n]

A label that the forward reads at only under a condition may lie outside the axis: it is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sympy as sp

from lossgen.masking import times
from lossgen.nodes import TRUE, Compare, Letter, Read, Where, free_letters
from lossgen.program import Program, Statement
from lossgen.static import ALWAYS


def at_labels(statements: Sequence[Statement], forward: Program) -> tuple[Statement, ...]:
    """The statements, each sum that meets a label alone taken there."""
    inside = {
        place
        for x in forward.statements
        if x.guard == ALWAYS and x.where is TRUE
        for place in _places(x.expressions())
    }
    return tuple(_placed(_met(x, inside)) for x in statements)


def _places(exprs: Iterable[sp.Basic]) -> Iterator[sp.Basic]:
    """The labels at which something is read whatever the data are."""
    for expr in exprs:
        if isinstance(expr, Read):
            yield from (place for place in expr.subscripts if not isinstance(place, Letter))
        elif isinstance(expr, Where):
            yield from _places(expr.args[:1])
        else:
            yield from _places(expr.args)


def _met(x: Statement, inside: set[sp.Basic]) -> Statement:
    """A sum over classes of what is 0 but at the label."""
    if x.op != "sum" or x.where is not TRUE or x.extents:
        return x
    factors = sp.Mul.make_args(x.body)
    for chosen in (f for f in factors if isinstance(f, Where) and f.args[2] == 0):
        for letter, label in _equalities(chosen.args[0]):
            if letter not in x.bound or label not in inside or free_letters(label) - {*x.free}:
                continue
            rest = sp.Mul(*(f for f in factors if f is not chosen))
            body = times(rest, chosen.args[1]).xreplace({letter: label})
            bound = tuple(y for y in x.bound if y != letter)
            return replace(x, body=body, bound=bound, op="sum" if bound else "map")
    return x


def _placed(x: Statement) -> Statement:
    """What is added where the rest is 0, put there."""
    zero_there = isinstance(x.base, Where) and x.base.args[1] == 0
    if x.op != "scatter" or x.bound or not zero_there:
        return x
    for letter, label in _equalities(x.base.args[0]):
        if (letter, label) in zip(x.free, x.target, strict=True):
            others = [t for y, t in zip(x.free, x.target, strict=True) if y != letter]
            if others == [y for y in x.free if y != letter]:
                return replace(x, op="place", base=x.base.args[2])
    return x


def _equalities(condition: sp.Basic) -> Iterator[tuple[Letter, sp.Basic]]:
    """A letter and the label that it is compared with, if that is all of a condition."""
    if isinstance(condition, Compare) and condition.op == "==":
        for one, other in (condition.args[1:], condition.args[:0:-1]):
            if isinstance(one, Letter) and isinstance(other, Read):
                yield one, other
