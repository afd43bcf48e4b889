"""Quotients that a minimum limits: infinite where the divisor is 0, though the whole is not.

snr = a/(1 - a); min(snr, 5)/snr   →   5*(1 - a)/max(a, 5*(1 - a))
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import peel, same, strip, terms, without


def limited_quotient(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``min(u/v, c)/(u/v)`` and ``min(u/v, c)*v``; at a tie the shares are what they were."""
    for rest, limited, u, v, c in _limited(mul):
        first = limited.args[1] is c
        if (others := _without_inverse(rest, u, v)) is not None:
            known.nonnegative(u, v)
            known.positive(c)
            share = limited.share if first else 1 - limited.share
            whole = c * v / nd.Max(u, c * v, 1 - share)
            # Where it is 1 it has no slope; the quotient's own would be what is rounded of it.
            return sp.Mul(*others, nd.Where(nd.Compare(">", c * v, u), ONE, whole))
        if (others := _without(rest, v)) is not None:
            known.nonnegative(v)
            sides = (u, c * v) if first else (c * v, u)
            return sp.Mul(*others, nd.Min(*sides, limited.share))
    return None


def quotient_plus_one(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``u/v + 1``, where u and v add up to a number."""
    for term in add.args if ONE in add.args else ():
        u, v = _fraction(peel(term))
        if u is None or v is None:
            continue
        whole = sp.Add(*terms(strip(u)), *terms(_formula(strip(v))))
        if whole.is_number and not v.is_number:
            return sp.Add(*without(add.args, ONE, term), whole / v)
    return None


def _limited(
    mul: sp.Expr,
) -> Iterator[tuple[list[sp.Basic], nd.Min, sp.Expr, sp.Expr, sp.Expr]]:
    """The other factors, ``min(u/v, c)``, ``u``, ``v`` and ``c``."""
    for factor in mul.args:
        limited = peel(factor)
        if isinstance(limited, nd.Min):
            for x, c in (limited.args[:2], limited.args[1::-1]):
                u, v = _fraction(peel(x))
                if u is not None and v is not None and not v.is_number:
                    yield without(mul.args, factor), limited, u, v, c


def _fraction(expr: sp.Expr) -> tuple[sp.Expr | None, sp.Expr | None]:
    """``u`` and ``v`` for ``u/v``, which may be powers."""
    factors = sp.Mul.make_args(expr)
    under = [b for f in factors if (b := _below(f)) is not None]
    above = [f for f in factors if _below(f) is None]
    return (sp.Mul(*above), sp.Mul(*under)) if above and under else (None, None)


def _below(factor: sp.Basic) -> sp.Expr | None:
    """``b`` for ``1/b``, ``b**2`` for ``b**-2``."""
    if isinstance(factor, sp.Pow) and factor.exp.is_Integer and factor.exp.is_negative:
        return factor.base**-factor.exp
    return None


def _formula(expr: sp.Expr) -> sp.Expr:
    """A sum as it was written."""
    return expr.formula if isinstance(expr, nd.Rewritten) else expr


def _without_inverse(factors: list[sp.Basic], u: sp.Expr, v: sp.Expr) -> list[sp.Basic] | None:
    """The factors but ``1/(u/v)``, which may be there as ``v`` and ``1/u``."""
    for factor in factors:
        below = _below(factor)
        if below is not None and same(below, u / v):
            return without(tuple(factors), factor)
        if below is not None and same(below, u):
            return _without(without(tuple(factors), factor), v)
    return None


def _without(factors: list[sp.Basic], wanted: sp.Expr) -> list[sp.Basic] | None:
    """The factors but one, if it is among them."""
    found = next((f for f in factors if same(f, wanted)), None)
    return None if found is None else without(tuple(factors), found)
