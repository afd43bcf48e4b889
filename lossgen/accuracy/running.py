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


def tensors(
    case: Case, dtype: torch.dtype, slopes: frozenset[str] | None = None
) -> dict[str, Tensor]:
    """The tensors of a case; real ones in the given dtype, with gradient (those of `slopes`)."""
    found = {}
    for name, filled in case.tensors.items():
        kind = case.spec.tensor(name).role.kind
        held = {"integer": torch.int64, "boolean": torch.bool}.get(kind, dtype)
        # Through float64: the numbers are those of the dtype, and are rounded nowhere.
        made = torch.tensor(filled.flat, dtype=torch.float64 if held == dtype else held)
        found[name] = made.to(held).reshape(filled.shape)
        if kind == "real" and (slopes is None or name in slopes):
            found[name].requires_grad_()
    return found


def run(
    loss: Loss,
    case: Case,
    dtype: torch.dtype,
    options: Mapping[str, Any],
    slopes: frozenset[str] | None = None,
) -> Computed:
    """One call and its backward under a gradient of ones."""
    given = tensors(case, dtype, slopes)
    leaves = {name: x for name, x in given.items() if x.requires_grad}
    try:
        result = loss(**given, **options)
        found = _gradient(result, leaves)
    except Exception as fault:  # whatever the code under judgement raises
        return Computed((), {}, f"{type(fault).__name__}: {fault}")
    return Computed(_floats(result.detach()), {k: _floats(x.detach()) for k, x in found.items()})


def run_twice(
    loss: Loss,
    case: Case,
    dtype: torch.dtype,
    options: Mapping[str, Any],
    slopes: frozenset[str] | None = None,
) -> Computed:
    """The derivative of the sum of the gradient, in place of the gradient."""
    given = tensors(case, dtype, slopes)
    leaves = {name: x for name, x in given.items() if x.requires_grad}
    try:
        result = loss(**given, **options)
        first = _gradient(result, leaves, keep=True)
        moving = [x for x in first.values() if x.requires_grad]
        # Gradients of several scalars: what stands at the root is 1 for each of them.
        total = torch.stack([x.sum() for x in moving]).sum() if moving else result.sum()
        found = _gradient(total, leaves) if moving else {}
    except Exception as fault:
        return Computed((), {}, f"{type(fault).__name__}: {fault}")
    return Computed((), {k: _floats(x.detach()) for k, x in found.items()})


def run_empty(
    loss: Loss,
    case: Case,
    options: Mapping[str, Any],
    items: bool,
    slopes: frozenset[str] | None = None,
) -> str:
    """What is wrong with a call without items (an empty text: nothing)."""
    given = tensors(case, torch.float32, slopes)
    leaves = {name: x for name, x in given.items() if x.requires_grad}
    try:
        result = loss(**given, **options)
        found = _gradient(result, leaves)
    except Exception as fault:
        return f"{type(fault).__name__}: {fault}"
    if items and result.numel():
        return f"gave shape {list(result.shape)}"
    wrong = [k for k, x in found.items() if x.shape != leaves[k].shape]
    return f"gradients of wrong shape: {', '.join(wrong)}" if wrong else ""


def _gradient(
    result: Tensor, leaves: Mapping[str, Tensor], keep: bool = False
) -> dict[str, Tensor]:
    """The gradient under ones, by tensor; zeros where there is none."""
    if not result.requires_grad or not leaves:
        return {name: torch.zeros_like(x) for name, x in leaves.items()}
    seed = torch.ones_like(result)
    found = torch.autograd.grad(
        result, list(leaves.values()), seed, allow_unused=True, create_graph=keep
    )
    return {
        name: torch.zeros_like(leaf) if slope is None else slope
        for (name, leaf), slope in zip(leaves.items(), found, strict=True)
    }


def _floats(tensor: Tensor) -> tuple[float, ...]:
    # A gradient that is 0 by structure has no memory of its own until it is copied.
    return tuple(tensor.clone().double().flatten().tolist())
