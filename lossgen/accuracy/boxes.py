"""Pairs of boxes: ordinary, equal, apart, inside one another, touching, of extreme sizes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from lossgen.accuracy.formats import Format

Box = tuple[float, float, float, float]
_KINDS = ("ordinary", "tie", "tie ± 1 ulp", "inside", "touching", "apart", "ordinal")


def pairs(form: Format, random_: random.Random, budget: int) -> Iterator[tuple[str, Box, Box]]:
    """`budget` pairs, each with how it came about; the corners of all are in order."""
    scales = [1.0, 1.0, 1.0, 100.0, 1e4, 1e-4, form.tiny * 1e3, math.sqrt(form.largest) / 8]
    for index in range(budget):
        kind, scale = _KINDS[index % len(_KINDS)], scales[index // len(_KINDS) % len(scales)]
        x, y = random_.uniform(-scale, scale), random_.uniform(-scale, scale)
        w, h = random_.uniform(0.05, 2) * scale, random_.uniform(0.05, 2) * scale
        first = _box(form, x, y, x + w, y + h)
        match kind:
            case "ordinal":
                first, second = _any(form, random_), _any(form, random_)
            case "tie":
                second = first
            case "tie ± 1 ulp":
                second = _box(
                    form,
                    first[0],
                    form.neighbour(first[1], 1),
                    form.neighbour(first[2], -1),
                    first[3],
                )
            case "inside":
                second = _box(form, x + w / 4, y + h / 4, x + 3 * w / 4, y + 3 * h / 4)
            case "touching":
                second = _box(form, first[2], first[1], x + 2 * w, first[3])
            case "apart":
                second = _box(form, x + 2 * w, y - 2 * h, x + 3 * w, y - h)
            case _:
                u, v = random_.uniform(-scale, scale), random_.uniform(-scale, scale)
                second = _box(form, u, v, u + h, v + w)
        yield kind, first, second


def _box(form: Format, left: float, top: float, right: float, bottom: float) -> Box:
    """The corners rounded to the format, the second at least one number beyond the first."""
    left, top = form.rounded(left), form.rounded(top)
    right = max(form.rounded(right), form.neighbour(left, 1))
    return left, top, right, max(form.rounded(bottom), form.neighbour(top, 1))


def _any(form: Format, random_: random.Random) -> Box:
    """A box whose corners and sides are drawn by ordinal, below the root of the largest."""
    end = form.ordinal(math.sqrt(form.largest))
    left, top, width, height = (form.number(random_.randint(1, end)) for _ in range(4))
    return _box(form, left, top, left + width, top + height)
