"""Static conditions, in the names of the switches that a kernel is compiled for.

In: a condition on options.  Out: Python text.

    p != 2 and given(weight)  →  not P_EQ_2 and GIVEN_WEIGHT
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.conditions import macro


def static_code(condition: sp.Basic) -> str:
    """A static condition, in the names of the switches that a kernel is compiled for."""
    if condition in (nd.TRUE, nd.FALSE):
        return str(condition is nd.TRUE)
    if isinstance(condition, nd.Not):
        (inner,) = condition.args
        # Two conditions that exclude each other have one name.
        return f"not {_joined(inner)}" if switch(inner) == inner else macro(switch(inner))
    if switch(condition) != condition:
        return f"not {macro(switch(condition))}"
    if isinstance(condition, nd.Junction):
        word = " or " if isinstance(condition, nd.Or) else " and "
        return word.join(map(_joined, condition.args))
    return macro(condition).replace("||", "or")


def switch(condition: sp.Basic) -> sp.Basic:
    """The condition whose name a kernel is compiled with: one of two that exclude each other."""
    opposite = {"!=": "==", "<": ">=", "<=": ">"}
    if isinstance(condition, nd.Compare) and condition.op in opposite:
        return nd.Compare(opposite[condition.op], condition.left, condition.right)
    return condition


def _joined(condition: sp.Basic) -> str:
    text = static_code(condition)
    return f"({text})" if " and " in text or " or " in text else text
