"""Under which conditions a Triton kernel computes a statement.

In: the guards of statements.  Out: a condition as a kernel knows it, which is for the value or for
gradients.
"""

from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.triton.conditions import static_code
from lossgen.program import Statement
from lossgen.static import ALWAYS, NEVER, Guard, condition_of, either


def needed(kind: str, gradients: Collection[str], *statements: Statement) -> str:
    """The condition under which any of these is needed; empty where one always is.

    Args:
        kind: of the task that computes them.
        gradients: all that may be asked for.
    """
    told = NEVER
    for x in statements:
        told = either(told, _told(kind, gradients, x.guard))
    return "" if told == ALWAYS else static_code(condition_of(told))


def _told(kind: str, gradients: Collection[str], guard: Guard) -> Guard:
    """What a guard says in a kernel, which knows whether it is for a gradient."""
    if kind in ("value", "items"):
        return frozenset(t for t in guard if not any(isinstance(c, nd.Needs) for c, _ in t))
    sources = {g.removeprefix("d_") for g in gradients}

    def known(condition: sp.Basic) -> bool:
        if not isinstance(condition, nd.Needs):
            return False
        return kind == "sums" or sources <= {*condition.names}

    return frozenset(frozenset(y for y in t if not (y[1] and known(y[0]))) for t in guard)
