"""Compositions that have more range or more digits as one function than step by step.

The square in ``log(1 + x**2)`` overflows where the logarithm does not; the sum in ``log(x + c)``
is rounded where the logarithm is small, and the square in ``exp(-x**2)`` where it is large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import sympy as sp

from lossgen.nodes.functions import Unary
from lossgen.nodes.leaves import ONE, ZERO, Node


class Log1pSquare(Unary):
    """``log(1 + x**2)``."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}
    is_nonnegative = True


class HypotPowM1(Node):
    """``sqrt(1 + x**2)**p - 1``."""

    __slots__ = ()


class HypotPowSlope(Node):
    """``x*sqrt(1 + x**2)**(p - 2)``: of ``HypotPowM1``, the slope divided by p."""

    __slots__ = ()


class LogSum(Node):
    """``log(x + c)`` for a number c: of the sum it takes the rounding into account."""

    __slots__ = ()


class LogMixture(Node):
    """``log(1 - w + w*exp(x))`` for a number w between 0 and 1."""

    __slots__ = ()

    @property
    def rest(self) -> sp.Expr:
        """``1 - w``."""
        return sp.Add(ONE, *(-term for term in sp.Add.make_args(self.args[1])))


class SettledLogMixture(LogMixture):
    """The same, but its slope is not followed: another's in the sum makes it up to 0."""

    __slots__ = ()


class Gauss(Node):
    """``exp(-k*(x + r)**2)`` for a number k of few digits, r being what x was rounded by."""

    __slots__ = ()
    is_positive = True


class GaussM1(Node):
    """``exp(-k*x**2) - 1``; r, what x was rounded by, counts in its slope."""

    __slots__ = ()


class Remainder(Node):
    """What rounding takes from ``a - b``: 0 in exact arithmetic."""

    __slots__ = ()


class Fitted(Node):
    """``x``, as much shorter as a ``fitting`` says; what reads it must not change by that."""

    __slots__ = ()


class Finite(Unary):
    """Its argument, but the largest number in place of infinity."""

    __slots__ = ()
