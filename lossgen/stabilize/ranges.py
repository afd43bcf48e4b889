"""Where the values of an expression can lie: intervals of real numbers.

    Range(0, 1)                 0 <= x <= 1
    Range(0, inf, True, True)   x > 0

An end at infinity is left out, as no real number lies there.  Arithmetic is that of intervals:
what comes out holds every value that the operation can give, so what it shows is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

INF = math.inf
End = tuple[float, bool]  # where an interval ends, and whether the end itself is left out


@dataclass(frozen=True, slots=True)
class Range:
    """The real numbers from ``low`` to ``high``; an open end is left out."""

    low: float = -INF
    high: float = INF
    low_open: bool = False
    high_open: bool = False

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def nonnegative(self) -> bool:
        return self.low >= 0

    @property
    def negative(self) -> bool:
        return self.high < 0 or (self.high == 0 and self.high_open)

    @property
    def nonpositive(self) -> bool:
        return self.high <= 0

    @property
    def nonzero(self) -> bool:
        return self.positive or self.negative

    @property
    def reaches_minus_infinity(self) -> bool:
        """Whether minus infinity, written as a value, is among the values."""
        return self.low == -INF and not self.low_open

    def within(self, low: float, high: float) -> bool:
        """Whether every value lies in the closed interval."""
        return low <= self.low and self.high <= high

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Range) -> Range:
        return Range(
            self.low + other.low,
            self.high + other.high,
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __mul__(self, other: Range) -> Range:
        ends = [_product(a, b) for a in self._ends() for b in other._ends()]
        # Where two products meet at one end, a closed one decides.
        low, high = min(ends), max(ends, key=lambda e: (e[0], not e[1]))
        return Range(low[0], high[0], low[1], high[1])

    def reciprocal(self) -> Range:
        """The values of 1/x."""
        if self.positive:
            high = 1 / self.low if self.low else INF
            low = 1 / self.high
            return Range(low, high, self.high_open or self.high == INF, self.low_open)
        return -(-self).reciprocal() if self.negative else REAL

    def square(self) -> Range:
        """The values of x**2."""
        size = self.size()
        return size * size

    def size(self) -> Range:
        """The values of abs(x)."""
        if self.nonnegative:
            return self
        if self.nonpositive:
            return -self
        far, is_open = max((self.high, self.high_open), (-self.low, self.low_open))
        return Range(0.0, far, False, is_open)

    def through(self, rising: Callable[[float], float], least: float, most: float) -> Range:
        """The values of a strictly rising function whose own values lie between two open ends."""
        low, high = _safe(rising, self.low, least), _safe(rising, self.high, most)
        return Range(low, high, self.low_open or low <= least, self.high_open or high >= most)

    def _ends(self) -> tuple[End, End]:
        return (self.low, self.low_open), (self.high, self.high_open)


def _product(a: End, b: End) -> End:
    if (a[0] == 0 and not a[1]) or (b[0] == 0 and not b[1]):
        return 0.0, False
    if a[0] == 0 or b[0] == 0:
        return 0.0, True
    value = a[0] * b[0]
    return value, a[1] or b[1] or value == 0


def _safe(function: Callable[[float], float], at: float, beyond: float) -> float:
    try:
        return function(at)
    except (OverflowError, ValueError):
        return beyond


def hull(ranges: Iterable[Range]) -> Range:
    """The least interval around several."""
    found = tuple(ranges)
    low = min((r.low, r.low_open) for r in found)
    high = max((r.high, not r.high_open) for r in found)
    return Range(low[0], high[0], low[1], not high[1])


REAL = Range(-INF, INF, True, True)
POSITIVE = Range(0.0, INF, True, True)
NONNEGATIVE = Range(0.0, INF, False, True)
UNIT = Range(0.0, 1.0)
OPEN_UNIT = Range(0.0, 1.0, True, True)


def point(value: float) -> Range:
    """One number."""
    return Range(value, value)
