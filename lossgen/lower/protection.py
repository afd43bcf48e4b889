"""Makes safe what only a condition protects.

    where(kept, log_prob[label], 0)     reads index 0, not label, where ``kept`` fails

Both branches are computed everywhere, and the one not taken must give neither an index error nor a
NaN gradient. What is known to lie where value and slope are finite needs no protection:
``where(error < width, log1p(error), …)`` with an error of at least 0 stays as it is.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import ONE, TRUE, ZERO, Let, Letter, Read, Where, is_scalar, rebuild, substitute
from lossgen.stabilize import Known


def protect(
    expr: sp.Expr,
    condition: sp.Expr,
    holds: bool,
    known: Known | None = None,
    *,
    places: bool = True,
) -> sp.Expr:
    """Make safe what only a condition protects.

    Where the condition fails, a gather reads index 0, and a partial function a value inside its
    domain.

    Args:
        expr: one branch.
        condition: what chooses between the branches.
        holds: whether this branch is taken where the condition holds.
        known: what is known of the values; without it, nothing.
        places: whether positions are made safe, too.
    """
    if not expr.args or isinstance(expr, (Let, nd.Compare)):
        return expr
    if isinstance(expr, Read) and not places:
        return expr
    known = known or Known()

    def safe(x: sp.Expr, instead: sp.Expr) -> sp.Expr:
        # A choice inside a reduction guards what is reduced, not the result.
        parts = () if isinstance(x, nd.Reduce) else x.args
        guarded = any(is_guarded(part, condition) for part in (x, *parts))
        if guarded or is_scalar(x):
            return x
        return Where(condition, x, instead) if holds else Where(condition, instead, x)

    some = isinstance(expr, nd.Reduce) and expr.op == "mean" and expr.where is not TRUE
    if some and expr.empty is sp.nan:  # a quotient, whose divisor may be 0
        total = nd.Reduce("sum", expr.body, expr.where, sp.nan, expr.bound)
        count = nd.Reduce("count", expr.where, TRUE, sp.nan, expr.bound)
        return protect(total, condition, holds, known) / safe(count, ONE)
    children = [
        a if isinstance(expr, Read) else protect(a, condition, holds, known, places=places)
        for a in expr.args
    ]
    gathers = isinstance(expr, (Read, nd.Along))
    if not (gathers and all(map(_says_where, nd.conjuncts(condition)))):
        for place, instead in weak_arguments(expr, known).items():
            children[place] = safe(children[place], instead)
    return rebuild(expr, children)


def _says_where(condition: sp.Basic) -> bool:
    """Whether a condition compares a letter: it says which place that is, not which there are."""
    sides = condition.args[1:] if isinstance(condition, nd.Compare) else ()
    return any(isinstance(x, Letter) for x in sides)


def weak_arguments(expr: sp.Expr, known: Known) -> dict[int, sp.Expr]:
    """Arguments at which a node may have no value or slope, and a value at which it has both."""
    if isinstance(expr, Read):
        places = enumerate(expr.args[1:], 1)
        return {k: ZERO for k, x in places if shifted_letter(x) is None}
    if isinstance(expr, nd.Along):
        gathered = not isinstance(expr.position, Letter)
        return {expr.args.index(expr.position): ZERO} if gathered else {}
    if _is_total(expr, known):
        return {}
    if isinstance(expr, (nd.Log, nd.Sqrt, nd.Lgamma)):
        return {0: ONE}
    if isinstance(expr, (nd.Xlogy, nd.RelEntropy, nd.LogRatio)):
        return {0: ONE, 1: ONE}
    if isinstance(expr, nd.Log1mExp):
        return {0: -ONE}
    if isinstance(expr, (nd.Log1p, nd.Acos, nd.Pow1pM1)):
        return {0: ZERO}
    if isinstance(expr, sp.Pow) and not (expr.exp.is_Integer and expr.exp > 0):
        return {0: ONE}
    return {}


def _is_total(expr: sp.Expr, known: Known) -> bool:
    """Whether value and slope of a partial function are known to be finite."""
    if isinstance(expr, nd.Log1p):
        return known.of(expr.arg).nonnegative
    if isinstance(expr, (nd.Log, nd.Sqrt)):
        return known.of(expr.arg).low > 0
    if isinstance(expr, sp.Pow) and expr.exp == -1:
        return known.of(expr.base).size().low > 0
    return False


def is_guarded(place: sp.Expr, condition: sp.Expr) -> bool:
    """Whether a gathered position is already made safe by the same condition."""
    body = place.body if isinstance(place, Let) else place
    if not isinstance(body, Where):
        return False
    if isinstance(place, Let):
        body = substitute(body, dict(zip(place.params, place.at, strict=True)))
    return bool(body.args[0] == condition)
