"""Reductions over nothing: their infinity, read under the very mask that left nothing.

    where(m[n, c], y*(logsumexp(x, where=m) - x[n, c]), 0)

Where a row has no element, no element of it reads the row's minus infinity; but it meets the 0 of a
slope, in autograd and in a second derivative, and that is NaN.  Where the mask holds there is an
element, so that what is read over nothing may be any number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, TRUE, ZERO, Along, Compare, Let, Read, Reduce, Where, free_letters
from lossgen.program import Statement
from lossgen.stabilize.known import Known
from lossgen.stabilize.masks import summed
from lossgen.stabilize.matching import peel, strip

# What each is over nothing, and the comparison that says it is over something.
_OVER_NOTHING = {"logsumexp": (">", -sp.oo), "amax": (">", -sp.oo), "amin": ("<", sp.oo)}
_SHORT = {"logsumexp": "lse", "amax": "max", "amin": "min", "sum": "sum"}


def held_over_nothing(expr: sp.Expr, known: Known) -> sp.Expr | None:
    """What a mask is read under, with a number in place of what is infinite over nothing."""
    if isinstance(expr, Where):
        condition, yes, no = expr.args
        if nd.is_static(condition) or _is_held(expr):
            return None
        held = _Holding(condition, known)(yes)
        return None if held == yes else Where(condition, held, no)
    if expr.op not in ("sum", "mean") or expr.where is TRUE or nd.is_static(expr.where):
        return None
    held = _Holding(expr.where, known)(expr.body)
    return None if held == expr.body else Reduce(expr.op, held, *expr.args[2:])


@dataclass(frozen=True, slots=True)
class _Holding:
    """Holds finite what is read under a mask."""

    mask: sp.Basic
    known: Known

    def __call__(self, expr: sp.Expr, *, alone: bool = True) -> sp.Expr:
        """The expression with what meets others in a product or a function held finite.

        Args:
            expr: what is read under the mask.
            alone: whether it has only been added to others; then its slope meets no infinity.
        """
        inner = peel(expr)
        if isinstance(inner, Reduce):
            return expr if alone and inner.op != "mean" else self._number(expr, inner)
        if isinstance(inner, Along):
            return expr if alone else self._scores(expr, inner)
        if isinstance(expr, Let):
            body = self(inner, alone=alone)
            return expr if body == inner else _of_that_name(expr, body)
        if isinstance(expr, (Compare, Read)) or not expr.args or _is_held(expr):
            return expr
        adds = isinstance(expr, (sp.Add, Where)) or (
            isinstance(expr, sp.Mul) and _is_multiple(expr)
        )
        parts = [self(a, alone=alone and adds) for a in expr.args]
        if isinstance(expr, nd.Log) or (isinstance(expr, sp.Pow) and expr.exp.is_negative):
            parts[0] = self._divisor(parts[0])
        return expr if parts == [*expr.args] else nd.rebuild(expr, parts)

    def _number(self, expr: sp.Expr, reduction: Reduce) -> sp.Expr:
        """A reduction, a number over nothing if the mask says that there is something."""
        if reduction.where is TRUE or not _some(reduction, self.mask):
            return expr
        if reduction.op == "mean" and reduction.empty is sp.nan:
            return Reduce("mean", reduction.body, reduction.where, ZERO, reduction.bound)
        if reduction.op not in _OVER_NOTHING:
            return expr
        op, infinity = _OVER_NOTHING[reduction.op]
        return _named(expr, reduction, Where(Compare(op, expr, infinity), expr, ZERO))

    def _divisor(self, expr: sp.Expr) -> sp.Expr:
        """A sum of what is above 0, which is 0 over nothing alone; there 1."""
        total = peel(expr)
        if not isinstance(total, Reduce) or total.op != "sum":
            return expr
        body, where = summed(total)
        over = Reduce("sum", body, where, sp.nan, total.bound)
        if where is TRUE or not self.known.of(body).positive or not _some(over, self.mask):
            return expr
        return _named(expr, total, Where(Compare(">", expr, ZERO), expr, ONE))

    def _scores(self, expr: sp.Expr, along: Along) -> sp.Expr:
        """A softmax, or its logarithm, that leaves out elements: a number there."""
        scores = peel(along.body)
        if not self.known.of(scores).reaches_minus_infinity:
            return expr
        if isinstance(scores, Where) and scores.args[2] == -sp.oo:
            # Where it would leave out all, it leaves out none: that of nothing is NaN.
            condition, kept, _ = scores.args
            some = Reduce("any", condition, TRUE, sp.nan, (along.letter,))
            scores = _of_that_name(along.body, Where(condition, kept, Where(some, -sp.oo, ZERO)))
            along = Along(along.op, scores, along.letter, along.position)
        return Where(self.mask, _of_that_name(expr, along), ZERO)


def _of_that_name(expr: sp.Expr, body: sp.Expr) -> sp.Expr:
    """What takes the place of a named part, by its name."""
    if isinstance(expr, Let) and expr.params == expr.at:
        return Let(expr.args[0], expr.params, body, expr.at)
    return body


def _is_multiple(expr: sp.Expr) -> bool:
    """Whether an expression is a product of which only one factor is no number."""
    return isinstance(expr, sp.Mul) and sum(not nd.is_scalar(a) for a in expr.args) < 2


def _named(expr: sp.Expr, reduction: Reduce, held: sp.Expr) -> Let:
    """A value held finite, by a name of its own, so that its slope is one for each row."""
    name = expr.name if isinstance(expr, Let) else _SHORT[reduction.op]
    letters = sorted(free_letters(expr), key=str)
    return Let(f"finite_{name}", letters, held, letters)


def _is_held(expr: sp.Expr) -> bool:
    """Whether a choice asks about its own value: what an earlier look has made."""
    if not isinstance(expr, Where) or not isinstance(expr.args[0], Compare):
        return False
    return bool(expr.args[0].left == expr.args[1])


def _some(reduction: Reduce, mask: sp.Basic) -> bool:
    """Whether an element at which a mask holds is one of those that are reduced."""
    held = {*_parts(mask)}
    return any({*_parts(where)} <= held for where in _placed(reduction, mask))


def _placed(reduction: Reduce, mask: sp.Basic) -> Iterator[sp.Basic]:
    """A reduction's own mask, at the places where the other one may hold."""
    around = sorted(free_letters(mask) - free_letters(reduction), key=str)
    for letters in permutations(around, len(reduction.bound)):
        yield nd.substitute(reduction.where, dict(zip(reduction.bound, letters, strict=True)))


