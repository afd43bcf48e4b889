"""Runs code on a case: values and gradients as plain floats. Imports torch, so imported late.

The functional form is asked for its items (``reduction="none"``) and their gradient under ones, the
plain function for its scalar, point by point. What raises is a finding, not an accident: the error
is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossgen.accuracy.cases import Case

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Computed:
    """What code gave: results, gradients by tensor (zeros where it gave none), or an error."""

    values: tuple[float, ...]
    slopes: Mapping[str, tuple[float, ...]]
    error: str = ""


def tensors(case: Case, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of a case; real ones in the given dtype, with gradient."""
    found = {}
    for name, filled in case.tensors.items():
        kind = case.spec.tensor(name).role.kind
        held = {"integer": torch.int64, "boolean": torch.bool}.get(kind, dtype)
        # Through float64: a list of Python floats is rounded once, not twice.
        made = torch.tensor(filled.flat, dtype=torch.float64 if held == dtype else held)
        found[name] = made.to(held).reshape(filled.shape)
        if kind == "real":
            found[name].requires_grad_()
    return found


def run(loss: Loss, case: Case, dtype: torch.dtype, options: Mapping[str, Any]) -> Computed:
    """One call and its backward under a gradient of ones."""
    given = tensors(case, dtype)
    try:
        result = loss(**given, **options)
        leaves = {name: x for name, x in given.items() if x.requires_grad}
        if result.requires_grad:
            seed = torch.ones_like(result)
            found = torch.autograd.grad(result, list(leaves.values()), seed, allow_unused=True)
        else:
            found = (None,) * len(leaves)
    except Exception as fault:  # whatever the code under judgement raises
        return Computed((), {}, f"{type(fault).__name__}: {fault}")
    slopes = {
        name: _floats(torch.zeros_like(leaves[name]) if slope is None else slope)
        for name, slope in zip(leaves, found, strict=True)
    }
    return Computed(_floats(result.detach()), slopes)


def _floats(tensor: Tensor) -> tuple[float, ...]:
    return tuple(tensor.double().flatten().tolist())
