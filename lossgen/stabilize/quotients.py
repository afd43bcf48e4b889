"""One less a quotient of sums that share terms, the difference taken before the division."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from lossgen.nodes import is_scalar
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import peel, strip, without


def one_minus_quotient(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``r/b`` for ``1 - a/b``, where terms of ``a`` and ``b`` cancel in ``r``; also times a factor.

    What is divided is then as exact as its own terms, and 1 is never formed.
    """
    if is_scalar(add):
        return None
    for term in add.args:
        for power in _inverse_powers(term):
            base, inverse = power.base, power.base**-1
            for other in without(add.args, term):
                above = _without_factors(term, other * inverse)
                rest = None if above is None else _fewer(base, above)
                if rest is None:
                    continue
                known.bounded(*peel(base).args, above)
                return sp.Add(*without(add.args, term, other), other * rest * inverse)
    return None


def _inverse_powers(term: sp.Expr) -> list[sp.Pow]:
    """The factors of a term that divide by a sum, whole or squared."""
    return [
        f
        for f in sp.Mul.make_args(term)
        if isinstance(f, sp.Pow)
        and f.exp.is_Integer
        and f.exp < 0
        and isinstance(peel(f.base), sp.Add)
        and not is_scalar(f.base)
    ]


def _without_factors(term: sp.Expr, factors: sp.Expr) -> sp.Expr | None:
    """What a term is of others' product, if that is not divided by anything."""
    rest = term / factors
    divides = any(f.is_Pow and f.exp.is_negative for f in sp.Mul.make_args(rest))
    return None if divides else rest


def _fewer(base: sp.Expr, above: sp.Expr) -> sp.Expr | None:
    """``base + above``, if terms of one cancel with terms of the other."""
    sums: dict[sp.Basic, tuple[sp.Expr, sp.Expr]] = {}
    for term in (*_spread(base), *_spread(above)):
        number, rest = term.as_coeff_Mul()
        total, first = sums.get(strip(rest), (sp.S.Zero, rest))
        sums[strip(rest)] = total + number, first
    if all(number != 0 for number, _ in sums.values()):
        return None
    return sp.Add(*(number * rest for number, rest in sums.values()))


def _spread(expr: sp.Expr) -> Iterable[sp.Expr]:
    """The terms of a sum, a number before it multiplied in."""
    number, rest = expr.as_coeff_Mul()
    inner = peel(rest)
    return [number * t for t in inner.args] if isinstance(inner, sp.Add) else [expr]
