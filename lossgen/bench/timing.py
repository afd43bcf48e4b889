"""Seconds of forward and backward, of several forms in turn: A B C, B C A, C A B.

In: steps, each one forward and backward. Out: seconds of every step in every round, so that what
slows the machine down for a while slows all of them. A short step is repeated within a round.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Step = Callable[[], object]
_SHORT = 2e-3  # a round of a step takes at least so long
_MOST_REPEATS = 200
_QUICK = 0.1


def step_of(
    form: Callable[..., Tensor], tensors: Mapping[str, Tensor], upstream: Tensor | None
) -> Step:
    """One forward and backward into fresh gradients, as a step of training has it."""
    leaves = [x for x in tensors.values() if x.requires_grad]

    def step() -> None:
        for x in leaves:
            x.grad = None
        torch.autograd.backward(form(**tensors), upstream)

    return step


def synchronise(device: str) -> None:
    """Wait for what the device still computes."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(step: Step, device: str, repeats: int = 1) -> float:
    """Seconds of one step."""
    synchronise(device)
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    synchronise(device)
    return (time.perf_counter() - start) / repeats


def settle(device: str) -> None:
    """Bring the allocator where a process is that has trained for a while.

    The C library maps large arrays apart and hands them back when freed, until one of nearly 32 MB
    was freed; from then on smaller ones come from memory that it keeps. Larger ones never do.
    """
    if device == "cpu":
        torch.empty(31 * 2**20, dtype=torch.uint8).fill_(1)
    gc.collect()


def in_turn(
    steps: Mapping[str, Step],
    rounds: int,
    device: str,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """Seconds of every step, round by round, once each has run."""
    names = list(steps)
    repeats = {}
    for name in names:
        once = seconds(steps[name], device)
        if once < _QUICK:  # the first time is no measure of a quick one
            once = seconds(steps[name], device)
        repeats[name] = max(1, min(_MOST_REPEATS, round(_SHORT / max(once, 1e-9))))
    found: dict[str, list[float]] = {name: [] for name in names}
    for index in range(rounds):
        start = index % len(names)
        for name in (*names[start:], *names[:start]):
            found[name].append(seconds(steps[name], device, repeats[name]))
        progress()
    return found
