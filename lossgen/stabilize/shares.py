"""The logarithm of a sum beside that of one of its parts: what the part's share of it is.

    log(exp(x) + exp(y)) - x   →   softplus(y - x)

Where the part is nearly all of the sum, the difference is lost to the rounding of both.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import minus, negated, peel, same, without


def log_sum_less_part(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(exp(x) + exp(y)) - x`` and its opposite."""
    for sign, whole, term in _signed(add):
        parts = whole.args if isinstance(whole, nd.LogAddExp) else ()
        for part, other in (parts, parts[::-1]) if parts else ():
            rest = _less(without(add.args, term), part, sign)
            if rest is not None:
                return sp.Add(*rest, sign * nd.Softplus(other - part))
    return None


def _signed(add: sp.Expr) -> Iterator[tuple[int, sp.Expr, sp.Expr]]:
    """Each term with its sign, and what it stands for without it."""
    for term in add.args:
        under = negated(peel(term))
        yield (1, peel(term), term) if under is None else (-1, peel(under), term)


def _less(others: list[sp.Expr], part: sp.Expr, sign: int) -> list[sp.Expr] | None:
    """The other terms without one that is the part, of the opposite sign."""
    wanted = minus(part) if sign > 0 else part
    found = next((t for t in others if same(t, wanted)), None)
    return None if found is None else without(tuple(others), found)
