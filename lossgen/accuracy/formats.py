"""Floating-point formats: their numbers in order, and distances in units in the last place.

In: plain Python floats and mpmath numbers. Out: the same. It knows nothing of torch, so that what
judges the generated code does not lean on what runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mpmath import mp


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format: `digits` bits of significand, the least and largest exponent of 2."""

    name: str
    digits: int
    least: int
    most: int

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return math.ldexp(2.0 - math.ldexp(1.0, 1 - self.digits), self.most)

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return math.ldexp(1.0, self.least)

    @property
    def smallest(self) -> float:
        """The smallest subnormal number."""
        return math.ldexp(1.0, self.least - self.digits + 1)

    def number(self, ordinal: int) -> float:
        """The number at a place in the order: 0 at 0, its neighbours at 1 and -1."""
        place = abs(ordinal)
        field, rest = divmod(place, 1 << (self.digits - 1))
        if field:
            rest += 1 << (self.digits - 1)
            field -= 1
        value = math.ldexp(float(rest), field + self.least - self.digits + 1)
        return value if ordinal >= 0 else -value

    def ordinal(self, number: float) -> int:
        """The place of the nearest number of the format, infinity after the largest."""
        size = abs(number)
        if not size:
            return 0
        if size > self.largest:
            place = self.ordinal(self.largest) + (size == math.inf)
        else:
            exponent = max(math.frexp(size)[1] - 1, self.least)
            steps = round(math.ldexp(size, self.digits - 1 - exponent))
            place = steps + (exponent - self.least) * (1 << (self.digits - 1))
        return place if number >= 0 else -place

    def rounded(self, number: float) -> float:
        """The nearest finite number of the format."""
        return self.number(self.ordinal(max(-self.largest, min(self.largest, number))))

    def holds(self, number: Any) -> bool:
        """Whether an mpmath number is one of the format's, subnormals included."""
        _, significand, exponent, length = number._mpf_
        if not significand:
            return not exponent  # zero; infinities and NaN have an exponent instead
        top = exponent + length - 1
        return bool(
            length <= self.digits and top <= self.most and exponent > self.least - self.digits
        )

    def neighbour(self, number: float, steps: int) -> float:
        """The number so many places further up."""
        end = self.ordinal(self.largest)
        return self.number(max(-end, min(end, self.ordinal(number) + steps)))

    def ulp(self, number: Any) -> Any:
        """The distance of neighbours around a number; that of subnormals at the least."""
        _, significand, exponent, length = mp.mpf(number)._mpf_
        top = exponent + length - 1 if significand else self.least
        return mp.ldexp(1, max(top, self.least) - self.digits + 1)

    def overflows(self, number: Any) -> bool:
        """Whether a number rounds to infinity (or is one)."""
        halfway = mp.fadd(self.largest, self.ulp(self.largest) / 2, exact=True)
        return bool(number >= halfway or number <= mp.fneg(halfway, exact=True))


FLOAT64 = Format("float64", 53, -1022, 1023)
FLOAT32 = Format("float32", 24, -126, 127)
FLOAT16 = Format("float16", 11, -14, 15)
BFLOAT16 = Format("bfloat16", 8, -126, 127)
FORMATS = (FLOAT64, FLOAT32, FLOAT16, BFLOAT16)


def error_in_ulp(computed: float, exact: Any, form: Format) -> float:
    """How many units in the last place lie between a computed number and the exact one.

    Infinity where the computed number is not finite though the exact one is representable; 0 where
    both overflow to the same side, and where the exact one is no real number.
    """
    if mp.isnan(exact):
        return 0.0
    if form.overflows(exact):
        held = form.largest if exact > 0 else -form.largest
        if math.isnan(computed):
            return 0.0  # nothing finite was asked for
        if math.isinf(computed):
            return 0.0 if (computed > 0) == (exact > 0) else math.inf
        return float(abs(mp.mpf(computed) - held) / form.ulp(held))
    if not math.isfinite(computed):
        return math.inf
    return float(abs(mp.mpf(computed) - exact) / form.ulp(exact))
