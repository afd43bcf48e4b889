"""Elementwise functions, each with the policy that its derivative follows.

They stay as written: ``Exp(x - Log(s))`` is not turned into ``Exp(x)/s``. Only values known
without rounding, such as ``Exp(0)``, are worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import sympy as sp

from lossgen.nodes.leaves import HALF, ONE, ZERO, Node


class Unary(Node):
    """An elementwise function of one argument; ``exact`` lists values known without rounding."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {}

    def __new__(cls, x: Any) -> Any:
        x = sp.sympify(x)
        return cls.exact[x] if x in cls.exact else sp.Basic.__new__(cls, x)

    @property
    def arg(self) -> sp.Expr:
        return self.args[0]


class Exp(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ONE}
    is_positive = True


class Log(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ONE: ZERO}


class Sqrt(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO, ONE: ONE}
    is_nonnegative = True

    def _eval_evalf(self, prec: int) -> Any:
        return sp.sqrt(self.arg)._eval_evalf(prec) if self.arg.is_number else None


class Abs(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO, ONE: ONE}
    is_nonnegative = True


class Sign(Unary):
    __slots__ = ()


class Sigmoid(Unary):
    __slots__ = ()
    is_positive = True


class LogSigmoid(Unary):
    __slots__ = ()


class Softplus(Unary):
    __slots__ = ()
    is_positive = True


class Log1p(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}


class Expm1(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}


class LogCosh(Unary):
    __slots__ = ()
    is_nonnegative = True


class Tanh(Unary):
    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}


class Sin(Unary):
    __slots__ = ()


class Cos(Unary):
    __slots__ = ()


class Acos(Unary):
    __slots__ = ()


class Atan(Unary):
    __slots__ = ()


class Asinh(Unary):
    """``log(x + sqrt(1 + x**2))``."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}


class Erf(Unary):
    __slots__ = ()


class Erfc(Unary):
    """``1 - erf(x)``."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ONE}
    is_positive = True


class LogErfc(Unary):
    """``log(1 - erf(x))``."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}


class Erfcx(Unary):
    """``exp(x**2) * (1 - erf(x))``: what the slope of ``LogErfc`` divides by."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ONE}
    is_positive = True


class Log1mExp(Unary):
    """``log(1 - exp(x))`` for x below 0; at 0, where it is minus infinity, of slope 0."""

    __slots__ = ()


class HypotM1(Unary):
    """``sqrt(1 + x**2) - 1``."""

    __slots__ = ()
    exact: ClassVar[Mapping[Any, Any]] = {ZERO: ZERO}
    is_nonnegative = True


class Lgamma(Unary):
    __slots__ = ()


class Digamma(Unary):
    """The slope of log-gamma."""

    __slots__ = ()


class Trigamma(Unary):
    """The slope of digamma."""

    __slots__ = ()
    is_nonnegative = True


class Floor(Unary):
    __slots__ = ()


class Xlogy(Node):
    """``x * log(y)``, and 0 where x = 0; where y is 0 too, the slope in x is taken as 0."""

    __slots__ = ()


class LogAddExp(Node):
    """``log(exp(a) + exp(b))``."""

    __slots__ = ()


class Hypot(Node):
    """``sqrt(a**2 + b**2)``, of slope 0 where both are 0."""

    __slots__ = ()
    is_nonnegative = True


class Radius(Hypot):
    """``sqrt(a**2 + b**2)`` of sides that are not both 0."""

    __slots__ = ()


class Pow1pM1(Node):
    """``(1 + x)**p - 1``."""

    __slots__ = ()


class LogRatio(Node):
    """``log(p / q)`` for p and q of at least 0."""

    __slots__ = ()


class RelEntropy(Node):
    """``p * log(p / q)``, and 0 where p = 0, with slope 0 there."""

    __slots__ = ()


class Max(Node):
    """The larger of two; at a tie ``share`` of the gradient goes to the first."""

    __slots__ = ()

    def __new__(cls, a: Any, b: Any, share: Any = HALF) -> Any:
        a, b, share = map(sp.sympify, (a, b, share))
        return a if a == b else sp.Basic.__new__(cls, a, b, share)

    @property
    def share(self) -> sp.Expr:
        return self.args[2]


class Min(Max):
    """The smaller of two, with the same tie rule."""

    __slots__ = ()


class Clip(Node):
    """``x`` held within ``[low, high]``; slope 1 on the closed interval, 0 outside."""

    __slots__ = ()
