"""Sums and products of slopes, in which what a condition leaves out meets no infinity.

In: slopes, and the conditions under which they count.  Out: one expression, which says the same.

    where(c, g, 0)  times  1/x    →   where(c, g/x, 0)

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ZERO, Compare, Read, Where


def total(terms: Iterable[sp.Expr]) -> sp.Expr:
    """The sum of terms, those under one condition under one ``Where``."""
    plain: list[sp.Expr] = []
    branches: dict[sp.Expr, list[tuple[sp.Expr, sp.Expr]]] = {}
    for term in _as_choices(terms):
        if isinstance(term, Where):
            branches.setdefault(term.args[0], []).append((term.args[1], term.args[2]))
        else:
            plain.append(term)
    for condition, pairs in branches.items():
        plain.append(Where(condition, total(p[0] for p in pairs), total(p[1] for p in pairs)))
    return sp.Add(*plain)


def _as_choices(terms: Iterable[sp.Expr]) -> list[sp.Expr]:
    """The terms, two that are masks times something as the one choice that they are.

    ``where(c, g, 0)*a`` and ``where(c, 0, g)*b`` are ``where(c, g*a, g*b)``, in which an infinite
    ``a`` meets no 0.
    """
    done: list[sp.Expr] = []
    for term in terms:
        mine = _as_mask(term)
        for k, other in enumerate(done if mine else ()):
            theirs = _as_mask(other)
            if mine and theirs and mine.args[0] == theirs.args[0]:
                (_, a, b), (_, c, d) = mine.args, theirs.args
                if (a, d) == (0, 0) or (b, c) == (0, 0):
                    done[k] = Where(mine.args[0], a + c, b + d)
                    break
        else:
            done.append(term)
    return done


def _as_mask(term: sp.Expr) -> Where | None:
    """``where(c, g*a, 0)`` for ``where(c, g, 0)*a``."""
    masks = [
        f
        for f in sp.Mul.make_args(term)
        if isinstance(f, Where) and 0 in f.args[1:] and not nd.is_static(f.args[0])
    ]
    if len(masks) != 1:
        return None
    condition, yes, no = masks[0].args
    rest = sp.Mul(*(f for f in sp.Mul.make_args(term) if f is not masks[0]))
    return Where(condition, yes * rest, no * rest)


def times(seed: sp.Expr, factor: sp.Expr) -> sp.Expr:
    """``seed * factor``, the factor kept out of where the seed is 0 if it may be infinite there."""
    if seed == 0 or factor == 0:
        return ZERO
    if isinstance(seed, Where) and nd.is_static(seed.args[0]):
        # Static conditions stay outermost: what only one of their branches reads is computed there.
        condition, yes, no = seed.args
        return Where(condition, times(yes, factor), times(no, factor))
    if isinstance(factor, nd.Fitted) and factor.args[0] == 1:
        return nd.Fitted(seed, factor.args[1])
    number, rest = factor.as_coeff_Mul()
    if number != 1 and isinstance(rest, Where):
        # The number outside, so that what differs by a sign is the same expression.
        return number * times(seed, rest)
    if isinstance(factor, Where) and (0 in factor.args[1:] or _simple(seed)):
        condition, yes, no = factor.args
        return Where(condition, times(seed, yes), times(seed, no))
    if (
        isinstance(seed, Where)
        and factor != 1
        and 0 in seed.args[1:]
        and not (_at_kink(seed) and _tame(factor))
    ):
        condition, yes, no = seed.args
        return Where(condition, times(yes, factor), times(no, factor))
    return seed * factor


def _at_kink(seed: Where) -> bool:
    """Whether the condition only picks a side of a kink, rather than leaving elements out.

    A NaN then reaches the gradient through the other factors, as in torch; an element that is left
    out must not, whatever its values.
    """
    condition = seed.args[0]
    parts = condition.args if isinstance(condition, nd.Junction) else (condition,)
    return all(isinstance(p, Compare) and p.op not in ("==", "!=") for p in parts)


_TAME = (
    sp.Add,
    sp.Mul,
    Read,
    nd.Sign,
    nd.Abs,
    nd.Sigmoid,
    nd.Tanh,
    nd.Max,
    nd.Clip,
    nd.Step,
    sp.Symbol,
    nd.Size,
)


def _tame(expr: sp.Expr) -> bool:
    """Whether an expression is finite wherever what it reads is: then inf * 0 cannot arise."""
    if isinstance(expr, Read) or expr.is_number:
        return True
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_Integer and expr.exp > 0) and _tame(expr.base)
    return isinstance(expr, _TAME) and all(_tame(a) for a in expr.args if isinstance(a, sp.Expr))


def _simple(expr: sp.Expr) -> bool:
    """Whether an expression can be repeated in both branches of a ``Where``."""
    return nd.is_scalar(expr) or isinstance(expr, Read) or expr.is_number


def masked(condition: sp.Expr, seed: sp.Expr) -> sp.Expr:
    """``seed`` where a condition holds, else 0; an outer ``Where`` of the seed stays outermost."""
    if (
        isinstance(seed, Where)
        and seed.args[0] != condition
        and (0 in seed.args[1:] or nd.is_static(seed.args[0]))
    ):
        outer, yes, no = seed.args
        return Where(outer, masked(condition, yes), masked(condition, no))
    return Where(condition, seed, 0) if seed != 0 else ZERO
