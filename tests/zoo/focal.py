"""Focal losses that shipped wrong, in our own words, each beside its right version."""

import torch
from torch import Tensor
from torch.nn import functional as F


def softmax_focal(input: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    label = target.unsqueeze(1)
    log_prob = input.log_softmax(1).gather(1, label).squeeze(1)
    rest = input.scatter(1, label, float("-inf")).logsumexp(1)
    return (-(gamma * (rest - input.logsumexp(1))).exp() * log_prob).mean()


def softmax_focal_of_sigmoids(input: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Each class has a sigmoid of its own; with gamma = 0 that is no cross-entropy over classes."""
    log_prob = F.logsigmoid(input).gather(1, target.unsqueeze(1)).squeeze(1)
    return (-((1 - log_prob.exp()) ** gamma) * log_prob).mean()


def sigmoid_focal(input: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    entropy = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    log_miss = torch.where(target > 0.5, F.logsigmoid(-input), F.logsigmoid(input))
    balance = alpha * target + (1 - alpha) * (1 - target)
    return (balance * (gamma * log_miss).exp() * entropy).mean()


def sigmoid_focal_power(
    input: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """(1 - p)**gamma: at p = 1 its slope is infinite for gamma < 1, and infinity times 0 is NaN."""
    prob = input.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    hit = torch.where(target > 0.5, prob, 1 - prob)
    balance = alpha * target + (1 - alpha) * (1 - target)
    return (balance * (1 - hit) ** gamma * entropy).mean()


def sigmoid_focal_scaled(
    input: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """alpha weighs both labels, so that it only scales the loss."""
    entropy = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    log_miss = torch.where(target > 0.5, F.logsigmoid(-input), F.logsigmoid(input))
    return (alpha * (gamma * log_miss).exp() * entropy).mean()


def asymmetric(
    input: Tensor,
    target: Tensor,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
) -> Tensor:
    shifted = (input.sigmoid() - margin).clamp(min=0)
    rest = (1 - input.sigmoid() + margin).clamp(max=1)
    rest = rest.log() if margin > 0 else F.logsigmoid(-input)
    miss = (gamma_pos * F.logsigmoid(-input)).exp()
    hit = target * miss * F.logsigmoid(input)
    return -(hit + (1 - target) * shifted**gamma_neg * rest).mean()


def asymmetric_in_place(
    input: Tensor,
    target: Tensor,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
) -> Tensor:
    """The shift is written into the sigmoid's own result, which its backward still needs."""
    prob = input.sigmoid()
    rest = (1 - prob + margin).clamp(max=1)
    rest = rest.log() if margin > 0 else F.logsigmoid(-input)
    shifted = prob.sub_(margin).clamp_(min=0)
    hit = target * input.neg().sigmoid() ** gamma_pos * F.logsigmoid(input)
    return -(hit + (1 - target) * shifted**gamma_neg * rest).mean()
