"""The error of a form against the plain function in float64, on the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lossgen.bench.tensors import as_double


@dataclass(frozen=True)
class Reference:
    """The loss and its gradients in float64."""

    value: Tensor
    gradients: Mapping[str, Tensor]


def reference(
    plain: Callable[..., Tensor], tensors: Mapping[str, Tensor], upstream: float
) -> Reference:
    """What the plain function gives in float64."""
    return _outcome(plain, as_double(tensors), upstream)


def _outcome(
    form: Callable[..., Tensor], tensors: Mapping[str, Tensor], upstream: float
) -> Reference:
    names = [name for name, x in tensors.items() if x.requires_grad]
    value = form(**tensors)
    incoming = torch.full_like(value, upstream)
    found = torch.autograd.grad(value, [tensors[name] for name in names], incoming)
    return Reference(value.detach(), dict(zip(names, found, strict=True)))


def errors(
    form: Callable[..., Tensor], tensors: Mapping[str, Tensor], upstream: float, truth: Reference
) -> tuple[float, float]:
    """Relative errors of value and gradient: the largest error by the largest element."""
    found = _outcome(form, tensors, upstream)
    gradient = max(_relative(g, truth.gradients[name]) for name, g in found.gradients.items())
    return _relative(found.value, truth.value), gradient


def _relative(found: Tensor, truth: Tensor) -> float:
    scale = truth.abs().max().item()
    error = (found.double().reshape(truth.shape) - truth).abs().max().item()
    return error / scale if scale else error
