"""Torch's own OpInfo samples as cases."""

from __future__ import annotations

import functools
import inspect
import random
from typing import Any

import torch
from torch import Tensor
from torch.testing._internal.common_methods_invocations import op_db

from tests.parity.losses import LOSSES, Case

# Undocumented broadcasting that torch happens to perform. The generated forms refuse it by a
# ValueError that names both shapes, because a target of another shape is nearly always a mistake.
REFUSED = {
    f"margin_ranking: input1 5x2, input2 5x1, target 1x2, reduction={reduction}"
    for reduction in ("sum", "mean", "none")
} | {
    f"hinge_embedding: input 5x5, target 1x5, reduction={reduction}"
    for reduction in ("sum", "mean", "none")
}


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _case(loss: str, sample: Any) -> Case:
    """One sample as a case, named after its shapes and its options."""
    bound = inspect.signature(LOSSES[loss].function).bind(
        sample.input, *sample.args, **sample.kwargs
    )
    tensors = {k: v for k, v in bound.arguments.items() if isinstance(v, Tensor)}
    options = {k: v for k, v in bound.arguments.items() if not isinstance(v, Tensor)}
    parts = [f"{key} {_shape(tensor)}" for key, tensor in tensors.items()]
    parts += [f"{key}={_shown(value)}" for key, value in options.items()]
    held = {key: tensor.detach().clone() for key, tensor in tensors.items()}
    return Case(loss, ", ".join(parts), held, options)


@functools.cache
def cases(loss: str) -> tuple[Case, ...]:
    """All sample and reference inputs of torch's database for a loss, in double precision."""
    random.seed(7)
    torch.manual_seed(7)
    (info,) = (op for op in op_db if op.name == LOSSES[loss].opinfo)
    # Reference inputs include the plain samples where torch has both.
    drawn = info.reference_inputs("cpu", torch.float64, requires_grad=True)
    return tuple(_case(loss, sample) for sample in drawn)


def accepted(loss: str) -> list[Case]:
    """The samples whose shapes torch documents."""
    return [case for case in cases(loss) if f"{loss}: {case.name}" not in REFUSED]


def error_calls(loss: str) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The calls that torch's database lists as errors, each with torch's message."""
    (info,) = (op for op in op_db if op.name == LOSSES[loss].opinfo)
    if info.error_inputs_func is None:
        return []
    torch.manual_seed(7)
    found = []
    for error in info.error_inputs("cpu"):
        sample = error.sample_input
        found.append((error.error_regex, (sample.input, *sample.args), sample.kwargs))
    return found
