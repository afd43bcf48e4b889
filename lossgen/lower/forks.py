"""Reductions that are of another kind under a static condition: one for each truth of it.

    Sum(x[n], m, where=mask[n, m])   →   where(given(mask), Sum(x[n], m, where=mask[n, m]), M*x[n])
    Sum(x[n, c], c, where=flag)      →   where(flag, Sum(x[n, c], c), 0)

As one statement the first would lose its letter ``m`` where no mask is given, and with it the
number of its positions; the second would mask by what is no tensor.
"""

from __future__ import annotations

import sympy as sp

from lossgen.nodes import TRUE, ZERO, Letter, Reduce, Where, free_letters, is_static
from lossgen.static import resolve, switches

_OVER_NOTHING = {"sum": ZERO, "norm": ZERO, "logsumexp": -sp.oo, "amax": -sp.oo, "amin": sp.oo}


def idle(expr: Reduce) -> list[Letter]:
    """The letters of a reduction along which nothing in it varies."""
    inside = free_letters(expr.body) | free_letters(expr.where)
    return [x for x in expr.bound if x not in inside]


def forked(expr: Reduce) -> Where | None:
    """The reduction as a choice by a static condition, where it needs one."""
    if expr.op in ("any", "count"):  # masked by their bodies, which they count in any case
        return None
    if expr.where is not TRUE and is_static(expr.where):
        whole = Reduce(expr.op, expr.body, TRUE, sp.nan, expr.bound)
        return Where(expr.where, whole, _OVER_NOTHING.get(expr.op, expr.empty))
    found = switches([expr.body, expr.where])
    if not any(_odd(x, expr) for x in _resolutions(expr)):
        return None
    told = (c for c in found if any(_odd(_under(expr, c, t), expr) for t in (True, False)))
    condition = next(told, found[0] if found else None)
    if condition is None:
        return None
    return Where(condition, *(_under(expr, condition, truth) for truth in (True, False)))


def _resolutions(expr: Reduce) -> list[Reduce]:
    """What the reduction may be, one for each combination of its static conditions."""
    condition = next(iter(switches([expr.body, expr.where])), None)
    if condition is None:
        return [expr]
    return [x for truth in (True, False) for x in _resolutions(_under(expr, condition, truth))]


def _under(expr: Reduce, condition: sp.Basic, truth: bool) -> Reduce:
    body, where = (resolve(x, {condition: truth}) for x in (expr.body, expr.where))
    return Reduce(expr.op, body, where, expr.empty, expr.bound)


def _odd(resolved: Reduce, expr: Reduce) -> bool:
    """Whether a reduction lacks a letter that it had, or is masked by an option alone."""
    masked = resolved.where is not TRUE and is_static(resolved.where)
    return masked or len(idle(resolved)) > len(idle(expr))
