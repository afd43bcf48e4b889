"""Which gradients are right at a kink: those between the gradients on its sides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lossgen.spec import LossSpec
from lossgen.verify.point import Point
from lossgen.verify.truth import Undefined, evaluate, mp
from lossgen.verify.truth.exact import STEP

_SAMPLES, _ENOUGH = 16, 9  # directions; all alike after so many, there is no kink


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
    spec: LossSpec, point: Point, reduction: str, weights: Sequence[float], moved: Iterable[str]
) -> list[dict[str, Any]]:
    """Gradients at points a step of 1e-30 away, on both sides of whatever kink there is.

    Args:
        moved: the tensors whose gradient is asked for. Others stay: beside a label of -1 the
            formula may jump, which says nothing of its slope there.
    """
    random = np.random.default_rng(0)
    names = [name for name in point.floats if name in set(moved)]
    found = []
    moves: dict[str, Any] = {}
    for k in range(_SAMPLES):
        for name in names:
            size = point.tensors[name].size
            if k < 2:
                moves[name] = np.full(size, (1.0, -1.0)[k])
            elif k % 2:  # the other way, so that both sides of what compares two numbers are seen
                moves[name] = -moves[name]
            else:
                moves[name] = random.uniform(0.25, 1.0, size) * random.choice((-1, 1), size)
        shift = {name: [STEP * mp.mpf(float(m)) for m in moved] for name, moved in moves.items()}
        try:
            found.append(evaluate(spec, point, shift).gradient(reduction, weights))
        except (Undefined, ZeroDivisionError):
            continue
        if k == _ENOUGH and _alike(found):
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
