"""The memory of a form: what autograd keeps for the backward, and the most there is at a time.

In: a form and its tensors. Out: bytes, the inputs apart; the peak holds the gradients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from lossgen.bench.timing import Step


def kept(form: Callable[..., Tensor], tensors: Mapping[str, Tensor]) -> int:
    """What autograd keeps between forward and backward."""
    inputs = {x.untyped_storage().data_ptr() for x in tensors.values()}
    found: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in inputs:
            found[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = form(**tensors)
    del loss
    return sum(found.values())


def peak(step: Step, tensors: Mapping[str, Tensor], device: str) -> int:
    """The most that one forward and backward holds at a time beyond its inputs."""
    for x in tensors.values():
        x.grad = None
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    from torch.autograd.profiler import profile

    with _without_stderr(), profile(use_cpu=True, profile_memory=True, use_kineto=True) as found:
        step()
    events = [e for e in found.kineto_results.events() if e.name() == "[memory]"]
    most = now = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


@contextmanager
def _without_stderr() -> Iterator[None]:
    """The profiler's library writes lines of its own to the process's standard error."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
