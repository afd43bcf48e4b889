"""Divergences of two softmaxes, whose terms cancel where the two are neighbours."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Along, Let, Reduce, Rewritten, Where, free_letters
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import negated, peel, same, without


def divergence(total: sp.Expr, known: Known) -> sp.Expr | None:
    """``Sum(p*(log(p) - log(q)))`` of two softmaxes along a letter of the sum.

    Both add up to 1, so that ``p - q`` may be taken off each term; what is left of it is no less
    than 0, and of the second order where the two are near. The difference is ``(p + q)*tanh(d/2)``,
    d that of the logarithms: as small as d, and in range. Its slopes add up to 0.
    """
    if not isinstance(total, Reduce) or total.op != "sum" or total.where is not TRUE:
        return None
    body = _body(total.body, total)
    if body == total.body:
        return None
    return Reduce("sum", body, TRUE, total.empty, total.bound)


def _body(expr: sp.Expr, total: Reduce) -> sp.Expr:
    """A summed expression, its terms, and those that options choose from, rewritten."""
    if isinstance(expr, Let):
        inner = peel(expr)
        body = _body(inner, total)
        return expr if body == inner else Let(expr.name, expr.at, body, expr.at)
    if isinstance(expr, Where) and nd.is_static(expr.args[0]):
        return Where(expr.args[0], *(_body(a, total) for a in expr.args[1:]))
    if isinstance(expr, sp.Add):
        return sp.Add(*(_body(a, total) for a in expr.args))
    return _term(expr, total) if isinstance(expr, sp.Mul) else expr


def _term(mul: sp.Mul, total: Reduce) -> sp.Expr:
    for p in mul.args:
        for difference in without(mul.args, p):
            rest = sp.Mul(*without(mul.args, p, difference))
            found = _logarithms(peel(difference))
            if found is None or not isinstance(peel(p), Along):
                continue
            log_p, log_q = found
            letter = peel(log_p).letter
            if letter not in total.bound or letter in free_letters(rest):
                continue
            if same(p, _softmax(log_p)):
                q = _named(_softmax(log_q), total)
                letters = sorted(free_letters(difference), key=str)
                name = f"log_ratio_{p.name}" if isinstance(p, Let) else "log_ratio"
                d = Let(name, letters, peel(difference), letters)
                form = p * d - (p + q) * nd.Tanh(d / 2)
                return Rewritten(rest * form, mul)
    return mul


def _logarithms(add: sp.Basic) -> tuple[sp.Expr, sp.Expr] | None:
    """``log(p)`` and ``log(q)`` for their difference, logarithms of softmaxes along one letter."""
    if not isinstance(add, sp.Add) or len(add.args) != 2:
        return None
    for first, second in (add.args, add.args[::-1]):
        other = negated(second)
        sides = [first, other]
        if other is None or not all(_is_log_softmax(peel(x)) for x in sides):
            continue
        if peel(first).letter == peel(other).letter:
            return first, other
    return None


def _is_log_softmax(expr: sp.Basic) -> bool:
    return isinstance(expr, Along) and expr.op == "log_softmax" and expr.position == expr.letter


def _softmax(log_prob: sp.Expr) -> Along:
    inner = peel(log_prob)
    return Along("softmax", inner.body, inner.letter, inner.position)


def _named(prob: Along, total: Reduce) -> sp.Expr:
    """A softmax by the name that it has in the sum, if it has one."""
    names = (x for x in nd.walk(total) if isinstance(x, Let) and x.params == x.at)
    return next((x for x in names if peel(x) == prob), prob)
