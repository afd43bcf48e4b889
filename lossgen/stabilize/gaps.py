"""Differences of one sigmoid, or softplus, at two places: by how far these are apart.

    softplus(a + u) - softplus(a)   →   log1p(sigmoid(a)*expm1(u))   where u is small

The two are rounded for themselves, and what their difference is of them is lost to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, ZERO, Sigmoid, Where
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    is_constant,
    minus,
    negated,
    opposite,
    peel,
    same,
    strip,
    terms,
    without,
)

Found = tuple[sp.Expr, sp.Expr]  # what multiplies a function, and the function's argument


def difference_of_softplus(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``softplus(x) - softplus(y)``, times anything."""
    for rest, scale, x, y in pairs(add, _times_softplus):
        gap = apart(x, y)
        # With less than 1 between them nothing overflows, and beyond it little cancels.
        small = nd.Clip(gap, -ONE, ONE)
        near = nd.Log1p(Sigmoid(y) * nd.Expm1(small))
        written = nd.Softplus(x) - nd.Softplus(y)
        # Written as a form of itself, the second is not matched again.
        far = nd.Softplus(x) - nd.Rewritten(nd.Softplus(y), nd.Softplus(y))
        form = Where(nd.Compare("<", nd.Abs(gap), ONE), near, far)
        return sp.Add(*rest, scale * nd.Rewritten(form, written))
    return None


def difference_of_two_sigmoids(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``sigmoid(x) - sigmoid(y)``, times anything, x and y being one number and what is added."""
    for rest, scale, x, y in pairs(add, factor_of(Sigmoid)):
        gap = apart(x, y)
        if len(terms(gap)) < max(len(terms(strip(x))), len(terms(strip(y)))):
            return sp.Add(*rest, scale * _between(x, y))
    return None


def difference_of_erfs(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``erf(x) - erf(y)``, times anything: what a normal distribution has between two numbers."""
    for rest, scale, x, y in pairs(add, factor_of(nd.Erf)):
        # erf is odd: both are taken to the side on which they are above 0, or one of them is.
        right = nd.Compare(">", x + y, ZERO)
        upper, lower = Where(right, x, minus(y)), Where(right, y, minus(x))
        least = nd.Min(upper, lower, ONE)
        # Written as a form of itself, the second is not matched again.
        middle = nd.Erf(upper) - nd.Rewritten(nd.Erf(lower), nd.Erf(lower))
        tail = nd.Erfc(lower) - nd.Erfc(upper)
        form = Where(nd.Compare(">", least, sp.Rational(1, 2)), tail, middle)
        return sp.Add(*rest, scale * nd.Rewritten(form, nd.Erf(x) - nd.Erf(y)))
    return None


def _between(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    both = Sigmoid(x) * Sigmoid(minus(y)) + Sigmoid(y) * Sigmoid(minus(x))
    return nd.Tanh(apart(x, y) / 2) * both


def log_of_difference_of_sigmoids(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(sigmoid(x) - sigmoid(y))``: the probability of a bin."""
    ends = _plain_ends(log.arg) or _ends(peel(log.arg))
    if ends is None:
        return None
    x, y = ends
    return nd.LogSigmoid(x) + nd.LogSigmoid(minus(y)) + nd.Log1mExp(apart(y, x))


def _plain_ends(expr: sp.Expr) -> Found | None:
    """``x`` and ``y`` for ``sigmoid(x) - sigmoid(y)`` as it is written."""
    found = terms(expr)
    under = next((u for t in found if (u := negated(t)) is not None), None)
    first = next((t for t in found if isinstance(t, Sigmoid)), None)
    second = None if under is None else peel(under)
    if len(found) != 2 or first is None or not isinstance(second, Sigmoid):
        return None
    return first.arg, second.arg


def _ends(expr: sp.Expr) -> Found | None:
    """The same for the product that such a difference has become."""
    sums = [f for f in sp.Mul.make_args(expr) if isinstance(f, sp.Add)]
    for term in sums[0].args if len(sums) == 1 else ():
        places = [f.arg for f in sp.Mul.make_args(term) if isinstance(f, Sigmoid)]
        for x, y in permutations(places) if len(places) == 2 else ():
            if same(_between(x, minus(y)), expr):
                return x, minus(y)
    return None


def apart(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """``x - y``, of which goes what the two have in common."""
    return sp.Add(*terms(strip(x)), *map(minus, terms(strip(y))))


def pairs(
    add: sp.Expr, find: Callable[[sp.Expr], Found | None]
) -> Iterator[tuple[list[sp.Basic], sp.Expr, sp.Expr, sp.Expr]]:
    """The other terms, ``k``, ``x`` and ``y`` for each ``k*f(x) - k*f(y)`` in a sum."""
    found = [(t, *f) for t in add.args if (f := find(t)) is not None]
    for (first, scale, x), (second, other, y) in combinations(found, 2):
        turned = opposite(x, y) or same(x, y)
        if turned or not opposite(scale, other) or is_constant(x) or is_constant(y):
            continue
        rest = without(add.args, first, second)
        # Of two that differ in sign, the one that is added comes first.
        number, _ = scale.as_coeff_Mul()
        yield (rest, other, y, x) if number.is_negative else (rest, scale, x, y)


def _times_softplus(term: sp.Expr) -> Found | None:
    """``a`` and ``x`` for ``a*softplus(x)``."""
    for rest, inner in _factors(term):
        if isinstance(inner, nd.Softplus):
            return rest, inner.arg
        if isinstance(inner, nd.LogSigmoid):
            return minus(rest), minus(inner.arg)
    return None


def factor_of(kind: type[nd.Unary]) -> Callable[[sp.Expr], Found | None]:
    """How to find ``a`` and ``x`` for ``a*f(x)``."""

    def find(term: sp.Expr) -> Found | None:
        return next(((r, f.arg) for r, f in _factors(term) if isinstance(f, kind)), None)

    return find


def _factors(term: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """Each factor of a term, looked through its name, and the others."""
    factors = sp.Mul.make_args(term)
    for factor in factors:
        yield sp.Mul(*without(factors, factor)), peel(factor)
