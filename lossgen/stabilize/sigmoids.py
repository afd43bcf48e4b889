"""Sigmoids and softplus: their spellings, and differences of them."""

from __future__ import annotations

from itertools import permutations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Exp, Log, Sigmoid, Where
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    inverse,
    is_constant,
    is_number,
    minus,
    negated,
    opposite,
    peel,
    quotients,
    same,
    terms,
    without,
)


def logistic(power: sp.Expr, known: Known) -> sp.Expr | None:
    """``1/(1 + exp(x))``, and what is left of a higher power."""
    found = terms(power.base)
    if not (power.exp.is_Integer and power.exp < 0 and len(found) == 2 and ONE in found):
        return None
    other = next((t for t in found if t is not ONE), None)
    return Sigmoid(-other.arg) ** -power.exp if isinstance(other, Exp) else None


def difference_of_sigmoids(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``2*sigmoid(x) - 1`` and ``sigmoid(x) - sigmoid(-x)``, times anything: tanh of x/2."""
    for first, second in permutations(add.args, 2) if len(add.args) < 5 else ():
        rest = without(add.args, first, second)
        for inner in _sigmoids(first):
            scale = first / inner
            number = scale.is_number and is_number(second, float(-scale / 2))
            if number or same(scale, -2 * second):
                return sp.Add(*rest, scale / 2 * nd.Tanh(inner.arg / 2))
            for other in _sigmoids(second):
                if opposite(other.arg, inner.arg) and same(scale, minus(second / other)):
                    return sp.Add(*rest, scale * nd.Tanh(inner.arg / 2))
    return None


def _sigmoids(term: sp.Expr) -> list[sp.Expr]:
    """The sigmoids that are factors of a term."""
    factors = term.args if isinstance(term, sp.Mul) else (term,)
    bases = (f.base if isinstance(f, sp.Pow) and f.exp.is_Integer else f for f in factors)
    return [b for b in bases if isinstance(b, Sigmoid)]


def sigmoid_of_logit(sigmoid: sp.Expr, known: Known) -> sp.Expr | None:
    odds = _logit_of(peel(sigmoid.arg))
    if odds is None or is_constant(odds):
        return None
    known.within(0, 1, odds)
    return odds


def _logit_of(expr: sp.Expr) -> sp.Expr | None:
    """``p`` for ``log(p/(1 - p))`` and ``log(p) - log(1 - p)``."""
    if isinstance(expr, nd.LogRatio):
        top, below = expr.args
        return top if same(below, 1 - top) else None
    if isinstance(expr, Log):
        inner = peel(expr.arg)
        if isinstance(inner, sp.Mul) and len(inner.args) == 2:
            for top, other in (inner.args, inner.args[::-1]):
                below = inverse(other)
                if below is not None and same(below, 1 - top):
                    return top
        return None
    found = terms(expr)
    logs = [t.arg for t in found if isinstance(t, Log)]
    if len(found) != 2 or len(logs) != 1:
        return None
    under = next((peel(u) for t in found if (u := negated(t)) is not None), None)
    rest = minus(under.arg) if isinstance(under, nd.Log1p) else None
    return logs[0] if rest is not None and same(rest, logs[0]) else None


def sigmoid_over_complement(mul: sp.Expr, known: Known) -> sp.Expr | None:
    for top, bottom, rest in quotients(mul):
        both = isinstance(top, Sigmoid) and isinstance(bottom, Sigmoid)
        if both and opposite(bottom.arg, top.arg):
            return sp.Mul(*rest, Exp(top.arg))
    return None


def _softplus(term: sp.Expr) -> tuple[int, sp.Expr] | None:
    """The sign and the argument of a term that is plus or minus a softplus."""
    number, rest = term.as_coeff_Mul()
    inner = peel(rest)
    if abs(number) != 1:
        return None
    if isinstance(inner, nd.Softplus):
        return int(number), inner.arg
    return (-int(number), minus(inner.arg)) if isinstance(inner, nd.LogSigmoid) else None


def softplus_and_its_argument(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``x + softplus(-x)``, ``softplus(x) - x`` and ``max(x, 0) + softplus(-abs(x))``."""
    for term in add.args:
        found = _softplus(term)
        if found is None:
            continue
        sign, argument = found
        for other in without(add.args, term):
            rest = without(add.args, term, other)
            shift = peel(other) if sign == 1 else peel(minus(other))
            if opposite(shift, argument) and not is_constant(shift):
                return sp.Add(*rest, sign * nd.Softplus(minus(argument)))
            size = negated(argument)
            if isinstance(shift, nd.Max) and not isinstance(shift, nd.Min) and size is not None:
                inner = peel(size)
                positive = next((a for a in shift.args[:2] if a != 0), None)
                if isinstance(inner, nd.Abs) and positive is not None and 0 in shift.args[:2]:
                    inside = same(inner.arg, positive) or opposite(inner.arg, positive)
                    return sp.Add(*rest, sign * nd.Softplus(positive)) if inside else None
    return None


def difference_of_log_sigmoids(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``a*log_sigmoid(x) - a*log_sigmoid(-x)``, in softplus too, and under an option's branch."""
    found = [(t, *s) for t in add.args if (s := _times_softplus(t)) is not None]
    for k, (first, scale, argument) in enumerate(found):
        for second, other, opposed in found[k + 1 :]:
            if opposite(argument, opposed) and opposite(scale, other) and not is_constant(argument):
                return sp.Add(*without(add.args, first, second), scale * argument)
    for term in add.args if found else ():
        factors = sp.Mul.make_args(term)
        option = next((f for f in factors if isinstance(f, Where)), None)
        if option is None or not nd.is_static(option.args[0]):
            continue
        branches = [sp.Mul(*without(factors, option), b) for b in option.args[1:]]
        sums = [sp.Add(b, *without(add.args, term)) for b in branches]
        done = [difference_of_log_sigmoids(x, known) for x in sums if isinstance(x, sp.Add)]
        if any(x is not None for x in done):
            return Where(option.args[0], *(x or y for x, y in zip(done, sums, strict=True)))
    return None


def _times_softplus(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """``a`` and ``x`` for ``a*softplus(x)``."""
    factors = sp.Mul.make_args(term)
    for factor in factors:
        inner, rest = peel(factor), sp.Mul(*without(factors, factor))
        if isinstance(inner, nd.Softplus):
            return rest, inner.arg
        if isinstance(inner, nd.LogSigmoid):
            return minus(rest), minus(inner.arg)
    return None


def softplus_less_share(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``softplus(x) - t*x``: cross-entropy with a soft label t, which cancels where t is 1."""
    for term in add.args:
        found = _softplus(term)
        if found is None:
            continue
        sign, argument = found
        for other in without(add.args, term):
            product = other if sign == -1 else minus(other)
            factors = product.args if isinstance(product, sp.Mul) else ()
            shared = next((f for f in factors if same(f, argument)), None)
            if shared is None:
                continue
            share = sp.Mul(*without(factors, shared))
            if share.is_number:
                continue
            known.within(0, 1, share)
            both = (1 - share) * nd.Softplus(argument) + share * nd.Softplus(minus(argument))
            return sp.Add(*without(add.args, term, other), sign * both)
    return None
