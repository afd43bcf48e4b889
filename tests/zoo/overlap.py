"""Overlap losses that shipped wrong, in our own words, each beside its right version."""

import torch
from torch import Tensor
from torch.nn import functional as F


def tversky(
    input: Tensor, target: Tensor, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Tensor:
    prob, label = input.softmax(1).flatten(2), target.flatten(2)
    hit = (prob * label).sum(2)
    extra, missed = (prob * (1 - label)).sum(2), ((1 - prob) * label).sum(2)
    return (1 - (hit + smooth) / (hit + alpha * extra + beta * missed + smooth)).mean()


def tversky_swapped(
    input: Tensor, target: Tensor, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Tensor:
    """alpha weighs what was missed and beta what was too much: invisible at 1/2 and 1/2."""
    return tversky(input, target, beta, alpha, smooth)


def tversky_in_place(
    input: Tensor, target: Tensor, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Tensor:
    """The probabilities are clamped in place after the softmax has kept them for its backward."""
    prob = input.softmax(1)
    prob.clamp_(min=0.0)
    prob, label = prob.flatten(2), target.flatten(2)
    hit = (prob * label).sum(2)
    extra, missed = (prob * (1 - label)).sum(2), ((1 - prob) * label).sum(2)
    return (1 - (hit + smooth) / (hit + alpha * extra + beta * missed + smooth)).mean()


def wasserstein_dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    prob, label = input.softmax(1).flatten(2), target.flatten(1)
    error = 1 - prob.gather(1, label.unsqueeze(1)).squeeze(1)
    hit = torch.where(label != 0, 1 - error, 0).sum(1)
    return (1 - (2 * hit + smooth) / (2 * hit + error.sum(1) + smooth)).mean()


def wasserstein_dice_broadcast(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """The error keeps an axis of size 1, so that (B, 1, S) meets (B, S) and becomes (B, B, S)."""
    prob, label = input.softmax(1).flatten(2), target.flatten(1)
    error = 1 - prob.gather(1, label.unsqueeze(1))
    hit = torch.where(label != 0, 1 - error, 0).sum((1, 2))
    return (1 - (2 * hit + smooth) / (2 * hit + error.sum((1, 2)) + smooth)).mean()


def wide(x: Tensor) -> Tensor:
    """In half precision, sums over many pixels overflow."""
    return x if x.dtype is torch.float64 else x.float()


def soft_label_dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    input, target = wide(input), wide(target)
    mass = (input + target).flatten(2).sum(2)
    apart = (input - target).abs().flatten(2).sum(2)
    return (1 - (mass - apart + smooth) / (mass + smooth)).mean()


def soft_label_dice_product(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """The overlap as a product: least at 0 or 1 whatever the soft label says."""
    mass = (input + target).flatten(2).sum(2)
    overlap = (input * target).flatten(2).sum(2)
    return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()


def batch_dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    axes = (0, *range(2, input.dim()))
    prob, label = wide(input).sigmoid(), wide(target)
    overlap, mass = (prob * label).sum(axes), (prob + label).sum(axes)
    return (1 - (2 * overlap + smooth) / (mass + smooth)).mean().to(input.dtype)


def batch_dice_half(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """The sums over all pixels stay in half precision, where 65504 is the largest number."""
    axes = (0, *range(2, input.dim()))
    prob = input.sigmoid()
    overlap, mass = (prob * target).sum(axes), (prob + target).sum(axes)
    return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()


def weighted_dice(
    input: Tensor, target: Tensor, weight: Tensor | None = None, smooth: float = 1.0
) -> Tensor:
    prob, label = wide(input).flatten(2), wide(target).flatten(2)
    scale = torch.ones(prob.shape[1], 1) if weight is None else weight.view(-1, 1)
    overlap = (scale * prob * label).sum((1, 2))
    return (1 - (2 * overlap + smooth) / ((scale * (prob + label)).sum((1, 2)) + smooth)).mean()


def weighted_dice_twice(
    input: Tensor, target: Tensor, weight: Tensor | None = None, smooth: float = 1.0
) -> Tensor:
    """Prediction and label are both weighted, so that their product is weighted twice."""
    prob, label = input.flatten(2), target.flatten(2)
    if weight is not None:
        prob, label = weight.view(-1, 1) * prob, weight.view(-1, 1) * label
    overlap = (prob * label).sum((1, 2))
    return (1 - (2 * overlap + smooth) / ((prob + label).sum((1, 2)) + smooth)).mean()


def global_ssim(input: Tensor, target: Tensor, c1: float = 0.01, c2: float = 0.03) -> Tensor:
    x, y = input.flatten(1), target.flatten(1)
    mx, my = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    vx, vy = ((x - mx) ** 2).mean(1), ((y - my) ** 2).mean(1)
    joint = ((x - mx) * (y - my)).mean(1)
    mx, my = mx.squeeze(1), my.squeeze(1)
    above = (2 * mx * my + c1) * (2 * joint + c2)
    return (1 - above / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def global_ssim_detached(
    input: Tensor, target: Tensor, c1: float = 0.01, c2: float = 0.03
) -> Tensor:
    """The numbers pass through a list, and no gradient comes back."""
    values = [
        global_ssim(x[None], y[None], c1, c2).item() for x, y in zip(input, target, strict=True)
    ]
    return torch.tensor(values, dtype=input.dtype).mean()


def ignored_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor:
    return F.cross_entropy(input, target, weight, ignore_index=ignore_index)


def ignored_cross_entropy_counted(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor:
    """What is ignored costs 0 and is counted in the mean all the same."""
    items = F.cross_entropy(input, target, weight, ignore_index=ignore_index, reduction="none")
    return items.mean()