def _parts(condition: sp.Basic) -> tuple[sp.Basic, ...]:
    condition = strip(condition)
    return nd.conjuncts(condition)


def seeds_outside(
    statements: Iterable[Statement], known: Known, kept: Iterable[Statement]
) -> tuple[Statement, ...]:
    """The statements of a backward, the gradient that comes in outside a mask about infinity.

    In ``where(c, grad*log_prob, 0)`` its own slope is 0 times the infinity that c leaves out.

    Args:
        statements: those of a backward.
        known: what is known of the values.
        kept: the forward's, which the backward may read.
    """
    given = tuple(statements)
    infinite = {
        x.name
        for x in (*kept, *given)
        if x.op in ("softmax", "log_softmax") and known.of(x.body).reaches_minus_infinity
    }
    return tuple(x.mapped(lambda e: _seed_outside(e, infinite)) for x in given)


def _seed_outside(expr: sp.Expr, infinite: set[str]) -> sp.Expr:
    if not expr.args or isinstance(expr, Read) or not infinite:
        return expr
    expr = nd.rebuild(expr, [_seed_outside(a, infinite) for a in expr.args])
    if not isinstance(expr, Where) or expr.args[2] != 0 or nd.is_static(expr.args[0]):
        return expr
    factors = sp.Mul.make_args(expr.args[1])
    reads = [f for f in factors if isinstance(f, Read)]
    seeds = [f for f in reads if f.name.startswith("grad_")]
    if not seeds or not any(f.name in infinite for f in reads):
        return expr
    sign = sp.Mul(*(f for f in factors if f.is_number))
    rest = sp.Mul(*(f for f in factors if f not in seeds and not f.is_number))
    return sp.Mul(sign, *seeds, Where(expr.args[0], rest, ZERO))
