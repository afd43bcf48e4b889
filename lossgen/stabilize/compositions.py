"""Compositions that lose range or digits when they are computed step by step.

An elementwise square inside a logarithm or an exponential, and a sum that is rounded before its
logarithm is taken. What a reduction gives was rounded already, and is left as it is.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    is_constant,
    minus,
    negated,
    peel,
    root_of,
    strip,
    terms,
)
from lossgen.stabilize.roots import scaled_root


def log_of_one_plus_square(log1p: sp.Expr, known: Known) -> sp.Expr | None:
    """``log1p(x**2)``."""
    root = scaled_root(log1p.arg, known)
    return None if root is None else nd.Log1pSquare(root)


def log_of_sum(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(x + c)`` for a number c, x elementwise: the sum may be near 1, and is rounded there."""
    found = terms(log.arg)
    constants = [t for t in found if is_constant(t)]
    others = [t for t in found if not is_constant(t)]
    if len(found) != 2 or len(constants) != 1 or known.of(sp.Add(*found)).low > 1:
        return None
    if _reduces(others[0]):
        return None
    known.positive(constants[0])
    return nd.LogSum(others[0], constants[0])


def gaussian_minus_one(expm1: sp.Expr, known: Known) -> sp.Expr | None:
    """``expm1(-k*x**2)``, x elementwise: its slope is to know what rounding takes from the square.

    And what it takes from x, where that is a difference of two elements, or a multiple of one.
    """
    rate, squares = sp.S.NegativeOne, []
    for factor in map(peel, sp.Mul.make_args(peel(expm1.arg))):
        if factor.is_Rational:
            rate *= factor
        else:
            squares.append(root_of(factor))
    if None in squares or not squares or not (rate.is_Rational and _few_bits(rate)):
        return None
    x = sp.Mul(*squares)
    return None if is_constant(x) or _reduces(x) else nd.GaussM1(x, rate, _remainder(x))


def _remainder(x: sp.Expr) -> sp.Expr:
    numbers = [f for f in sp.Mul.make_args(peel(x)) if is_constant(f)]
    others = [f for f in sp.Mul.make_args(peel(x)) if not is_constant(f)]
    found = terms(others[0]) if len(others) == 1 else ()
    if len(found) != 2 or any(map(is_constant, found)):
        return sp.S.Zero
    first, second = found if negated(found[0]) is None else found[::-1]
    return sp.Mul(*numbers, nd.Remainder(first, minus(second)))


def _few_bits(rate: sp.Rational) -> bool:
    """Whether a rate times the square of a short number is held exactly by every format."""
    dyadic = rate.q & (rate.q - 1) == 0
    return bool(dyadic and sp.Rational(1, 4) <= rate <= 4 and rate.p in (1, 2, 3, 4))


def _reduces(expr: sp.Expr) -> bool:
    return any(isinstance(part, (nd.Reduce, nd.Along)) for part in nd.walk(strip(expr)))
