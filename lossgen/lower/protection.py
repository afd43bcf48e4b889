"""Makes safe what only a condition protects.

    where(kept, log_prob[label], 0)     reads index 0, not label, where ``kept`` fails

Both branches are computed everywhere, and the one not taken must give neither an index error nor a
NaN gradient.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import ONE, ZERO, Let, Read, Where, is_scalar, rebuild, substitute


def protect(expr: sp.Expr, condition: sp.Expr, holds: bool) -> sp.Expr:
    """Make safe what only a condition protects.

    Where the condition fails, a gather reads index 0, and a partial function a value inside its
    domain.

    Args:
        expr: one branch.
        condition: what chooses between the branches.
        holds: whether this branch is taken where the condition holds.
    """
    if not expr.args or isinstance(expr, (Let, nd.Compare)):
        return expr

    def safe(x: sp.Expr, instead: sp.Expr) -> sp.Expr:
        known = any(_is_guarded(part, condition) for part in (x, *x.args))
        if known or is_scalar(x):
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
    children = [protect(a, condition, holds) for a in expr.args]
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


def _is_guarded(place: sp.Expr, condition: sp.Expr) -> bool:
    """Whether a gathered position is already made safe by the same condition."""
    body = place.body if isinstance(place, Let) else place
    if not isinstance(body, Where):
        return False
    if isinstance(place, Let):
        body = substitute(body, dict(zip(place.params, place.at, strict=True)))
    return bool(body.args[0] == condition)
