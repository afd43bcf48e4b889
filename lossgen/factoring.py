"""Common factors of sums, taken out: each saves a pass over the elements.

In: an elementwise body.  Out: an equal one with fewer products.

    d_p[e]*p[e]*q[e] - d_q[e]*p[e]*q[e]  →  (d_p[e] - d_q[e])*p[e]*q[e]

A factor leaves a branch that elements choose only if it was outside before: what is not taken may
be infinite, and must not meet a 0.  It passes branches on options.

A choice within a choice is one: ``where(a, where(b, x, 0), 0)`` is ``where(a and b, x, 0)``.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import sympy as sp

from lossgen.keep import cost
from lossgen.nodes import And, Read, Where, free_letters, is_scalar, is_static, rebuild


@cache
def factored(expr: sp.Expr) -> sp.Expr:
    """The expression, common factors taken out of each of its sums."""
    if isinstance(expr, Read) or not expr.args:
        return expr
    expr = rebuild(expr, [factored(a) for a in expr.args])
    if isinstance(expr, Where) and all(_is_negative(a) for a in expr.args[1:]):
        # The sign outside, so that what differs by it is the same expression.
        condition, yes, no = expr.args
        return -Where(condition, -yes, -no)
    if isinstance(expr, Where) and not is_static(expr.args[0]):
        return _choice(expr)
    if isinstance(expr, sp.Add) and is_scalar(expr):
        # Numbers are collected: alpha - (1 - alpha) is 2*alpha - 1.
        return sp.expand_mul(expr)
    return _sum(expr) if isinstance(expr, sp.Add) else expr


def _choice(expr: Where) -> sp.Expr:
    """What both branches are multiplied by, outside: no branch that is 0 has a factor."""
    expr = _joined(expr)
    condition, yes, no = expr.args
    common = sorted(factors(yes) & factors(no), key=str)
    if not common:
        return expr
    for factor in common:
        yes, no = _without(yes, factor), _without(no, factor)
    return sp.Mul(*common, Where(condition, yes, no))


def _joined(expr: Where) -> Where:
    """``where(a, -where(b, x, 0), 0)`` as ``where(a and b, -x, 0)``."""
    condition, yes, no = expr.args
    sign, inner = yes.as_coeff_Mul()
    if no != 0 or abs(sign) != 1 or not isinstance(inner, Where) or is_static(inner.args[0]):
        return expr
    also, value, other = inner.args
    if other != 0 or free_letters(also) != free_letters(condition):
        return expr
    return Where(And(condition, also), sign * value, 0)


def _is_negative(expr: sp.Expr) -> bool:
    """Whether a minus stands in front."""
    number = expr.args[0] if isinstance(expr, sp.Mul) else sp.S.One
    return bool(number.is_Number and number.is_negative)


def _sum(expr: sp.Add) -> sp.Expr:
    expr = sp.Add(*map(_subtracted, expr.args))
    counts: Counter[sp.Expr] = Counter()
    for term in expr.args:
        counts.update(factors(term))
    repeated = [f for f, count in counts.items() if count > 1]
    if not repeated:
        return expr
    best = max(repeated, key=lambda f: (counts[f], len(free_letters(f)), cost(f), str(f)))
    inside = [t for t in expr.args if best in factors(t)]
    rest = [t for t in expr.args if t not in inside]
    product = best * factored(sp.Add(*(_without(t, best) for t in inside)))
    return factored(sp.Add(product, *rest)) if rest else product


def _subtracted(term: sp.Expr) -> sp.Expr:
    """``where(a, -x, 0)`` as ``-where(a, x, 0)``: a sum subtracts it at no cost."""
    if isinstance(term, Where) and term.args[2] == 0 and _is_negative(term.args[1]):
        return -Where(term.args[0], -term.args[1], 0)
    return term


def factors(term: sp.Expr) -> frozenset[sp.Expr]:
    """The factors of a term, numbers apart."""
    if isinstance(term, Where) and is_static(term.args[0]):
        branches = [factors(a) for a in term.args[1:] if a != 0]
        return frozenset.intersection(*branches) if branches else frozenset()
    parts = term.args if isinstance(term, sp.Mul) else (term,)
    return frozenset(f for f in parts if not f.is_number)


def _without(term: sp.Expr, factor: sp.Expr) -> sp.Expr:
    if isinstance(term, Where) and is_static(term.args[0]):
        condition, yes, no = term.args
        branches = (a if a == 0 else _without(a, factor) for a in (yes, no))
        return Where(condition, *branches)
    if isinstance(term, sp.Mul):
        return sp.Mul(*(f for f in term.args if f != factor))
    return sp.S.One
