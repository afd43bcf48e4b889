"""What is divided by, written where it is divided by.

In: the statements of a backward.  Out: the same, in which a divisor of one value and an option,
``mass + smooth``, has no name: code names it to write it once, mathematics is shorter without.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from lossgen.keep import cost
from lossgen.nodes import Read, rebuild
from lossgen.program import Statement
from lossgen.sharing import DIVISOR


def without_short_divisors(statements: Sequence[Statement]) -> list[Statement]:
    """The statements without names for divisors of one step."""
    short = {
        x.name: x.body
        for x in statements
        if x.name.endswith(DIVISOR) and x.op == "map" and isinstance(x.body, sp.Add)
        and cost(x.body) == 1
    }  # fmt: skip

    def told(expr: sp.Basic) -> sp.Basic:
        if isinstance(expr, Read) and expr.name in short:
            return short[expr.name]
        return rebuild(expr, [told(a) for a in expr.args]) if expr.args else expr

    return [x.mapped(told) for x in statements if x.name not in short]
