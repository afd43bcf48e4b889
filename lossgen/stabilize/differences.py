"""Differences that cancel: of squares, of moments, from one."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Reduce, Rewritten
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    is_constant,
    negated,
    peel,
    root_of,
    same,
    strip,
    without,
)


def difference_of_squares(add: sp.Expr, known: Known) -> sp.Expr | None:
    if len(add.args) != 2 or is_constant(add):
        return None
    for first, second in (add.args, add.args[::-1]):
        under = negated(second)
        if under is None:
            if not (second.is_Rational and second < 0):
                continue
            under = -second
        x, y = root_of(first), root_of(under)
        if x is not None and y is not None:
            # The slopes of the product, (x + y) + (x - y), cancel; those of the squares do not.
            return Rewritten((x - y) * (x + y), add)
    return None


def perfect_square(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``x**2 - 2*x*y + y**2``, the square of a difference written out."""
    if is_constant(add):
        return None
    squares = [(t, r) for t in add.args if (r := root_of(t)) is not None]
    for k, (first, x) in enumerate(squares):
        for second, y in squares[k + 1 :]:
            for sign in (-1, 1):
                cross = strip(2 * sign * x * y)
                found = next((t for t in add.args if strip(t) == cross), None)
                if found is not None and not is_constant(found):
                    rest = without(add.args, first, second, found)
                    return sp.Add(*rest, (x + sign * y) ** 2)
    return None


def one_minus_cos(add: sp.Expr, known: Known) -> sp.Expr | None:
    for one, sign in ((ONE, 1), (-ONE, -1)):
        for term in add.args if one in add.args else ():
            inner = negated(term) if sign == 1 else term
            if inner is not None and isinstance(peel(inner), nd.Cos):
                rest = without(add.args, one, term)
                return sp.Add(*rest, 2 * sign * nd.Sin(peel(inner).arg / 2) ** 2)
    return None


def one_minus_erf(add: sp.Expr, known: Known) -> sp.Expr | None:
    if len(add.args) != 2 or ONE not in add.args:
        return None
    (other,) = without(add.args, ONE)
    number, rest = other.as_coeff_Mul()
    inner = peel(rest)
    if isinstance(inner, nd.Erf) and abs(number) == 1:
        return nd.Erfc(-number * inner.arg)
    return None


def one_minus_erfc(add: sp.Expr, known: Known) -> sp.Expr | None:
    if len(add.args) != 2 or ONE not in add.args:
        return None
    inner = negated(without(add.args, ONE)[0])
    if inner is not None and isinstance(peel(inner), nd.Erfc):
        return nd.Erf(peel(inner).arg)
    return None


def difference_of_moments(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``Mean(x*y) - Mean(x)*Mean(y)``; a variance where x is y."""
    for term in add.args:
        joint = peel(term)
        if not (isinstance(joint, Reduce) and joint.op == "mean"):
            continue
        for other in without(add.args, term):
            under = negated(other)
            pair = () if under is None else _pair(peel(under))
            means = [peel(p) for p in pair]
            if len(means) != 2 or not all(_like(m, joint) for m in means):
                continue
            x, y = (m.body for m in means)
            if strip(joint.body) != strip(x) * strip(y):
                continue
            body = (x - means[0]) ** 2 if same(x, y) else (x - means[0]) * (y - means[1])
            whole = Reduce("mean", body, joint.where, joint.empty, joint.bound)
            return sp.Add(*without(add.args, term, other), whole)
    return None


def _pair(product: sp.Expr) -> tuple[sp.Expr, ...]:
    if isinstance(product, sp.Pow) and product.exp == 2:
        return product.base, product.base
    return product.args if isinstance(product, sp.Mul) else ()


def _like(mean: sp.Expr, joint: Reduce) -> bool:
    """Whether a mean runs over the same elements."""
    return isinstance(mean, Reduce) and mean.op == "mean" and mean.args[2:] == joint.args[2:]
