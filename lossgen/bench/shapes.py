"""How large the axes of a loss are, when nobody says.

In: the axes of a loss, and those that run twice in one statement (pairs of rows, of classes).
Out: a size for each, so that the largest array has about as many elements as asked for.

    n, c, s   →  8 x 16 x (128, 128)         n, d, pairs of n  →  1448 x 256: 2 M pairs

Axes are scaled from the shapes of the table below, which are those that such losses are met in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lossgen.bench.request import Sizes
from lossgen.compiled import Compiled
from lossgen.spec import LossSpec

USUAL = 2_000_000
# Axes, a star after those that are paired: sizes, and the axes that grow with the elements. Where
# two grow, or one that is paired, each grows with the root.
_TABLE: Mapping[str, tuple[Sizes, str]] = {
    "e": ({"e": (2_000_000,)}, "e"),
    "n": ({"n": (2_000_000,)}, "n"),
    "c n s": ({"n": (8,), "c": (16,), "s": (128, 128)}, "n"),
    "c n": ({"n": (16_384,), "c": (128,)}, "n"),
    "c* n": ({"n": (128,), "c": (128,)}, "n"),
    "c s": ({"s": (16_384,), "c": (128,)}, "s"),
    "d n": ({"n": (16_384,), "d": (128,)}, "n"),
    "d s": ({"s": (16_384,), "d": (128,)}, "s"),
    "d n*": ({"n": (1448,), "d": (256,)}, "n"),
    "d* n": ({"n": (2048,), "d": (1024,)}, "n d"),
    "c d n": ({"n": (2048,), "c": (1000,), "d": (512,)}, "n c d"),
    "n t": ({"n": (256,), "t": (8192,)}, "n"),
    "n s": ({"n": (128,), "s": (128, 128)}, "n"),
    "4 n": ({"n": (500_000,)}, "n"),
    "c h n w": ({"n": (8,), "c": (4,), "h": (256,), "w": (256,)}, "n"),
}
_SMALL = {"n": 32, "c": 10, "d": 16, "t": 8, "s": 32, "e": 320, "h": 8, "w": 8}


def axes_of(spec: LossSpec) -> list[str]:
    """The axes that have a size of their own, sorted."""
    return sorted({a.name for t in spec.tensors for a in t.axes if not a.name.isdigit()})


def paired(compiled: Compiled) -> frozenset[str]:
    """The axes over which two letters of one statement run."""
    found = set()
    for x in compiled.forward.statements:
        axes = [compiled.forward.axes[y].name for y in {*x.free, *x.bound}]
        found |= {a for a in axes if axes.count(a) > 1}
    return frozenset(found)


def usual_sizes(compiled: Compiled, elements: int = USUAL) -> dict[str, tuple[int, ...]]:
    """The size of every axis for about that many elements."""
    spec, pairs = compiled.spec, paired(compiled)
    literal = {a.name for t in spec.tensors for a in t.axes if a.name.isdigit()}
    names = axes_of(spec)
    words = sorted([*(f"{x}*" if x in pairs else x for x in names), *literal])
    if (row := _TABLE.get(" ".join(words))) is None:
        side = max(1, round(USUAL ** (1 / max(1, len(names) + len(pairs)))))
        row = (dict.fromkeys(names, (side,)), names[0] if names else "")
    sizes, grows = dict(row[0]), row[1].split()
    if elements == USUAL or not grows:
        return sizes
    factor = elements / USUAL
    if len(grows) > 1 or pairs & {*grows}:
        factor = math.sqrt(factor)
    for name in grows:
        sizes = _grown(sizes, name, factor, alone=len(grows) == 1)
    return sizes


def _grown(
    sizes: dict[str, tuple[int, ...]], grows: str, factor: float, *, alone: bool
) -> dict[str, tuple[int, ...]]:
    """One axis larger or smaller; what it cannot give, being 1 already, the others give."""
    sizes = dict(sizes)
    first = sizes[grows][0] * factor
    left = min(1.0, first) if alone else 1.0
    sizes[grows] = (max(1, round(first)), *sizes[grows][1:])
    for name, sides in sizes.items():
        if left < 1 and name != grows:
            each = left ** (1 / len(sides))
            sizes[name] = tuple(max(1, round(x * each)) for x in sides)
            left *= math.prod(sides) / math.prod(sizes[name])
    return sizes


def small_sizes(spec: LossSpec) -> dict[str, tuple[int, ...]]:
    """A small batch: 32 samples of 10 classes, and as little of all else."""
    names = axes_of(spec)
    sizes: dict[str, tuple[int, ...]] = {x: (_SMALL.get(x, 8),) for x in names}
    if "s" in sizes and "n" in names:
        sizes["s"] = ()
    if len(names) > 3:
        sizes |= {x: (4,) for x in ("n", "c") if x in sizes}
    return sizes
