"""What the machine needs for what a loss cannot do without, measured.

In: a ``Traffic``. Out: steps that move as many bytes, into gradients allocated anew or kept warm;
seconds of its functions at the rate that torch has; a step of its matrix products.

The buffers are of the size that the loss reads and writes, not its own: only bytes matter here.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lossgen.bench.timing import Step, seconds
from lossgen.bench.traffic import Moved, Product, Traffic

_PIECE = 2**18  # elements: enough for every thread, few enough for the cache


class Bytes:
    """The bytes of a loss: read so often, written once."""

    def __init__(self, moved: Traffic, device: str) -> None:
        def buffer(x: Moved) -> Tensor:
            return torch.ones(max(1, x.bytes // 4), device=device)

        self.reads = [(buffer(x), x.times) for x in moved.reads]
        self.warm = [buffer(x) for x in moved.writes]
        self.fresh: list[Tensor] = []

    def step(self, *, fresh: bool) -> Step:
        """One step: every read, and a gradient written while an input of its size is read."""

        def run() -> None:
            left: list[list[Any]] = [[x, times] for x, times in self.reads]
            if fresh:
                self.fresh.clear()
            targets = [torch.empty_like(x) for x in self.warm] if fresh else self.warm
            for target in targets:
                _write(target, left)
            for x, times in left:
                for _ in range(times):
                    x.sum()
            if fresh:
                self.fresh.extend(targets)

        return run


def _write(target: Tensor, left: list[list[Any]]) -> None:
    for entry in left:
        if entry[1] and entry[0].shape == target.shape:
            target.copy_(entry[0])
            entry[1] -= 1
            return
    target.fill_(1.0)


def floor(functions: Mapping[str, int], dtype: torch.dtype, device: str, rounds: int = 7) -> float:
    """Seconds of the functions a loss evaluates, at the rate that torch has for them."""
    total = 0.0
    for name, count in functions.items():
        size = max(1, min(count, _PIECE if device == "cpu" else 2**24))
        x = torch.rand(size, device=device, dtype=dtype) * 0.9 + 0.05
        out = torch.empty_like(x)

        def once(name: str = name, x: Tensor = x, out: Tensor = out) -> None:
            if name == "pow":
                torch.pow(x, 1.37, out=out)
            else:
                getattr(torch, name)(x, out=out)

        once()
        times = [seconds(once, device, 4) for _ in range(rounds)]
        total += statistics.median(times) * count / size
    return total


def product_steps(products: tuple[Product, ...], dtype: torch.dtype, device: str) -> Step | None:
    """One step of all matrix products, or nothing where there are none."""
    if not products:
        return None
    pairs: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
    for p in products:
        shape = (p.batch, p.rows, p.inner, p.columns)
        if shape not in pairs:
            left = torch.rand(p.batch, p.rows, p.inner, dtype=dtype, device=device)
            right = torch.rand(p.batch, p.inner, p.columns, dtype=dtype, device=device)
            pairs[shape] = (left[0], right[0]) if p.batch == 1 else (left, right)
    shapes = [(p.batch, p.rows, p.inner, p.columns) for p in products]

    def run() -> None:
        for shape in shapes:
            left, right = pairs[shape]
            torch.matmul(left, right)

    return run
