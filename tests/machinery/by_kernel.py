"""A backend's kernels beside the plain torch form that stands behind them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.machinery.sampling import Sample, gradients

Within = Callable[[ModuleType], AbstractContextManager[None]]
Result = tuple[Tensor, list[Tensor]]

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "sliced": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
    "every other": lambda x: torch.stack([x, x], -1).flatten(-2)[..., ::2],
    "expanded": lambda x: x[:1].expand_as(x),
}


def labels(classes: int, *shape: int) -> Tensor:
    """Labels, the same each time."""
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(4))


@dataclass(frozen=True)
class Kernels:
    """How a backend's modules are had, and held to their kernels or kept from them."""

    load: Callable[[str], ModuleType]
    functional: Callable[[str], Callable[..., Tensor]]
    only: Within
    without: Within
    device: str = "cpu"

    def both(
        self, drawn: Sample, keys: list[str], dtype: torch.dtype = torch.float64, **options: Any
    ) -> tuple[Result, Result]:
        """Value and gradients: by the kernels, and in plain torch in double precision."""
        module, function = self.load(drawn.name), self.functional(drawn.name)
        narrow = {
            k: x.to(self.device, dtype) if x.is_floating_point() else x.to(self.device)
            for k, x in drawn.tensors.items()
        }
        results = []
        for kind, context in ((dtype, self.only), (torch.float64, self.without)):
            leaves = {
                k: x.to(kind).clone().requires_grad_(k in keys) if x.is_floating_point() else x
                for k, x in narrow.items()
            }
            with context(module):
                value = function(**leaves, **options)
                spread = torch.linspace(0.5, 1.5, value.numel()).reshape(value.shape)
                found = gradients(value, [leaves[k] for k in keys], spread.to(value))
            results.append((value.detach(), found))
        return results[0], results[1]

    def check_in(
        self, drawn: Sample, keys: list[str], dtype: torch.dtype, *, centred: bool = False
    ) -> None:
        """One gradient in a dtype, against double precision rounded to it.

        Of a `centred` one, which adds up to 0, a small element is a difference of large ones.
        """
        ours, theirs = self.both(drawn, keys[:1], dtype)
        expected = (theirs[0].to(dtype), [x.to(dtype) for x in theirs[1]])
        # Half: computed in float32 and rounded once, so at most to the neighbour.
        bits = torch.finfo(dtype).eps
        scale = 40 if dtype is torch.float32 else 1
        least = max(x.abs().max().item() for x in theirs[1]) if centred else 1e-3
        torch.testing.assert_close(ours, expected, rtol=scale * bits, atol=scale * bits * least)

    def check_each(self, drawn: Sample, keys: list[str]) -> None:
        """Each gradient where no other is asked for."""
        for key in keys:
            ours, theirs = self.both(drawn, [key])
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)

    def check(self, name: str, lead: Tensor, *others: Tensor | float, **options: Any) -> None:
        """Value and first gradient on tensors laid out in their own way."""
        results = []
        for context in (self.only, self.without):
            leaf = lead.detach().requires_grad_()
            with context(self.load(name)):
                value = self.functional(name)(leaf, *others, **options)
                (found,) = torch.autograd.grad(value.sum(), leaf)
            results.append((value.detach(), found))
        torch.testing.assert_close(*results, rtol=1e-12, atol=1e-14)
