"""One minus a probability, without the difference: of sigmoids, softmaxes, tanh and choices."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import ONE, Along, Rewritten, Sigmoid, Where
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    complement,
    is_constant,
    minus,
    mixture,
    negated,
    peel,
    same,
    terms,
    without,
)


def complement_of_sigmoid(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``a - a*sigmoid(x)``, whatever a is; ``sigmoid(x) - sigmoid(x)**2`` is one of them."""
    if len(add.args) != 2:
        return None
    for whole, part in (add.args, add.args[::-1]):
        factors = part.args if isinstance(part, sp.Mul) else (part,)
        for factor in factors:
            inner = peel(factor)
            rest = sp.Mul(*without(factors, factor))
            if isinstance(inner, sp.Pow) and inner.exp == 2:
                rest, inner = rest * inner.base, peel(inner.base)
            if isinstance(inner, Sigmoid) and same(rest, minus(whole)):
                return whole * Sigmoid(-inner.arg)
    return None


def one_minus_power(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``1 - sigmoid(x)**p``."""
    if len(add.args) != 2:
        return None
    for one, sign in ((ONE, 1), (-ONE, -1)):
        for other in without(add.args, one) if one in add.args else ():
            power = negated(other) if sign == 1 else other
            power = None if power is None else peel(power)
            if isinstance(power, sp.Pow) and isinstance(peel(power.base), Sigmoid):
                inside = power.exp * nd.LogSigmoid(peel(power.base).arg)
                return -sign * nd.Expm1(inside)
    return None


def one_minus_larger(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``1 - max(sigmoid(x) - m, y)``: its complement, which 1 would swallow, is one of two."""
    for term in add.args:
        under = negated(term)
        larger = None if under is None else peel(under)
        if not isinstance(larger, nd.Max) or isinstance(larger, nd.Min):
            continue
        rest = sp.Add(*without(add.args, term))
        first, second, share = larger.args
        sides = [_complement(rest, side) for side in (first, second)]
        # Of a smaller number the complement would be the one that cancels.
        whole = is_constant(rest) and ONE in terms(rest)
        if whole and any(side is not None for side in sides):
            one, other = (
                rest - side if made is None else made
                for side, made in zip((first, second), sides, strict=True)
            )
            return nd.Min(one, other, share)
    return None


def _complement(whole: sp.Expr, part: sp.Expr) -> sp.Expr | None:
    """``c - p`` for p = sigmoid(x) + a, as ``sigmoid(-x) + (c - 1) - a``."""
    found = terms(part)
    for term in found:
        inner = peel(term)
        if isinstance(inner, Sigmoid):
            return Sigmoid(-inner.arg) + (whole - 1) - sp.Add(*without(found, term))
    return None


def one_minus_tanh(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``1 - tanh(x)``, ``1 + tanh(x)`` and ``1 - tanh(x)**2``."""
    if len(add.args) != 2 or ONE not in add.args:
        return None
    (other,) = without(add.args, ONE)
    number, rest = other.as_coeff_Mul()
    inner = peel(rest)
    if isinstance(inner, nd.Tanh) and abs(number) == 1:
        return 2 * Sigmoid(2 * number * inner.arg)
    if isinstance(inner, sp.Pow) and inner.exp == 2 and number == -1:
        base = peel(inner.base)
        if isinstance(base, nd.Tanh):
            # The slope of the product cancels near 0; that of the square does not.
            return Rewritten(4 * Sigmoid(2 * base.arg) * Sigmoid(-2 * base.arg), add)
    return None


def _complements(expr: sp.Expr) -> bool:
    """Whether one minus an expression has a form without the difference."""
    expr = peel(expr)
    if isinstance(expr, (Sigmoid, nd.Erf, nd.Exp, nd.Tanh)):
        return True
    found = terms(expr)
    return len(found) == 2 and ONE in found


def complement_of_mixture(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``1 - (t*p + (1 - t)*q)``: the probability of not being right."""
    inner = complement(add)
    mixed = None if inner is None else mixture(inner)
    if mixed is None:
        return None
    share, p, rest, q = mixed
    if _complements(p) or _complements(q):
        return share * (1 - p) + rest * (1 - q)
    return None


def complement_of_choice(add: sp.Expr, known: Known) -> sp.Expr | None:
    chosen = complement(add)
    if isinstance(chosen, Where) and any(map(_complements, chosen.args[1:])):
        condition, yes, no = chosen.args
        return Where(condition, 1 - yes, 1 - no)
    return None


def complement_of_softmax(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``1 - softmax(x)`` at a label: the log-probability there is exact near 0."""
    prob = complement(add)
    if isinstance(prob, Along) and prob.op == "softmax" and shifted_letter(prob.position) is None:
        return -nd.Expm1(Along("log_softmax", prob.body, prob.letter, prob.position))
    return None
