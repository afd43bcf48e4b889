"""Makes safe what only the mask of a sum protects, through the author's names.

    ratio = exp(x - y); Sum(ratio, where=kept)   →   ratio = exp(where(kept, x - y, 0))

The sum leaves out an infinite ratio, but its slope would be the 0 of the mask times infinity. What
cannot overflow stays as it is. A named argument is made safe wherever the sum reads it, so that
slopes that cancel beside an exponential, as those of ``exp(x) - x`` do, still meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, ZERO, Let, Where, free_letters, is_static, rebuild
from lossgen.stabilize import Known

_CLOSED = (nd.Reduce, nd.Along, nd.Compare, nd.Read, nd.StopGradient)


def mask_inward(body: sp.Expr, mask: sp.Expr, known: Known) -> sp.Expr:
    """The body of a sum, its exponentials finite where the mask fails.

    Args:
        body: what is summed.
        mask: a condition on the elements, or ``TRUE``.
        known: what is known of the values.
    """
    if mask is TRUE or is_static(mask):
        return body
    found = (x for x in _arguments(body, known) if free_letters(mask) <= free_letters(x))
    return _replaced(body, {x: _safe(x, mask) for x in found})


def _safe(argument: sp.Expr, mask: sp.Expr) -> sp.Expr:
    if isinstance(argument, Let) and argument.params == argument.at:
        inner = Where(mask, argument.body, ZERO)
        return Let(argument.args[0], argument.params, inner, argument.at)
    return Where(mask, argument, ZERO)


def _arguments(expr: sp.Expr, known: Known) -> Iterator[sp.Expr]:
    """The arguments of exponentials that may overflow."""
    if isinstance(expr, Let):
        yield from _arguments(expr.body, known) if expr.params == expr.at else ()
    elif not isinstance(expr, _CLOSED):
        for part in expr.args:
            yield from _arguments(part, known)
        if isinstance(expr, (nd.Exp, nd.Expm1)) and known.of(expr.arg).high == math.inf:
            yield expr.arg


def _replaced(expr: sp.Expr, safe: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    if expr in safe:
        return safe[expr]
    if isinstance(expr, Let):
        if expr.params != expr.at:
            return expr
        return Let(expr.args[0], expr.params, _replaced(expr.body, safe), expr.at)
    if isinstance(expr, _CLOSED) or not expr.args:
        return expr
    return rebuild(expr, [_replaced(a, safe) for a in expr.args])
