"""A scalar of several hundred digits that carries a derivative and its own rounding bound.

`Exact` is a dual number over mpmath: `value` and `slope` (the derivative along one input). Beside
each runs what a float evaluation of the same formula would lose in units of the unit roundoff:
the sum of the magnitudes of all intermediate terms, weighted by how each reaches the result
(Higham's running error bound, first order). `kink` is set where the derivative does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Union

import mpmath as mp
import numpy as np

DIGITS = 400  # exp(-745), the least positive double, relative to one, and fifty digits more

ZERO = mp.mpf(0)

Operand = Union["Exact", float, int]


@dataclass(frozen=True, slots=True)
class Exact:
    """A number, its derivative along the chosen input, and the rounding weight of each."""

    value: Any
    slope: Any = ZERO
    noise: Any = ZERO
    slope_noise: Any = ZERO
    kink: bool = False

    def __add__(self, other: Operand) -> Exact:
        if isinstance(other, np.ndarray):  # numpy then applies this operator per element
            return NotImplemented
        b = lift(other)
        value, slope = self.value + b.value, self.slope + b.slope
        return Exact(
            value,
            slope,
            self.noise + b.noise + abs(value),
            self.slope_noise + b.slope_noise + abs(slope),
            self.kink or b.kink,
        )

    def __mul__(self, other: Operand) -> Exact:
        if isinstance(other, np.ndarray):
            return NotImplemented
        b = lift(other)
        left, right = _times(self.slope, b.value), _times(self.value, b.slope)
        value = _times(self.value, b.value)
        a_size, b_size = abs(self.value), abs(b.value)
        return Exact(
            value,
            left + right,
            _times(a_size, b.noise) + _times(b_size, self.noise) + abs(value),
            _times(abs(self.slope), b.noise)
            + _times(b_size, self.slope_noise)
            + _times(a_size, b.slope_noise)
            + _times(abs(b.slope), self.noise)
            + abs(left)
            + abs(right),
            self.kink or b.kink,
        )

    def __neg__(self) -> Exact:
        return replace(self, value=-self.value, slope=-self.slope)

    def __sub__(self, other: Operand) -> Exact:
        return NotImplemented if isinstance(other, np.ndarray) else self + -lift(other)

    def __rsub__(self, other: Operand) -> Exact:
        return lift(other) - self

    def __truediv__(self, other: Operand) -> Exact:
        return NotImplemented if isinstance(other, np.ndarray) else self * power(lift(other), -1)

    def __rtruediv__(self, other: Operand) -> Exact:
        return lift(other) / self

    def __pow__(self, exponent: float) -> Exact:
        return power(self, exponent)

    def __abs__(self) -> Exact:
        if self.value == 0:
            return replace(self, value=mp.mpf(0), slope=mp.mpf(0), kink=self.slope != 0)
        return self if self.value > 0 else -self

    __radd__ = __add__
    __rmul__ = __mul__


def lift(number: Operand) -> Exact:
    """A number as an `Exact` constant."""
    if isinstance(number, np.integer):
        return Exact(mp.mpf(int(number)))
    return number if isinstance(number, Exact) else Exact(mp.mpf(number))


def _times(a: Any, b: Any) -> Any:
    """A product in which a slope of zero stays zero beside an infinity."""
    return mp.mpf(0) if a == 0 or b == 0 else a * b


def smooth(
    x: Exact, f: Callable[[Any], Any], first: Callable[[Any], Any], second: Callable[[Any], Any]
) -> Exact:
    """A smooth function of one number, by its value and two derivatives."""
    value, d1, d2 = f(x.value), first(x.value), second(x.value)
    slope = _times(d1, x.slope)
    return Exact(
        value,
        slope,
        _times(abs(d1), x.noise) + abs(value),
        _times(abs(_times(d2, x.slope)), x.noise) + _times(abs(d1), x.slope_noise) + abs(slope),
        x.kink,
    )


def power(x: Exact, exponent: float) -> Exact:
    """`x ** exponent` for a constant exponent; a fractional one needs a positive x."""
    if x.value == 0 and exponent < 0:
        return Exact(mp.inf, -mp.sign(x.slope) * mp.inf if x.slope else mp.mpf(0), kink=True)
    if x.value == 0 and exponent < 1:
        return Exact(mp.mpf(0), x.slope * 0, x.noise, x.slope_noise, kink=x.slope != 0)
    p = mp.mpf(exponent)
    return smooth(
        x,
        lambda v: v**p,
        lambda v: p * v ** (p - 1) if p != 1 else mp.mpf(1),
        lambda v: p * (p - 1) * v ** (p - 2) if p not in (1, 2) else p * (p - 1),
    )


def exp(x: Operand) -> Exact:
    return smooth(lift(x), mp.exp, mp.exp, mp.exp)


def log(x: Operand) -> Exact:
    """Minus infinity at zero, NaN below it."""
    number = lift(x)
    if number.value < 0:
        return Exact(mp.nan, mp.nan)
    if number.value == 0:
        return Exact(-mp.inf, mp.sign(number.slope) * mp.inf if number.slope else mp.mpf(0))
    return smooth(number, mp.log, lambda v: 1 / v, lambda v: -1 / v**2)


def maximum(a: Operand, b: Operand) -> Exact:
    """The larger; a kink where they tie and their slopes differ."""
    x, y = lift(a), lift(b)
    if mp.isnan(x.value) or mp.isnan(y.value):
        return Exact(mp.nan, mp.nan)
    if x.value == y.value:
        return replace(x, kink=x.kink or y.kink or x.slope != y.slope)
    return x if x.value > y.value else y


def minimum(a: Operand, b: Operand) -> Exact:
    """The smaller; a kink where they tie and their slopes differ."""
    return -maximum(-lift(a), -lift(b))
