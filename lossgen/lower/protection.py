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
from lossgen.nodes import ONE, ZERO, Let, Letter, Read, Where, is_scalar, rebuild, substitute
from lossgen.stabilize import Known


def protect(expr: sp.Expr, condition: sp.Expr, holds: bool, known: Known | None = None) -> sp.Expr:
    """Make safe what only a condition protects.

    Where the condition fails, a gather reads index 0, and a partial function a value inside its
    domain.

    Args:
        expr: one branch.
        condition: what chooses between the branches.
        holds: whether this branch is taken where the condition holds.
        known: what is known of the values; without it, nothing.
    """
    if not expr.args or isinstance(expr, (Let, nd.Compare)):
        return expr
    known = known or Known()

    def safe(x: sp.Expr, instead: sp.Expr) -> sp.Expr:
        guarded = any(_is_guarded(part, condition) for part in (x, *x.args))
        if guarded or is_scalar(x):
            return x
        return Where(condition, x, instead) if holds else Where(condition, instead, x)

    if isinstance(expr, Read):
        return Read(
            expr.args[0],
            *[
                x if shifted_letter(x) is not None or _is_guarded(x, condition) else safe(x, ZERO)
                for x in expr.subscripts
            ],
        )
    children = [protect(a, condition, holds, known) for a in expr.args]
    if isinstance(expr, nd.Along) and not isinstance(expr.position, Letter):
        children[expr.args.index(expr.position)] = safe(expr.position, ZERO)
    if _is_total(expr, known):
        return rebuild(expr, children)
    if isinstance(expr, (nd.Log, nd.Sqrt, nd.Lgamma)):
        return expr.func(safe(children[0], ONE))
    if isinstance(expr, nd.Xlogy):
        return nd.Xlogy(*(safe(a, ONE) for a in children))
    if isinstance(expr, (nd.RelEntropy, nd.LogRatio)):
        return expr.func(*(safe(a, ONE) for a in children))
    if isinstance(expr, nd.Log1mExp):
        return nd.Log1mExp(safe(children[0], -ONE))
    if isinstance(expr, nd.Pow1pM1):
        return nd.Pow1pM1(safe(children[0], ZERO), children[1])
    if isinstance(expr, (nd.Log1p, nd.Acos)):
        return expr.func(safe(children[0], ZERO))
    if isinstance(expr, sp.Pow) and not (expr.exp.is_Integer and expr.exp > 0):
        return sp.Pow(safe(children[0], ONE), children[1])
    return rebuild(expr, children)


def _is_total(expr: sp.Expr, known: Known) -> bool:
    """Whether value and slope of a partial function are known to be finite."""
    if isinstance(expr, nd.Log1p):
        return known.of(expr.arg).nonnegative
    if isinstance(expr, (nd.Log, nd.Sqrt)):
        return known.of(expr.arg).low > 0
    if isinstance(expr, sp.Pow) and expr.exp == -1:
        return known.of(expr.base).size().low > 0
    return False


def _is_guarded(place: sp.Expr, condition: sp.Expr) -> bool:
    """Whether a gathered position is already made safe by the same condition."""
    body = place.body if isinstance(place, Let) else place
    if not isinstance(body, Where):
        return False
    if isinstance(place, Let):
        body = substitute(body, dict(zip(place.params, place.at, strict=True)))
    return bool(body.args[0] == condition)
