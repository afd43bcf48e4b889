"""Sums of powers, out of range where what is made of them is not.

Weighted sums over one another, and the lengths that are powers of sums of powers.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import (
    ONE,
    ZERO,
    Let,
    Reduce,
    StopGradient,
    Where,
    free_letters,
    is_scalar,
    rebuild,
)
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import inverse, peel, same, strip, without

_LINEAR = ("sum", "mean", "amax", "amin")


def weights_in_range(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``Sum(w*x)/(Sum(w*y) + s)`` for w of ``where(v > 0, 1/v**k, 0)``, with the least v taken out.

    The least v, or 1 if that is less, cancels in value and slope, and so is held constant.
    """
    for divisor in mul.args:
        below = inverse(divisor)
        if below is None or not free_letters(below):
            continue
        for weight in _weights(below):
            bound = free_letters(weight) - free_letters(mul)
            above = [f for f in without(mul.args, divisor) if _reads(f, weight)]
            if not bound or len(above) != 1:
                continue
            scaled = _Scaled(weight, tuple(sorted(bound, key=str)))
            quotient = scaled.sum(above[0]), scaled.sum(below)
            if quotient[0] is not None and quotient[1] is not None:
                known.nonnegative(weight.args[0].left)
                rest = without(mul.args, divisor, above[0])
                return sp.Mul(*rest, quotient[0], quotient[1] ** -1)
    return None


def power_length(power: sp.Expr, known: Known) -> sp.Expr | None:
    """``m*Sum((abs(x)/m)**p)**(1/p)`` for ``Sum(abs(x)**p)**(1/p)``, with m the largest abs(x).

    The length does not depend on m, which is held constant, in value or in slope.
    """
    found = _power_sum(power.base)
    if found is None or power.exp * found[1] != 1:
        return None
    known.positive(found[1])
    largest, total = _largest_and_rest(power.base)
    return largest * total**power.exp


def power_length_or_zero(choice: sp.Expr, known: Known) -> sp.Expr | None:
    """The same where a condition asks whether the sum is greater than 0."""
    condition, yes, no = choice.args
    asked = isinstance(condition, nd.Compare) and (condition.op, condition.right) == (">", 0)
    if no != 0 or not asked or _power_sum(condition.left) is None:
        return None
    largest, total = _largest_and_rest(condition.left)
    power = yes / largest
    if not isinstance(power, sp.Pow) or not same(power.base, total):
        return None
    return largest * Where(nd.Compare(">", total, 0), power, 0)


def _power_sum(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """``abs(x)`` and ``p`` of ``Sum(abs(x)**p)``, p other than 2, for which there is the norm."""
    inner = peel(expr)
    if not isinstance(inner, Reduce) or inner.op != "sum":
        return None
    body = peel(inner.body)
    if not isinstance(body, sp.Pow) or body.exp in (1, 2) or not is_scalar(body.exp):
        return None
    return (body.base, body.exp) if isinstance(peel(body.base), nd.Abs) else None


def _largest_and_rest(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The largest of what is added up powers of, and the sum of the others' powers beside it."""
    inner = peel(expr)
    size, power = _power_sum(expr) or (ZERO, ONE)
    letters = sorted(free_letters(inner), key=str)
    most = Reduce("amax", StopGradient(size), inner.where, ZERO, inner.bound)
    largest = Let("largest", letters, most, letters)
    body = nd.Ratio(size, largest) ** power
    total = Reduce("sum", body, inner.where, inner.empty, inner.bound)
    return largest, Let(expr.name if isinstance(expr, Let) else "total", letters, total, letters)


def _weights(expr: sp.Expr) -> list[sp.Expr]:
    """The weights ``where(v > 0, 1/v**k, 0)`` in an expression, each once."""
    return list({strip(x): x for x in nd.walk(expr) if _power(x) is not None}.values())


def _power(expr: sp.Basic) -> tuple[sp.Expr, sp.Expr] | None:
    """``v`` and ``k`` of a weight."""
    if not isinstance(expr, Where):
        return None
    condition, yes, no = expr.args
    if no != 0 or not isinstance(yes, sp.Pow) or not (yes.exp.is_Integer and yes.exp < -1):
        return None
    asked = isinstance(condition, nd.Compare) and (condition.op, condition.right) == (">", 0)
    return (yes.base, -yes.exp) if asked and condition.left == yes.base else None


def _reads(expr: sp.Basic, weight: sp.Expr) -> bool:
    return strip(weight) in nd.walk(strip(expr))


class _Scaled:
    """Takes the least of what the weights are powers of out of sums that are linear in them."""

    def __init__(self, weight: sp.Expr, bound: tuple[nd.Letter, ...]) -> None:
        self.weight = weight
        value, power = _power(weight) or (ONE, ONE)
        there = Where(weight.args[0], value, ONE)
        smallest = Reduce("amin", there, nd.TRUE, sp.nan, bound)
        letters = sorted(free_letters(smallest), key=str)
        least = Let("least", letters, StopGradient(nd.Min(smallest, ONE, ONE)), letters)
        self.instead = nd.Ratio(least, value) ** power
        self.factor = least**power

    def sum(self, expr: sp.Expr) -> sp.Expr | None:
        """A sum in which each term has the weight as a factor, or not at all."""
        terms = []
        for term in sp.Add.make_args(peel(expr)):
            done = self._linear(term) if _reads(term, self.weight) else term * self.factor
            if done is None:
                return None
            terms.append(done)
        return sp.Add(*terms)

    def _linear(self, expr: sp.Expr) -> sp.Expr | None:
        """An expression that the weight is a factor of, with another in its place."""
        if expr == 0:
            return expr
        if not _reads(expr, self.weight):
            return None
        if isinstance(expr, Let):
            inner = self._linear(expr.body) if expr.params == expr.at else None
            return inner and Let(f"scaled_{expr.name}", expr.params, inner, expr.at)
        if same(expr, self.weight):
            return self.instead
        if isinstance(expr, sp.Mul):
            reading = [f for f in expr.args if _reads(f, self.weight)]
            inner = self._linear(reading[0]) if len(reading) == 1 else None
            return inner and sp.Mul(*without(expr.args, reading[0]), inner)
        if isinstance(expr, Reduce):
            linear = expr.op in _LINEAR and not _reads(expr.where, self.weight)
            inner = self._linear(expr.body) if linear else None
            return inner and Reduce(expr.args[0], inner, expr.where, expr.empty, expr.bound)
        if isinstance(expr, (sp.Add, Where)):
            kept = expr.args[:1] if isinstance(expr, Where) else ()
            parts = [self._linear(a) for a in expr.args[len(kept) :]]
            fits = None not in parts and not any(_reads(k, self.weight) for k in kept)
            return rebuild(expr, [*kept, *parts]) if fits else None
        return None
