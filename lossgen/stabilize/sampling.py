"""Points of an expression's domain at which forms of it are compared.

In: the ranges of what it reads.  Out: the same points each time, spread evenly over the float32
numbers of the domain, over those of ordinary size, where two reads are neighbours, and about 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from struct import Struct

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize.measure import Point
from lossgen.stabilize.numbers import rounded
from lossgen.stabilize.ranges import Range

_SEED = 20
_BITS, _FLOAT = Struct("<i"), Struct("<f")
LEAST = 2.0**-149
LARGEST = 3.4028234663852886e38
ORDINARY = (2.0**-20, 2.0**20)


def points(reads: Sequence[sp.Basic], ranges: Mapping[sp.Basic, Range], count: int) -> list[Point]:
    """So many points, a quarter of each kind, and those at the ends of what is read."""
    random = Random(_SEED)
    found: list[Point] = []
    for number in range(count):
        kind = number % 4
        drawn = {x: _draw(random, ranges[x], x, everywhere=kind == 0) for x in reads}
        if kind == 2 and len(reads) > 1:
            first = drawn[reads[0]]
            for x in reads[1:]:
                near = rounded(_beside(random, first))
                if _inside(near, ranges[x]) and not isinstance(x, (nd.Param, nd.Size)):
                    drawn[x] = near
        if kind == 3:
            for x in reads:
                near = rounded(_beside(random, random.choice((-1.0, 1.0))))
                if _inside(near, ranges[x]) and not isinstance(x, (nd.Param, nd.Size)):
                    drawn[x] = near
        found.append(drawn)
    for end in (0.0, 1.0, *(sign * size for sign in (1, -1) for size in (LEAST, LARGEST))):
        at_end = {x: end if _inside(end, ranges[x]) else found[0][x] for x in reads}
        varying = [x for x in reads if not isinstance(x, (nd.Param, nd.Size))]
        found += [{**found[k], x: at_end[x]} for k, x in enumerate(varying)]
    return found


def _beside(random: Random, x: float) -> float:
    """A neighbour, at any distance down to the closest."""
    return x * (1 + random.choice((-1, 1)) * 2.0 ** -random.randint(3, 22))


def _draw(random: Random, range_: Range, of: sp.Basic, *, everywhere: bool) -> float:
    if isinstance(of, nd.Size):
        return float(random.randint(1, 1000))
    if isinstance(of, nd.Param):
        # Options are of ordinary size.
        low, high = max(range_.low, -8.0), min(range_.high, 8.0)
        if of.is_integer:
            return float(random.randint(math.ceil(low), math.floor(high)))
        return rounded(random.uniform(low, high)) if low < high else low
    low, high = max(range_.low, -LARGEST), min(range_.high, LARGEST)
    if not everywhere:
        size = ORDINARY[1]
        low, high = max(low, -size), min(high, size)
        if random.random() < 0.5 and low < 0 < high:
            low, high = (low, 0.0) if random.random() < 0.5 else (0.0, high)
        if low == 0.0 and high > ORDINARY[0]:
            low = ORDINARY[0]
        if high == 0.0 and low < -ORDINARY[0]:
            high = -ORDINARY[0]
    while True:
        value = number(random.randint(ordinal(low), ordinal(high)))
        if _inside(value, range_) or low == high:
            return value


def _inside(x: float, range_: Range) -> bool:
    if not math.isfinite(x):
        return False
    above = x > range_.low if range_.low_open else x >= range_.low
    return above and (x < range_.high if range_.high_open else x <= range_.high)


def ordinal(x: float) -> int:
    """The place of a float32 among all of them, 0 being that of 0."""
    bits: int = _BITS.unpack(_FLOAT.pack(x))[0]
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def number(place: int) -> float:
    """The float32 at a place."""
    bits = place if place >= 0 else -place - 0x80000000
    found: float = _FLOAT.unpack(_BITS.pack(bits))[0]
    return found
