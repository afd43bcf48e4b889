"""Products with a logarithm: entropies and divergences, whose terms are 0 where p is."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Log, Where
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    inverse,
    is_constant,
    minus,
    negated,
    peel,
    same,
    terms,
    without,
)


def x_log_x(mul: sp.Expr, known: Known) -> sp.Expr | None:
    for factor in mul.args:
        log = peel(factor)
        if isinstance(log, Log) and not is_constant(log.arg):
            other = next((a for a in mul.args if same(a, log.arg)), None)
            if other is not None:
                rest = without(mul.args, factor, other)
                return sp.Mul(*rest, nd.Xlogy(log.arg, log.arg))
    return None


def relative_entropy(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``p*log(p/q)`` and ``p*(log(p) - log(q))``."""
    for factor in mul.args:
        top, below = _log_ratio(peel(factor))
        if top is None or below is None or is_constant(top) or is_constant(below):
            continue
        other = next((a for a in mul.args if same(a, top)), None)
        if other is not None:
            known.nonnegative(top)
            known.positive(below)
            return sp.Mul(*without(mul.args, factor, other), nd.RelEntropy(top, below))
    return None


def _log_ratio(expr: sp.Expr) -> tuple[sp.Expr | None, sp.Expr | None]:
    """``p`` and ``q`` for ``log(p/q)`` and ``log(p) - log(q)``."""
    if isinstance(expr, nd.LogRatio):
        return expr.args
    if isinstance(expr, Log):
        return fraction(expr.arg)
    found = terms(expr)
    if len(found) == 2:
        for first, second in (found, found[::-1]):
            under = negated(second)
            if isinstance(first, Log) and under is not None and isinstance(peel(under), Log):
                return first.arg, peel(under).arg
    return None, None


def fraction(expr: sp.Basic) -> tuple[sp.Expr | None, sp.Expr | None]:
    """``p`` and ``q`` for ``p/q``; None for what is no quotient."""
    inner = peel(expr)
    factors = inner.args if isinstance(inner, sp.Mul) else ()
    above = [f for f in factors if inverse(f) is None]
    below = [b for f in factors if (b := inverse(f)) is not None]
    return (sp.Mul(*above), sp.Mul(*below)) if above and below else (None, None)


def log_of_quotient(log: sp.Expr, known: Known) -> sp.Expr | None:
    p, q = fraction(log.arg)
    if p is None or q is None or is_constant(p) or is_constant(q):
        return None
    known.nonnegative(p, q)
    return nd.LogRatio(p, q)


def difference_of_logs(add: sp.Expr, known: Known) -> sp.Expr | None:
    for term in add.args:
        first = peel(term)
        for other in add.args if isinstance(first, Log) else ():
            under = negated(other)
            second = None if under is None else peel(under)
            if isinstance(second, Log) and not is_constant(first.arg + second.arg):
                if is_constant(first.arg) or is_constant(second.arg):
                    continue
                known.nonnegative(first.arg, second.arg)
                ratio = nd.LogRatio(first.arg, second.arg)
                return sp.Add(*without(add.args, term, other), ratio)
    return None


def entropy_and_rest(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``p*(log(p) - r)``, r the logarithm of another probability in a form of its own."""
    for factor in mul.args:
        total = peel(factor)
        if not isinstance(total, sp.Add):
            continue
        for term in total.args:
            log = peel(term)
            if not isinstance(log, Log) or is_constant(log.arg):
                continue
            other = next((a for a in mul.args if same(a, log.arg)), None)
            if other is not None:
                rest = sp.Mul(*without(mul.args, factor, other))
                left = sp.Add(*without(total.args, term))
                return rest * (nd.Xlogy(log.arg, log.arg) + log.arg * left)
    return None


def slope_of_cross_entropy(expr: sp.Expr, known: Known) -> sp.Expr | None:
    """``t/p - (1 - t)/(1 - p)``, times anything, also where a condition protects the divisors.

    Where t is near p, the two quotients are near each other, and their difference loses them.
    """
    condition, whole = (None, expr) if isinstance(expr, sp.Add) else (expr.args[0], expr.args[1])
    if condition is not None and (expr.args[2] != 0 or nd.is_static(condition)):
        return None
    factors = sp.Mul.make_args(whole)
    for found in factors:
        if isinstance(found, sp.Add) and (better := _over_both(found, condition, known)):
            rest = sp.Mul(*without(factors, found)) * better
            return rest if condition is None else Where(condition, rest, 0)
    return None


def _over_both(add: sp.Expr, condition: sp.Expr | None, known: Known) -> sp.Expr | None:
    """``k*(t - p)/(p*(1 - p))`` in place of the two terms of a sum that make it."""
    quotients = [(t, *q) for t in add.args if (q := _over_one(t, condition)) is not None]
    for first, above, p in quotients:
        for second, other, q in quotients:
            if first is second or not same(q, 1 - p) or is_constant(p):
                continue
            for share in sp.Mul.make_args(above):
                rest = sp.Mul(*without(sp.Mul.make_args(above), share))
                if same(other, -rest * (1 - share)) or same(other, minus(rest) * (1 - share)):
                    known.within(0, 1, p)
                    both = p * (1 - p) if condition is None else Where(condition, p * (1 - p), 1)
                    one = rest * (share - p) / both
                    return sp.Add(*without(add.args, first, second), one)
    return None


def _over_one(term: sp.Expr, condition: sp.Expr | None) -> tuple[sp.Expr, sp.Expr] | None:
    """``a`` and ``p`` for ``a/p``, with what the condition protects taken as it is there."""

    def here(x: sp.Expr) -> sp.Expr:
        if isinstance(x, Where) and x.args[0] == condition:
            return x.args[1]
        return sp.Add(*map(here, x.args)) if isinstance(x, sp.Add) else x

    above, below = fraction(term)
    return None if above is None or below is None else (above, here(below))
