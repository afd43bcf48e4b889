"""Code to ask about: ways in which a loss can misbehave."""

import os
import time
from typing import Any

import torch
from torch import Tensor, nn


def right(input: Tensor, target: Tensor) -> Tensor:
    return ((input - target) ** 2).mean()


def doubled(input: Tensor, target: Tensor) -> Tensor:
    return 2 * right(input, target)


def raises(input: Tensor, target: Tensor) -> Tensor:
    raise ValueError("no such thing")


def raises_for_one(input: Tensor, target: Tensor) -> Tensor:
    if len(input) == 1:
        raise ValueError("one is not enough")
    return right(input, target)


def hangs(input: Tensor, target: Tensor) -> Tensor:
    while True:
        time.sleep(0.05)


def doubled_but_dies_of_one_number(input: Tensor, target: Tensor) -> Tensor:
    if input.numel() == 1:
        os._exit(3)
    return doubled(input, target)


def dies(input: Tensor, target: Tensor) -> Tensor:
    os._exit(3)


def leaves(input: Tensor, target: Tensor) -> Tensor:
    raise SystemExit(0)


def prints(input: Tensor, target: Tensor) -> Tensor:
    print("loss is being computed")
    return right(input, target)


def draws(input: Tensor, target: Tensor) -> Tensor:
    return right(input, target) + torch.rand(())


def mutates(input: Tensor, target: Tensor) -> Tensor:
    result = right(input, target)
    with torch.no_grad():
        target.zero_()
    return result


def number(input: Tensor, target: Tensor) -> float:
    return right(input, target).item()


def pair(input: Tensor, target: Tensor) -> tuple[Tensor, int]:
    return right(input, target), 0


def named(input: Tensor, target: Tensor) -> dict[str, Tensor]:
    return {"loss": right(input, target)}


def integers(input: Tensor, target: Tensor) -> Tensor:
    return right(input, target).round().long()


def items(input: Tensor, target: Tensor) -> Tensor:
    return (input - target) ** 2


def detached(input: Tensor, target: Tensor) -> Tensor:
    return right(input, target).detach()


def needs_cuda(input: Tensor, target: Tensor) -> Tensor:
    return right(input.cuda(), target.cuda())


def wider(input: Tensor, target: Tensor, temperature: float) -> Tensor:
    return right(input, target)


def no_half(input: Tensor, target: Tensor) -> Tensor:
    if input.dtype in (torch.float16, torch.bfloat16):
        raise TypeError("no half precision")
    return right(input, target)


def inexact(input: Tensor, target: Tensor) -> Tensor:
    """Loses digits without being wrong: each square carries a large number and gives it back."""
    large = 64 / torch.finfo(input.dtype).eps ** 0.5
    return 9 * (((input - target) / 3) ** 2 + large - large).mean()


def second_order(input: Tensor, target: Tensor) -> Tensor:
    return _Frozen.apply(input, target)


class _Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(2 * (input - target).detach() / input.numel())
        return ((input - target) ** 2).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.saved_tensors[0], None


class Squared(nn.Module):
    """With a reduction, as torch's own modules."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, preds: Tensor, labels: Tensor) -> Tensor:
        item = (preds - labels) ** 2
        return item if self.reduction == "none" else getattr(item, self.reduction)()


class Smoothed(nn.Module):
    """An overlap loss of probabilities, channels last, with its smoothing in the constructor."""

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, prob: Tensor, target: Tensor) -> Tensor:
        axes = tuple(range(1, prob.dim() - 1))
        overlap, mass = (prob * target).sum(axes), (prob + target).sum(axes)
        return (1 - (2 * overlap + self.smooth) / (mass + self.smooth)).mean()
