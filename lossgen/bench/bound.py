"""The limit of a loss, from what it cannot do without and how long that took.

In: a compiled loss, sizes; seconds of the limit's steps, round by round. Out: a ``Limit``, and for
each round the largest of what moves, what is evaluated and what is multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lossgen.accuracy.settings import settings
from lossgen.bench.request import Sizes
from lossgen.bench.resolved import resolved
from lossgen.bench.results import Limit, spread
from lossgen.bench.tensors import passed
from lossgen.bench.traffic import Shapes, Traffic, index_bytes, traffic
from lossgen.compiled import Compiled

FRESH, WARM, PRODUCTS = "limit, fresh", "limit, warm", "limit, products"


def traffic_of(
    loss: Compiled, sizes: Sizes, gradients: tuple[str, ...], dtype: torch.dtype
) -> Traffic:
    """What a call at the loss's defaults cannot do without."""
    tensors = passed(loss.spec)
    options = settings(loss.spec)[0].options
    shaped = Shapes(
        axes={t.name: t.axes for t in tensors},
        item={t.name: index_bytes(t.role.kind, dtype.itemsize) for t in tensors},
        sizes=sizes,
    )
    return traffic(resolved(loss, options, {t.name for t in tensors}, gradients), shaped)


def bounds(seconds: Mapping[str, list[float]], floor: float, *, warm: bool = False) -> list[float]:
    """The limit of each round: the largest of what moves, what is evaluated, what is multiplied.

    Args:
        warm: whether gradients are written to memory that is there already.
    """
    moved = seconds[WARM if warm else FRESH]
    products = seconds.get(PRODUCTS, [0.0] * len(moved))
    return [max(a, b, floor) for a, b in zip(moved, products, strict=True)]


def limit_of(moved: Traffic, seconds: Mapping[str, list[float]], floor: float) -> Limit:
    """The limit, from the seconds of its steps."""
    times = {1: "once", 2: "twice"}
    read = [f"{x.name} read {times.get(x.times, f'{x.times} times')}" for x in moved.reads]
    written = [f"{x.name} written" for x in moved.writes]
    multiplied = seconds.get(PRODUCTS)
    return Limit(
        bytes=moved.bytes,
        words=", ".join([*read, *written]),
        fresh=spread(seconds[FRESH]),
        warm=spread(seconds[WARM]),
        functions=moved.functions,
        floor=floor,
        products=None if multiplied is None else spread(multiplied),
        seconds=spread(bounds(seconds, floor)).median,
    )
