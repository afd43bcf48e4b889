"""The tensors of a call: by role, of ordinary values, the same in every run.

In: a ``LossSpec``, sizes. Out: leaves in the dtype and on the device asked for. Imports torch, so
imported late.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lossgen.bench.request import Sizes
from lossgen.errors import LossgenError, suggest
from lossgen.learned import GIVEN, usually_learned
from lossgen.spec import LossSpec, TensorArg


def passed(spec: LossSpec) -> list[TensorArg]:
    """The tensors of a call: those that a caller must give."""
    return [t for t in spec.tensors if not t.optional]


def learned(spec: LossSpec, told: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The tensors whose gradient is taken: those told, or all that a network would compute.

    Raises:
        LossgenError: where a tensor told has no gradient.
    """
    able = [t.name for t in passed(spec) if t.role.kind == "real"]
    for name in told:
        if name not in able:
            hint = suggest(name, able) or f"There are {', '.join(able)}."
            raise LossgenError(f"--gradient: no gradient is taken with respect to '{name}'. {hint}")
    return told or usually_learned(spec)


def make(
    spec: LossSpec, sizes: Sizes, dtype: torch.dtype, device: str, gradients: tuple[str, ...]
) -> dict[str, Tensor]:
    """The tensors of one call, those of `gradients` asking for theirs."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for t in passed(spec):
        x = _values(t, sizes, generator)
        x = x.to(device=device, dtype=dtype) if x.is_floating_point() else x.to(device)
        made[t.name] = x.requires_grad_() if t.name in gradients else x
    return made


def shape_of(t: TensorArg, sizes: Sizes) -> tuple[int, ...]:
    """The shape of a tensor."""
    shape: tuple[int, ...] = ()
    for axis in t.axes:
        shape += (int(axis.name),) if axis.name.isdigit() else tuple(sizes[axis.name])
    return shape


def _values(t: TensorArg, sizes: Sizes, generator: torch.Generator) -> Tensor:
    shape = shape_of(t, sizes)

    def rand() -> Tensor:
        return torch.rand(shape, generator=generator)

    match t.role.name:
        case "ClassIndex":
            classes = math.prod(sizes["c"]) if "c" in sizes else max(2, math.prod(shape) // 4)
            return torch.randint(classes, shape, generator=generator)
        case "LabelList":
            return torch.where(rand() < 0.05, -1, rand().argsort(-1))
        case "Mask":
            return rand() > 0.2
        case "Sign":
            return torch.where(rand() > 0.5, 1.0, -1.0)
        case "Binary":
            return (rand() > 0.5).float()
        case "Probabilities" if t.name in GIVEN:
            # A label is 0 or 1: there some losses of others are the same as ours, and only there.
            return (rand() > 0.5).float()
        case "Probabilities":
            return rand() * 0.98 + 0.01
        case "LogProbabilities":
            return -(rand() * 5 + 0.01)
        case "Positive" | "NonNegative" | "Weight":
            return rand() + 0.2
        case "Boxes":
            near = rand()
            near[..., 2:] += near[..., :2] + 0.1
            return near
    if t.role.learnable and not shape:
        return rand() + 1
    return torch.randn(shape, generator=generator)


def as_double(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers in float64, as leaves of their own."""
    made = {}
    for name, x in tensors.items():
        double = x.detach().double() if x.is_floating_point() else x
        made[name] = double.requires_grad_() if x.requires_grad else double
    return made
