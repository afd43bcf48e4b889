"""The elementwise functions of the language at one point: value and slopes.

In: plain numbers of an algebra. Out: the value and the slope towards each argument, as
``lossgen.language`` states them: the tie rules of ``Max`` and ``Clip``, slope 0 of ``Abs`` at 0.
Written from that page and from textbooks, not from ``lossgen.derivatives``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossgen.verify.truth.tape import ONE, ZERO, Algebra

Point = tuple[Any, tuple[Any, ...]]


class Functions:
    """The functions over one algebra."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.unary: Mapping[str, Callable[[Any], Point]] = self._table()

    def _sigmoid(self, x: Any) -> Any:
        return (
            1 / (1 + self.algebra.exp(-x))
            if x >= 0
            else self.algebra.exp(x) / (1 + self.algebra.exp(x))
        )

    def _log(self, x: Any) -> Point:
        if x < 0:
            return self.algebra.nan, (self.algebra.nan,)
        return (
            (self.algebra.log(x), (1 / x,)) if x != 0 else (-self.algebra.inf, (self.algebra.inf,))
        )

    def _sqrt(self, x: Any) -> Point:
        if x < 0:
            return self.algebra.nan, (self.algebra.nan,)
        root = self.algebra.sqrt(x)
        return root, (1 / (2 * root) if root != 0 else ZERO,)  # as that of a power below 1

    def _sign(self, x: Any) -> Any:
        return ONE if x > 0 else -ONE if x < 0 else ZERO

    def _softplus(self, x: Any) -> Any:
        return max(x, ZERO) + self.algebra.log1p(self.algebra.exp(-abs(x)))

    def _log_cosh(self, x: Any) -> Any:
        return abs(x) + self.algebra.log1p(self.algebra.exp(-2 * abs(x))) - self.algebra.log(2)

    def _log1p(self, x: Any) -> Point:
        if x < -1:
            return self.algebra.nan, (self.algebra.nan,)
        return (
            (self.algebra.log1p(x), (1 / (1 + x),))
            if x != -1
            else (-self.algebra.inf, (self.algebra.inf,))
        )

    def _log1mexp(self, x: Any) -> Point:
        if x > 0:
            return self.algebra.nan, (self.algebra.nan,)
        below = self.algebra.expm1(x)
        return (
            (self.algebra.log(-below), (self.algebra.exp(x) / below,))
            if x != 0
            else (-self.algebra.inf, (ZERO,))
        )

    def _acos(self, x: Any) -> Point:
        if abs(x) > 1:
            return self.algebra.nan, (self.algebra.nan,)
        below = self.algebra.sqrt((1 - x) * (1 + x))
        return self.algebra.acos(x), (-1 / below if below != 0 else ZERO,)

    def _lgamma(self, x: Any) -> Point:
        return (
            (self.algebra.loggamma(x), (self.algebra.psi(0, x),))
            if x > 0
            else (self.algebra.inf, (self.algebra.nan,))
        )

    def xlogy(self, x: Any, y: Any) -> Point:
        """``x * log(y)``, 0 where x = 0; where y is 0 too, its slopes are taken as 0."""
        if x == 0:
            return ZERO, (self.algebra.log(y) if y > 0 else ZERO, ZERO)
        log, (slope,) = self._log(y)
        return x * log, (log, x * slope)

    def logaddexp(self, a: Any, b: Any) -> Point:
        """``log(exp(a) + exp(b))``."""
        top = max(a, b)
        if self.algebra.isinf(top):
            return top, (self.algebra.nan, self.algebra.nan)
        return top + self.algebra.log1p(self.algebra.exp(-abs(a - b))), (
            self._sigmoid(a - b),
            self._sigmoid(b - a),
        )

    def ratio(self, a: Any, b: Any) -> Point:
        """``a / b``, and 0 where b = 0."""
        return (ZERO, (ZERO, ZERO)) if b == 0 else (a / b, (1 / b, -a / (b * b)))

    def extreme(self, a: Any, b: Any, share: Any, sign: int) -> Point:
        """The larger (sign 1) or smaller (-1); at a tie the first has ``share`` of the slope."""
        if self.algebra.isnan(a) or self.algebra.isnan(b):
            return self.algebra.nan, (self.algebra.nan, self.algebra.nan)
        if a == b:
            return a, (share, 1 - share)
        return (a, (ONE, ZERO)) if sign * a > sign * b else (b, (ZERO, ONE))

    def clip(self, x: Any, low: Any, high: Any) -> Point:
        """``x`` held within [low, high], slope 1 on the closed interval."""
        return min(max(x, low), high), (ONE if low <= x <= high else ZERO, ZERO, ZERO)

    def power(self, base: Any, exponent: Any, *, varies: bool = False) -> Point:
        """``base ** exponent``; a slope that is infinite only because the base is 0 is 0.

        The slope in the exponent is worked out where the exponent ``varies``, else it is 0.
        """
        whole = exponent == self.algebra.floor(exponent)
        if whole and exponent >= 1 and not varies:  # a value and a slope everywhere
            power = int(exponent)
            return base**power, (exponent * base ** (power - 1) if power > 1 else ONE, ZERO)
        if base == 0:
            if exponent == 0:
                return ONE, (ZERO, ZERO)
            if exponent < 0:
                return self.algebra.inf, (self.algebra.nan, self.algebra.nan)
            return ZERO, (ONE if exponent == 1 else ZERO, ZERO)
        if base < 0 and not whole:
            return self.algebra.nan, (self.algebra.nan, self.algebra.nan)
        result = base ** (int(exponent) if whole else exponent)
        slope = ZERO
        if varies:
            slope = result * self.algebra.log(base) if base > 0 else self.algebra.nan
        return result, (exponent * result / base, slope)

    def _table(self) -> dict[str, Callable[[Any], Point]]:
        a = self.algebra
        return {
            "Exp": lambda x: (y := a.exp(x), (y,)),
            "Log": self._log,
            "Sqrt": self._sqrt,
            "Abs": lambda x: (abs(x), (self._sign(x),)),
            "Sign": lambda x: (self._sign(x), (ZERO,)),
            "Floor": lambda x: (a.floor(x), (ZERO,)),
            "Sigmoid": lambda x: (y := self._sigmoid(x), (y * self._sigmoid(-x),)),
            "LogSigmoid": lambda x: (-self._softplus(-x), (self._sigmoid(-x),)),
            "Softplus": lambda x: (self._softplus(x), (self._sigmoid(x),)),
            "Log1p": self._log1p,
            "Expm1": lambda x: (a.expm1(x), (a.exp(x),)),
            "LogCosh": lambda x: (self._log_cosh(x), (a.tanh(x),)),
            "Tanh": lambda x: (a.tanh(x), (4 * self._sigmoid(2 * x) * self._sigmoid(-2 * x),)),
            "Sin": lambda x: (a.sin(x), (a.cos(x),)),
            "Cos": lambda x: (a.cos(x), (-a.sin(x),)),
            "Acos": self._acos,
            "Atan": lambda x: (a.atan(x), (1 / (1 + x * x),)),
            "Erf": lambda x: (a.erf(x), (2 * a.exp(-x * x) / a.sqrt(a.pi),)),
            "Erfc": lambda x: (a.erfc(x), (-2 * a.exp(-x * x) / a.sqrt(a.pi),)),
            "Log1mExp": self._log1mexp,
            "Lgamma": self._lgamma,
            "Digamma": lambda x: (a.psi(0, x), (a.psi(1, x),)),
            "StopGradient": lambda x: (x, (ZERO,)),
        }
