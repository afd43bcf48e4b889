"""Makes safe what only the mask of a sum protects, through the author's names.

    ratio = exp(x - y); Sum(ratio, where=kept)   →   ratio = exp(where(kept, x - y, 0))

The sum leaves out an infinite ratio, but its slope would be the 0 of the mask times infinity; so it
is with a logarithm of 0, and at a label that is none there is nothing to read. What cannot overflow
or be undefined stays as it is. A named argument is made safe wherever the sum reads it, so that
slopes that cancel beside an exponential, as those of ``exp(x) - x`` do, still meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import sympy as sp

from lossgen import nodes as nd
from lossgen.lower.protection import is_guarded, weak_arguments
from lossgen.nodes import TRUE, ZERO, Let, Where, free_letters, is_static, rebuild
from lossgen.stabilize import Known

_CLOSED = (nd.Reduce, nd.Along, nd.Compare, nd.Read)


def mask_inward(body: sp.Expr, mask: sp.Expr, known: Known) -> sp.Expr:
    """The body of a sum, its exponentials finite where the mask fails.

    Args:
        body: what is summed or averaged.
        mask: a condition on the elements, or ``TRUE``.
        known: what is known of the values.
    """
    if mask is TRUE or is_static(mask):
        return body
    found = {
        x: _safe(x, mask, instead)
        for x, instead, letters in _arguments(body, known)
        if free_letters(mask) <= letters and not is_guarded(x, mask)
    }
    return _replaced(body, found)


def _safe(argument: sp.Expr, mask: sp.Expr, instead: sp.Expr) -> sp.Expr:
    has_all = free_letters(mask) <= free_letters(argument)
    if isinstance(argument, Let) and argument.params == argument.at and has_all:
        inner = Where(mask, argument.body, instead)
        return Let(argument.args[0], argument.params, inner, argument.at)
    return Where(mask, argument, instead)


def _arguments(
    expr: sp.Expr, known: Known, *, still: bool = False
) -> Iterator[tuple[sp.Expr, sp.Expr, frozenset[nd.Letter]]]:
    """What may be out of a function's range, or no place to read at; and what is in it.

    With it the letters of the function, which is no larger for a mask of these: the total of a row
    is made safe beside the elements that are held against it.
    What is held constant (``still``) has no slope that could be infinite.
    """
    if isinstance(expr, Let):
        yield from _arguments(expr.body, known, still=still) if expr.params == expr.at else ()
        return
    still = still or isinstance(expr, nd.StopGradient)
    if not isinstance(expr, _CLOSED):
        for part in expr.args:
            yield from _arguments(part, known, still=still)
        if isinstance(expr, (nd.Exp, nd.Expm1)) and known.of(expr.arg).high == math.inf:
            yield from () if still else ((expr.arg, ZERO, free_letters(expr)),)
    if not isinstance(expr, (nd.Read, nd.Along)) and (still or _is_finite(expr, known)):
        return
    for place, instead in weak_arguments(expr, known).items():
        yield expr.args[place], instead, free_letters(expr)


def _is_finite(expr: sp.Expr, known: Known) -> bool:
    """Whether an expression is a power of finite value; its slope at 0 is finite in any case."""
    power = isinstance(expr, sp.Pow) and known.of(expr.exp).nonnegative
    return power and known.of(expr.base).nonnegative


def _replaced(expr: sp.Expr, safe: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    if expr in safe:
        return safe[expr]
    if isinstance(expr, Let):
        if expr.params != expr.at:
            return expr
        # A part that has fewer letters than the mask stays as it is.
        inside = {x: y for x, y in safe.items() if free_letters(y) <= {*expr.params}}
        return Let(expr.args[0], expr.params, _replaced(expr.body, inside), expr.at)
    if isinstance(expr, (nd.Read, nd.Along)):
        return rebuild(expr, [safe.get(a, a) for a in expr.args]) if safe else expr
    if isinstance(expr, _CLOSED) or not expr.args:
        return expr
    return rebuild(expr, [_replaced(a, safe) for a in expr.args])
