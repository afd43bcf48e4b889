"""Which gradients are right at a kink: those between the gradients on its sides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lossgen.spec import LossSpec
from lossgen.verify.point import Point
from lossgen.verify.truth import Undefined, evaluate, mp
from lossgen.verify.truth.exact import STEP

_SAMPLES = 12


def subgradient(got: float, exact: Any, sides: Sequence[Any], slack: float) -> bool:
    """Whether a slope lies between those on the sides, which must differ.

    Args:
        slack: what rounding may add, relative to the largest slope, at least 1.
    """
    sides = [x for x in sides if not mp.isnan(x)]  # the others lie outside the domain
    if not sides or any(mp.isinf(x) for x in sides):
        return True
    low, high = min([*sides, exact]), max([*sides, exact])
    if high - low <= mp.mpf("1e-20") * (1 + abs(exact)):
        return False
    if high - low > mp.mpf(10) ** 8 * (1 + abs(exact)):
        return not math.isnan(got) or not mp.isfinite(exact)
    slack *= max(float(max(abs(low), abs(high))), 1.0)
    return math.isfinite(got) and bool(low - slack <= got <= high + slack)


def around(
    spec: LossSpec, point: Point, reduction: str, weights: Sequence[float]
) -> list[dict[str, Any]]:
    """Gradients at points a step of 1e-30 away, on both sides of whatever kink there is."""
    random = np.random.default_rng(0)
    found = []
    for k in range(_SAMPLES):
        shift: dict[str, list[Any]] = {}
        for name in point.floats:
            size = point.tensors[name].size
            moves = random.uniform(0.25, 1.0, size) * random.choice((-1, 1), size)
            if k < 2:
                moves = np.full(size, (1.0, -1.0)[k])
            shift[name] = [STEP * mp.mpf(float(m)) for m in moves]
        try:
            found.append(evaluate(spec, point, shift).gradient(reduction, weights))
        except (Undefined, ZeroDivisionError):
            continue
        if k == 3 and _alike(found):
            break
    return found


def _alike(found: Sequence[Mapping[str, Sequence[Any]]]) -> bool:
    first, *others = found
    return all(
        abs(a - b) <= mp.mpf("1e-20") * (1 + abs(a))
        for other in others
        for name in first
        for a, b in zip(first[name], other[name], strict=True)
        if mp.isfinite(a) and mp.isfinite(b)
    )
