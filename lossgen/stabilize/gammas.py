"""Differences of log-gammas, and of their slopes, a whole number apart: logarithms, quotients.

lgamma(a + 1) - lgamma(a)   →   log(a)
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize.gaps import apart, factor_of, pairs
from lossgen.stabilize.known import Known

# More terms would cost more than the two functions do.
FURTHEST = 4


def difference_of_lgammas(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``lgamma(a + k) - lgamma(a)``, times anything."""
    return _whole_apart(add, nd.Lgamma, nd.Log, known)


def difference_of_digammas(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``digamma(a + k) - digamma(a)``, times anything."""
    return _whole_apart(add, nd.Digamma, lambda a: 1 / a, known)


def _whole_apart(
    add: sp.Expr, kind: type[nd.Unary], step: Callable[[sp.Expr], sp.Expr], known: Known
) -> sp.Expr | None:
    for rest, scale, x, y in pairs(add, factor_of(kind)):
        gap = apart(x, y)
        if not gap.is_Integer or abs(gap) > FURTHEST:
            continue
        least, sign = (y, 1) if gap > 0 else (x, -1)
        known.positive(least)
        steps = (step(sp.Add(least, k)) for k in range(abs(int(gap))))
        return sp.Add(*rest, sign * scale * sp.Add(*steps))
    return None
