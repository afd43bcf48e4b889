"""Regression losses and hand-written backwards that shipped wrong, beside their right versions."""

from typing import Any

import torch
from torch import Tensor


def smooth_l1(input: Tensor, target: Tensor, beta: float = 1.0) -> Tensor:
    error = (input - target).abs()
    if beta == 0:
        return error.mean()
    return torch.where(error < beta, error**2 / (2 * beta), error - beta / 2).mean()


def smooth_l1_without_cutoff(input: Tensor, target: Tensor, beta: float = 1.0) -> Tensor:
    """The cutoff is taken and not used."""
    error = (input - target).abs()
    return torch.where(error < 1, error**2 / 2, error - 0.5).mean()


def huber(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    error = (input - target).abs()
    return torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean()


def huber_signed(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """The threshold is held against the signed difference: every negative one is a parabola."""
    gap = input - target
    return torch.where(gap <= delta, gap**2 / 2, delta * (gap.abs() - delta / 2)).mean()


class _Quantile(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor, q: float) -> Tensor:
        error = target - input
        ctx.save_for_backward(error)
        ctx.q = q
        return -torch.where(error > 0, q * error, (q - 1) * error).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (error,) = ctx.saved_tensors
        slope = torch.where(error > 0, -ctx.q, 1 - ctx.q).to(error.dtype) / error.numel()
        return grad * slope, -grad * slope, None


def quantile(input: Tensor, target: Tensor, q: float = 0.5) -> Tensor:
    error = target - input
    return torch.where(error > 0, q * error, (q - 1) * error).mean()


def quantile_negative(input: Tensor, target: Tensor, q: float = 0.5) -> Tensor:
    """The value has the wrong sign and the gradient the right one: training never notices."""
    return _Quantile.apply(input, target, q)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor, whole: bool) -> Tensor:
        ctx.save_for_backward(input, target)
        ctx.whole = whole
        return -input.log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        input, target = ctx.saved_tensors
        one_hot = torch.nn.functional.one_hot(target, input.shape[1]).movedim(-1, 1)
        scale = grad.unsqueeze(1) if ctx.whole else grad.flatten()[0]
        return (input.softmax(1) - one_hot) * scale, None, None


def cross_entropy_items(input: Tensor, target: Tensor) -> Tensor:
    return _CrossEntropy.apply(input, target, True)


def cross_entropy_items_first(input: Tensor, target: Tensor) -> Tensor:
    """Every gradient is scaled by the first element of the incoming one."""
    return _CrossEntropy.apply(input, target, False)


class _Huber(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor, delta: float, cast: bool) -> Tensor:
        error = input - target
        ctx.save_for_backward(input, target)
        ctx.delta, ctx.cast = delta, cast
        size = error.abs()
        return torch.where(size <= delta, error**2 / 2, delta * (size - delta / 2)).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        input, target = ctx.saved_tensors
        error = input - target
        slope = grad * error.clamp(-ctx.delta, ctx.delta) / error.numel()
        result = torch.zeros_like(input)
        inside = error != 0
        result[inside] = slope[inside].to(input.dtype) if ctx.cast else slope[inside]
        return result, None, None, None


def huber_cast(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    return _Huber.apply(input, target, delta, True)


def huber_uncast(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Forward takes a float32 input beside a float64 target; backward cannot store its result."""
    return _Huber.apply(input, target, delta, False)


def clamped_bce(input: Tensor, target: Tensor) -> Tensor:
    wide = torch.float64 if input.dtype is torch.float64 else torch.float32
    prob, label = input.to(wide).clamp(1e-6, 1 - 1e-6), target.to(wide)
    return -(label * prob.log() + (1 - label) * (1 - prob).log()).mean().to(input.dtype)


def clamped_bce_half(input: Tensor, target: Tensor) -> Tensor:
    """In half precision 1 - 1e-6 is 1, and the clamp holds nothing back."""
    prob = input.clamp(1e-6, 1 - 1e-6)
    return -(target * prob.log() + (1 - target) * (1 - prob).log()).mean()
