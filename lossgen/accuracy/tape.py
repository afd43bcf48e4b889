"""Numbers of many digits that remember what they were made of, and their reverse pass.

With each number run two bounds, held as logarithms to base 2:

- ``noise``: what one rounding of each operation may do to it, in units of the roundoff. A result
  that the format holds exactly is not rounded. It says how many digits the arithmetic here needs,
  and which decisions (is a < b?) rounding could turn round.
- ``excess``: by how much the sum of the magnitudes of its terms exceeds its own magnitude. It is
  zero where nothing cancels; the sum of two numbers that are exact is one rounding, hence no
  cancellation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from mpmath import mp

from lossgen.accuracy.formats import Format

NOTHING = -math.inf
_EXACT_BITS = 700
_FAR = 10**9  # no format reaches so far; exp(-1e300) does


class MorePrecision(Exception):
    """The arithmetic has too few digits to decide something, or to give the digits asked for."""

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.bits = bits


def log2(number: Any) -> float:
    """The logarithm to base 2 of a magnitude, to a few digits; of any size."""
    _, significand, exponent, length = number._mpf_
    if not significand:
        return math.inf if exponent else NOTHING
    if abs(exponent) > _FAR:
        return float(_FAR if exponent > 0 else -_FAR)
    shift = max(0, length - 53)
    return float(exponent + shift + math.log2(int(significand >> shift)))


def plus(*logs: float) -> float:
    """The logarithm of a sum of magnitudes given by their logarithms."""
    total = NOTHING
    for log in logs:
        if log > total:
            total, log = log, total
        gap = log - total
        if gap > -60.0:  # below that it changes no digit; NaN for two infinities, which stay
            total += math.log2(1.0 + 2.0**gap)
    return total


def scaled(a: Any, b: Any) -> Any:
    """A product in which nothing times infinity is nothing."""
    return mp.zero if a == 0 or b == 0 else a * b


def scaled_log(*logs: float) -> float:
    """The logarithm of such a product."""
    return NOTHING if NOTHING in logs else sum(logs)


class Num:
    """A number: value, bounds, and its slope in each number that it was made of."""

    __slots__ = ("exact", "excess", "noise", "place", "sources", "value")

    def __init__(
        self,
        value: Any,
        exact: bool = False,
        noise: float = NOTHING,
        excess: float = NOTHING,
        sources: tuple[Source, ...] = (),
        place: int = 0,
    ) -> None:
        self.value, self.exact, self.noise, self.excess = value, exact, noise, excess
        self.sources, self.place = sources, place

    def backward(
        self, value: Any, noise: float, excess: float
    ) -> Iterable[tuple[Num, Any, float, float]]:
        """What its adjoint adds to the adjoints of what it was made of."""
        size = log2(value)
        for source, slope, slope_noise, slope_excess in self.sources:
            steep = log2(slope)
            yield (
                source,
                scaled(value, slope),
                plus(scaled_log(size, slope_noise), scaled_log(steep, noise)),
                plus(scaled_log(size, slope_excess), scaled_log(steep, excess)),
            )


# A number something was made of, the slope in it, and the slope's own noise and excess.
Source = tuple[Num, Any, float, float]


class Adjoint:
    """What has arrived at a number from the results: terms, their noise and their excess."""

    __slots__ = ("excess", "noise", "terms")

    def __init__(self) -> None:
        self.terms: list[Any] = []
        self.noise: list[float] = []
        self.excess: list[float] = []

    def add(self, term: Any, noise: float, excess: float) -> None:
        self.terms.append(term)
        self.noise.append(noise)
        self.excess.append(excess)

    def total(self) -> tuple[Any, float, float]:
        if len(self.terms) == 1:
            return self.terms[0], self.noise[0], self.excess[0]
        value = _sum(self.terms)
        size = _sum([abs(t) for t in self.terms])
        return value, plus(log2(size), *self.noise), plus(log2(size - abs(value)), *self.excess)


def _sum(terms: Sequence[Any]) -> Any:
    if all(map(mp.isfinite, terms)):
        return mp.fsum(terms)
    total = mp.zero
    for term in terms:
        total += term
    return total


class Tape:
    """Makes numbers and keeps them in the order of making."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self.made: list[Num] = [Num(mp.zero)]  # place 0 is that of constants

    def keep(self, number: Num) -> Num:
        number.place = len(self.made)
        self.made.append(number)
        return number

    def constant(self, value: Any, known: bool = True) -> Num:
        """A number that came from outside: exact, but rounded where the format lacks it."""
        value = mp.mpf(value)
        held = not mp.isfinite(value) or self.form.holds(value)
        return Num(value, known and mp.isfinite(value), NOTHING if held else log2(value))

    def result(self, value: Any, exact: bool, noise: float, excess: float, sources: Any) -> Num:
        """A new number; its own rounding is added to the noise unless the format holds it."""
        exact = exact and value._mpf_[3] <= _EXACT_BITS
        if not (exact and self.form.holds(value)):
            # A result below the normal numbers loses as much as the smallest normal one.
            noise = plus(noise, max(log2(value), float(self.form.least)))
        # What was worked out exactly but is long is rounded to the working precision from here on.
        return self.keep(Num(value if exact else +value, exact, noise, excess, tuple(sources)))

    def add(self, terms: Sequence[Num]) -> Num:
        if len(terms) == 1:
            return terms[0]
        exact = all(t.exact for t in terms)
        if exact:
            value = terms[0].value
            for term in terms[1:]:
                value = mp.fadd(value, term.value, exact=True)
        else:
            value = _sum([t.value for t in terms])
        noise = plus(*(t.noise for t in terms))
        excess = plus(*(t.excess for t in terms))
        if not (len(terms) == 2 and exact and noise == NOTHING):
            size = _sum([abs(t.value) for t in terms])
            if mp.isfinite(size):
                excess = plus(excess, log2(size - abs(value)))
            if len(terms) > 2:
                noise = plus(noise, log2(size))
        return self.result(
            value, exact, noise, excess, [(t, mp.one, NOTHING, NOTHING) for t in terms]
        )

    def multiply(self, a: Num, b: Num) -> Num:
        exact = a.exact and b.exact
        value = mp.fmul(a.value, b.value, exact=True) if exact else a.value * b.value
        size_a, size_b = log2(a.value), log2(b.value)
        noise = plus(scaled_log(size_a, b.noise), scaled_log(size_b, a.noise))
        excess = plus(scaled_log(size_a, b.excess), scaled_log(size_b, a.excess))
        sources = ((a, b.value, b.noise, b.excess), (b, a.value, a.noise, a.excess))
        return self.result(value, exact, noise, excess, sources)

    def apply(self, x: Num, value: Any, slope: Any, curvature: Any) -> Num:
        """A function of one number, given its value, slope and curvature there."""
        steep, bend = log2(slope), log2(curvature)
        own = plus(steep, scaled_log(bend, x.noise))
        return self.result(
            value,
            False,
            scaled_log(steep, x.noise),
            scaled_log(steep, x.excess),
            ((x, slope, own, scaled_log(bend, x.excess)),),
        )

    def combine(self, value: Any, parts: Iterable[tuple[Num, Any, float, float]]) -> Num:
        """A function of many numbers that does not cancel, given the slope in each."""
        sources = tuple(parts)
        noise = plus(*(scaled_log(log2(s), x.noise) for x, s, _, _ in sources))
        excess = plus(*(scaled_log(log2(s), x.excess) for x, s, _, _ in sources))
        return self.result(value, False, noise, excess, sources)

    def gradient(self, seeds: Iterable[tuple[Num, Any]]) -> dict[int, tuple[Any, float, float]]:
        """The derivative of the seeded sum by every number: value, noise, excess, by place."""
        arriving: dict[int, Adjoint] = {}
        for number, seed in seeds:
            if number.place:
                arriving.setdefault(number.place, Adjoint()).add(mp.mpf(seed), NOTHING, NOTHING)
        found: dict[int, tuple[Any, float, float]] = {}
        for place in range(max(arriving, default=0), 0, -1):
            if place not in arriving:
                continue
            found[place] = arriving.pop(place).total()
            for source, *share in self.made[place].backward(*found[place]):
                if source.place:
                    arriving.setdefault(source.place, Adjoint()).add(*share)
        return found
