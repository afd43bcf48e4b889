"""The numbers at which a tensor is looked at: extremes, ordinal-uniform draws, ordinary ones.

In: a role and a format. Out: plain floats of that format inside the role's domain. The extremes are
those where losses are known to break: 0, the smallest numbers, 17 and 37 (where 1 + exp(-x) is 1),
88 and 104 (where exp leaves float32), 1e4 and the largest.
"""

from __future__ import annotations

import math
import random
from functools import cache

from lossgen.accuracy.formats import Format
from lossgen.roles import Role

_SIZES = (1e-4, 1.0, 17.0, 20.0, 37.5, 88.0, 89.0, 104.0, 709.0, 750.0, 1e4)
_SHARES = (1e-4, 0.1, 0.25, 0.5, 0.75, 0.9, 1 - 1e-4)
_DISCRETE = {"Binary": (0.0, 1.0), "Mask": (0.0, 1.0), "Sign": (-1.0, 1.0)}


@cache
def extremes(role: Role, form: Format) -> tuple[float, ...]:
    """The extreme numbers of a role's domain, rounded to the format."""
    if role.name in _DISCRETE:
        return _DISCRETE[role.name]
    low, high = _bounds(role, form)
    sizes = [form.smallest, form.smallest * 3, form.tiny, *_SIZES, form.largest]
    found = [0.0, *sizes, *(-x for x in sizes)]
    if high == 1.0:
        found += [*_SHARES, form.neighbour(1.0, -1)]
    held = (form.rounded(x) for x in found if abs(x) <= form.largest)
    return tuple(sorted({x for x in held if low <= x <= high}))


def _bounds(role: Role, form: Format) -> tuple[float, float]:
    low = -form.largest if role.lower is None else role.lower
    high = form.largest if role.upper is None else role.upper
    return (form.neighbour(low, 1) if role.open_lower else low), high


def by_ordinal(role: Role, form: Format, random_: random.Random) -> float:
    """A number drawn uniformly from the representable ones of the domain."""
    if role.name in _DISCRETE:
        return random_.choice(_DISCRETE[role.name])
    low, high = _bounds(role, form)
    return form.number(random_.randint(form.ordinal(low), form.ordinal(high)))


def ordinary(role: Role, form: Format, random_: random.Random, spread: float = 3.0) -> float:
    """A number as it comes up in training."""
    if role.name in _DISCRETE:
        return random_.choice(_DISCRETE[role.name])
    low, high = _bounds(role, form)
    if high == 1.0:
        value = random_.random()
    elif high == 0.0:
        value = -random_.expovariate(1.0)
    elif low >= 0.0:
        value = random_.expovariate(1 / spread)
    else:
        value = random_.gauss(0.0, spread)
    return max(low, min(high, form.rounded(value)))


def beside(number: float, role: Role, form: Format, steps: int) -> float:
    """The number so many places further up, held inside the domain."""
    low, high = _bounds(role, form)
    return max(low, min(high, form.neighbour(number, steps)))


def inside(number: float, role: Role, form: Format) -> float:
    """The nearest number of the format in the domain."""
    if role.name in _DISCRETE:
        return min(_DISCRETE[role.name], key=lambda x: abs(x - number))
    low, high = _bounds(role, form)
    if math.isnan(number):
        return low
    return max(low, min(high, form.rounded(number)))
