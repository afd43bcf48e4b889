"""Exponentials, and quotients of them, that overflow or cancel as written."""

from __future__ import annotations

from itertools import permutations

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import ONE, TRUE, Along, Exp, Log, Reduce, Sigmoid, free_letters, substitute
from lossgen.stabilize.known import Known
from lossgen.stabilize.masks import summed
from lossgen.stabilize.matching import (
    inverse,
    is_constant,
    minus,
    negated,
    opposite,
    peel,
    quotients,
    same,
    strip,
    terms,
    without,
)


def exp_of_stable_log(exp: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(exp.arg)
    if isinstance(inner, Along) and inner.op == "log_softmax":
        # At a label it is a difference that has been computed; exp keeps the author's name for it.
        if shifted_letter(inner.position) is None:
            return None
        return Along("softmax", inner.body, inner.letter, inner.position)
    if isinstance(inner, nd.LogSigmoid):
        return Sigmoid(inner.arg)
    under = negated(inner)
    if under is not None and isinstance(peel(under), nd.Softplus):
        return Sigmoid(-peel(under).arg)
    return None


def exp_of_log(exp: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(exp.arg)
    if isinstance(inner, Log):
        known.nonnegative(inner.arg)
        return inner.arg
    if isinstance(inner, sp.Mul):
        for factor in inner.args:
            log = peel(factor)
            rest = sp.Mul(*without(inner.args, factor))
            if isinstance(log, Log) and is_constant(rest):
                known.positive(log.arg)
                return log.arg**rest
    return None


def exp_minus_one(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(x) - 1`` and ``1 - exp(x)``, both also times anything."""
    for term in add.args:
        factors = term.args if isinstance(term, sp.Mul) else (term,)
        for factor in factors:
            inner = peel(factor)
            if not isinstance(inner, Exp):
                continue
            scale = sp.Mul(*without(factors, factor))
            constant = next((a for a in add.args if same(a, minus(scale))), None)
            if constant is not None:
                rest = without(add.args, constant, term)
                return sp.Add(*rest, scale * nd.Expm1(inner.arg))
    return None


def exp_minus_exp(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(x) - exp(-x)``, which cancels near 0."""
    for term in add.args:
        first = peel(term)
        if not isinstance(first, Exp):
            continue
        for other in add.args:
            under = negated(other)
            if under is not None and isinstance(peel(under), Exp):
                second = peel(under)
                if opposite(first.arg, second.arg):
                    rest = without(add.args, term, other)
                    return sp.Add(*rest, nd.Expm1(first.arg), -nd.Expm1(second.arg))
    return None


def product_of_exps(mul: sp.Expr, known: Known) -> sp.Expr | None:
    found = [f for f in mul.args if _exponent(f) is not None]
    if len(found) < 2 or is_constant(sp.Mul(*found)):
        return None
    exponents = [_exponent(f) for f in found]
    ranges = [known.of(x) for x in exponents]
    simpler = sp.Add(*map(strip, exponents))
    if not isinstance(simpler, sp.Add) or len(simpler.args) < len(exponents):
        pass  # the exponents cancel
    elif all(r.nonpositive for r in ranges) or all(r.nonnegative for r in ranges):
        # No factor leaves the range before the product does, and each is exact to rounding.
        return None
    return sp.Mul(*without(mul.args, *found), Exp(sp.Add(*exponents)))


def _exponent(factor: sp.Expr) -> sp.Expr | None:
    """``u`` for a factor ``exp(u)``, ``-u`` for ``1/exp(u)``."""
    factor = peel(factor)
    if isinstance(factor, Exp):
        return factor.arg
    below = inverse(factor)
    if below is not None and isinstance(peel(below), Exp):
        return minus(peel(below).arg)
    return None


def power_of_exp(power: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(x)**p``; a square or a cube leaves the range where ``exp(2*x)`` does, and stays."""
    inner = peel(power.base)
    if power.exp.is_Integer and power.exp > 0:
        return None
    if isinstance(inner, Exp) and is_constant(power.exp):
        return Exp(minus(inner.arg) if power.exp == -1 else power.exp * inner.arg)
    return None


def exp_over_sum(mul: sp.Expr, known: Known) -> sp.Expr | None:
    for top, bottom, rest in quotients(mul):
        over_all = isinstance(bottom, Reduce) and bottom.op == "sum" and bottom.where is TRUE
        if not (isinstance(top, Exp) and over_all and len(bottom.bound) == 1):
            continue
        for letter in sorted(free_letters(top) - free_letters(bottom), key=str):
            if same(substitute(bottom.body, {bottom.bound[0]: letter}), top):
                return sp.Mul(*rest, Along("softmax", top.arg, letter, letter))
    return None


def exp_over_masked_sum(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """A softmax over what a mask leaves, and 0 where that is nothing."""
    for top, bottom, rest in quotients(mul):
        if not isinstance(bottom, Reduce) or bottom.op != "sum" or len(bottom.bound) != 1:
            continue
        body, where = summed(bottom)
        condition, exp, no = top.args if isinstance(top, nd.Where) else (TRUE, top, sp.S.Zero)
        exp, body = peel(exp), peel(body)
        both = isinstance(exp, Exp) and isinstance(body, Exp)
        if where is TRUE or no != 0 or not both:
            continue
        lse = Reduce("logsumexp", body.arg, where, sp.nan, bottom.bound)
        for letter in sorted(free_letters(exp) - free_letters(bottom), key=str):
            place = {bottom.bound[0]: letter}
            if not same(substitute(body, place), exp):
                continue
            if condition is TRUE:
                return sp.Mul(*rest, Exp(exp.arg - lse))
            if same(condition, substitute(where, place)):
                some = nd.Where(nd.Compare(">", lse, -sp.oo), lse, 0)
                return sp.Mul(*rest, Exp(nd.Where(condition, exp.arg, -sp.oo) - some))
    return None


def exp_over_two_terms(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(a)/(exp(a) + exp(b))`` and ``exp(a)/(c + exp(a))``; a higher power keeps the rest."""
    for factor in mul.args:
        top = peel(factor)
        if not isinstance(top, Exp):
            continue
        for other in mul.args:
            if not (isinstance(other, sp.Pow) and other.exp.is_Integer and other.exp < 0):
                continue
            pair = terms(other.base)
            found = next((t for t in pair if same(t, top)), None)
            if len(pair) != 2 or found is None:
                continue
            (second,) = without(pair, found) or (found,)
            if isinstance(second, Exp):
                gap = top.arg - second.arg
            elif is_constant(second):
                known.positive(second)
                gap = top.arg - Log(second)
            else:
                continue
            rest = without(mul.args, factor, other)
            return sp.Mul(*rest, Sigmoid(gap), sp.Pow(other.base, other.exp + 1))
    return None


def exp_times_sigmoid(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(x)*sigmoid(-x)``, and what is left of a power of the sigmoid."""
    for factor in mul.args:
        top = peel(factor)
        for other in mul.args if isinstance(top, Exp) else ():
            second, power = (other.base, other.exp) if isinstance(other, sp.Pow) else (other, ONE)
            inner = peel(second)
            whole = power.is_Integer and power > 0
            if whole and isinstance(inner, Sigmoid) and opposite(inner.arg, top.arg):
                rest = without(mul.args, factor, other)
                return sp.Mul(*rest, Sigmoid(top.arg), second ** (power - 1))
    return None


def tanh_spelled(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``(exp(x) - exp(-x))/(exp(x) + exp(-x))``; ``expm1(x)*sigmoid(-x)``, which is tanh(x/2)."""
    for top, bottom, rest in quotients(mul):
        if (argument := _odd_over_even(top, terms(bottom))) is not None:
            return sp.Mul(*rest, nd.Tanh(argument))
    for first, second in permutations(mul.args, 2):
        top, other = peel(first), peel(second)
        if (
            isinstance(top, nd.Expm1)
            and isinstance(other, Sigmoid)
            and opposite(top.arg, other.arg)
        ):
            return sp.Mul(*without(mul.args, first, second), nd.Tanh(top.arg / 2))
    return None


def _odd_over_even(top: sp.Expr, even: tuple[sp.Expr, ...]) -> sp.Expr | None:
    odd = terms(top)
    if len(odd) != 2 or len(even) != 2 or not all(isinstance(t, Exp) for t in even):
        return None
    a, b = (t.arg for t in even)
    if not opposite(a, b):
        return None
    for kind in (Exp, nd.Expm1):
        for x, y in ((a, b), (b, a)):
            wanted = {strip(kind(x)), strip(-kind(y))}
            if wanted == set(map(strip, odd)):
                return x
    return None
