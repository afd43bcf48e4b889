"""Conditions, and the choice between two values.

They simplify where they are built: ``Compare("<", 1, 2)`` is true, ``And(a, true)`` is ``a``,
``Not(a == b)`` is ``a != b``.  An inequality is not turned round, for ``not x < y`` and ``x >= y``
differ at NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes.leaves import FALSE, ONE, TRUE, ZERO, Node, text, word

MIRROR: Mapping[str, str] = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_DECIDE: Mapping[str, Callable[[sp.Expr, sp.Expr], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Compare(Node):
    """``left op right`` with op one of ``== != < <= > >=``; decided at once between numbers."""

    __slots__ = ()

    def __new__(cls, op: str | Str, left: Any, right: Any) -> Any:
        op = text(op)
        left, right = sp.sympify(left), sp.sympify(right)
        if left.is_number and right.is_number:
            return TRUE if _DECIDE[op](left, right) else FALSE
        if left == right:
            return TRUE if op in ("==", "<=", ">=") else FALSE
        return sp.Basic.__new__(cls, word(op), left, right)

    @property
    def op(self) -> str:
        return text(self.args[0])

    @property
    def left(self) -> sp.Expr:
        return self.args[1]

    @property
    def right(self) -> sp.Expr:
        return self.args[2]


class Junction(Node):
    """A conjunction or a disjunction: flattens, drops what changes nothing, collapses on the other.

    Attributes:
        absorbing: what decides the whole.
        neutral: what changes nothing.
    """

    __slots__ = ()
    absorbing: ClassVar[sp.Basic]
    neutral: ClassVar[sp.Basic]

    def __new__(cls, *args: Any) -> Any:
        flat: list[Any] = []
        for arg in map(sp.sympify, args):
            if arg is cls.absorbing:
                return cls.absorbing
            parts = arg.args if isinstance(arg, cls) else (arg,)
            flat += [p for p in parts if p is not cls.neutral and p not in flat]
        if len(flat) < 2:
            return flat[0] if flat else cls.neutral
        return sp.Basic.__new__(cls, *flat)


class And(Junction):
    """Conjunction."""

    __slots__ = ()
    absorbing, neutral = FALSE, TRUE


class Or(Junction):
    """Disjunction."""

    __slots__ = ()
    absorbing, neutral = TRUE, FALSE


def conjuncts(condition: sp.Basic) -> tuple[sp.Basic, ...]:
    """All that must hold where a condition holds: itself, or what an ``And`` joins."""
    return condition.args if isinstance(condition, And) else (condition,)


class Not(Node):
    """Negation; comparisons are turned round, double negation disappears."""

    __slots__ = ()

    def __new__(cls, arg: Any) -> Any:
        arg = sp.sympify(arg)
        if arg in (TRUE, FALSE):
            return FALSE if arg is TRUE else TRUE
        if isinstance(arg, Not):
            return arg.args[0]
        if isinstance(arg, Compare) and arg.op in ("==", "!="):
            return Compare(MIRROR[arg.op], arg.left, arg.right)
        return sp.Basic.__new__(cls, arg)


class Where(Node):
    """``yes`` where the condition holds, ``no`` elsewhere."""

    __slots__ = ()

    def __new__(cls, condition: Any, yes: Any, no: Any) -> Any:
        condition, yes, no = map(sp.sympify, (condition, yes, no))
        if isinstance(yes, Where) and yes.args[0] == condition:
            yes = yes.args[1]
        if isinstance(no, Where) and no.args[0] == condition:
            no = no.args[2]
        if isinstance(yes, sp.Mul) and condition not in (TRUE, FALSE):
            # What repeats the condition around it is 1 there.
            repeated = sp.Basic.__new__(cls, condition, ONE, ZERO)
            if repeated in yes.args:
                yes = sp.Mul(*(f for f in yes.args if f != repeated))
        if condition is TRUE or yes == no:
            return yes
        if condition is FALSE:
            return no
        return sp.Basic.__new__(cls, condition, yes, no)
