"""Code to ask about: right at first, and wrong in another mode, after another call, on more."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "specs"


def squares(input: Tensor, target: Tensor) -> Tensor:
    return ((input - target) ** 2).mean()


class Evaluating(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return squares(input, target) * (1 if self.training else 2)


class Remembering(nn.Module):
    """It divides by the size of the first batch that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self.count = self.count or input.numel()
        return ((input - target) ** 2).sum() / self.count


class _Twice(torch.autograd.Function):
    """Its backward changes what its forward kept."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.slope = 2 * (input - target) / input.numel()
        return squares(input, target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        ctx.slope *= grad * 1.5
        return ctx.slope / 1.5, -ctx.slope / 1.5


def twice(input: Tensor, target: Tensor) -> Tensor:
    found: Tensor = _Twice.apply(input, target)  # type: ignore[no-untyped-call]
    return found


class _Alone(torch.autograd.Function):
    """Its gradient by the target has its sign only where the input has a gradient too."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(input, target)
        return squares(input, target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        input, target = ctx.saved_tensors
        slope = grad * 2 * (input - target) / input.numel()
        return slope, -slope if ctx.needs_input_grad[0] else slope


def alone(input: Tensor, target: Tensor) -> Tensor:
    found: Tensor = _Alone.apply(input, target)  # type: ignore[no-untyped-call]
    return found


def ungraded(input: Tensor, target: Tensor) -> Tensor:
    return squares(input, target) + (0 if torch.is_grad_enabled() else 1)


def by_blocks(input: Tensor, target: Tensor) -> Tensor:
    """What is left over by blocks of 1024 is lost."""
    error = ((input - target) ** 2).flatten()
    whole = len(error) // 1024 * 1024
    return error[:whole].sum() / len(error) if whole else error.mean()


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(input - target)
        return squares(input, target)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (error,) = ctx.saved_tensors
        slope = grad * 2 * error / error.numel()
        return slope, -slope


def once(input: Tensor, target: Tensor) -> Tensor:
    found: Tensor = _Once.apply(input, target)  # type: ignore[no-untyped-call]
    return found


def focal(input: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    raise NotImplementedError
