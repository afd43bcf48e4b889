"""Nodes about slopes: what only they need, and values that have those of something else."""

from __future__ import annotations

from typing import Any

import sympy as sp

from lossgen.nodes.functions import Unary
from lossgen.nodes.leaves import Node


class Rewritten(Node):
    """A formula, computed as another form of it: the first's value, with the slopes of the second.

    Where one form has the better value and another the better slopes, each is used for its own.
    """

    __slots__ = ()

    @property
    def form(self) -> sp.Expr:
        return self.args[0]

    @property
    def formula(self) -> sp.Expr:
        return self.args[1]


class Ratio(Node):
    """``a / b``, and 0 where b = 0: the derivative of a norm, whose singular point has slope 0."""

    __slots__ = ()


class PowerSlope(Node):
    """``base**(exponent - 1)``, but where base = 0: there 1 if the exponent is 1, else 0.

    The slope of a power at its singular point; a fractional one is infinite there and taken as 0.
    """

    __slots__ = ()


class Step(Unary):
    """1 where the argument is positive, 1/2 where it is 0, else 0: which of two is the larger."""

    __slots__ = ()

    def __new__(cls, x: Any) -> Any:
        x = sp.sympify(x)
        opposite = sp.Add(*(-term for term in sp.Add.make_args(x)))
        if str(opposite) < str(x):
            # Of ``a > b`` and ``b > a`` each is the other's complement: one of them is enough.
            return 1 - sp.Basic.__new__(cls, opposite)
        return sp.Basic.__new__(cls, x)


class StopGradient(Unary):
    """The value of its argument, with derivative zero."""

    __slots__ = ()


class StraightThrough(Node):
    """The value of the first argument with the gradient of the second."""

    __slots__ = ()
