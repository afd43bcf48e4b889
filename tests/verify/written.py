"""Losses in the forms in which people write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper that hides the names of what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@plain
def wrapped(input: Tensor, target: Tensor) -> Tensor:
    return ((input - target) ** 2).mean()


def keywords(**given: Tensor) -> Tensor:
    return ((given["input"] - given["target"]) ** 2).mean()


@dataclass
class Output:
    loss: Tensor
    count: int


def output(input: Tensor, target: Tensor) -> Output:
    return Output(((input - target) ** 2).mean(), len(input))


def second(input: Tensor, target: Tensor) -> tuple[int, Tensor]:
    return len(input), ((input - target) ** 2).mean()


def nothing(input: Tensor, target: Tensor) -> None:
    ((input - target) ** 2).mean()


class Lit(nn.Module):
    """A model with its losses as methods."""

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.scale = scale
        self.net = nn.Linear(2, 2)

    def loss(self, preds: Tensor, labels: Tensor) -> Tensor:
        return ((preds - labels) ** 2).mean()

    def scaled(self, preds: Tensor, labels: Tensor) -> Tensor:
        return self.scale * ((preds - labels) ** 2).mean()


class Counting(nn.Module):
    """It answers otherwise the second time."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        made: Tensor = ((input - target) ** 2).mean() * (1 + self.seen)
        self.seen += 1
        return made


class Weighted(nn.Module):
    """Its weights must be given."""

    class_weights: Tensor

    def __init__(self, class_weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        nll = -logits.log_softmax(1)[torch.arange(len(labels)), labels]
        weights = self.class_weights[labels]
        return (nll * weights).sum() / weights.sum()


def images(input: Tensor, target: Tensor) -> Tensor:
    assert input.dim() == 4
    return ((input - target) ** 2).mean()


def pairs(preds: Tensor, targets: Tensor) -> Tensor:
    """Right for columns; for vectors every prediction meets every label."""
    return ((preds.view(-1, 1) - targets) ** 2).mean()


def changed(input: Tensor, target: Tensor) -> Tensor:
    input -= target
    return (input**2).mean()


def half(input: Tensor, target: Tensor) -> Tensor:
    return ((input.half() - target.half()) ** 2).mean()


def single(input: Tensor, target: Tensor) -> Tensor:
    return ((input.float() - target.float()) ** 2).mean()


def by_labels(logits: Tensor, labels: Tensor, smooth: float = 1.0) -> Tensor:
    """Dice of class indices."""
    known = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype).flatten(2)
    prob = logits.sigmoid().flatten(2)
    mass = (prob + known).sum(2)
    return 1 - ((2 * (prob * known).sum(2) + smooth) / (mass + smooth)).mean()


def tokens(logits: Tensor, labels: Tensor) -> Tensor:
    """Scores with the class axis last."""
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.reshape(-1))


def with_itself(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's loss in which a row is its own negative."""
    rows = F.normalize(torch.cat([first, second]), dim=1)
    count = len(first)
    labels = torch.cat([torch.arange(count, 2 * count), torch.arange(count)])
    return F.cross_entropy(rows @ rows.t() / temperature, labels)


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0) -> Tensor:
    """No eps, as in most repositories."""
    near = (anchor - positive).pow(2).sum(1).sqrt()
    far = (anchor - negative).pow(2).sum(1).sqrt()
    return (near - far + margin).relu().mean()


def triplet_minus(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0
) -> Tensor:
    near = (anchor - positive).pow(2).sum(1).sqrt()
    far = (anchor - negative).pow(2).sum(1).sqrt()
    return (near - far - margin).relu().mean()


def distilled(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """KL(teacher || student)."""
    log_p = (student / temperature).log_softmax(-1)
    q = (teacher / temperature).softmax(-1)
    return F.kl_div(log_p, q, reduction="batchmean")


def log_variance(mu: Tensor, log_var: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (log_var + (y - mu) ** 2 / log_var.exp()).mean()


def added_eps(mean: Tensor, y: Tensor, var: Tensor, eps: float = 1e-6) -> Tensor:
    return 0.5 * ((var + eps).log() + (y - mean) ** 2 / (var + eps)).mean()


def weight_astray(pred: Tensor, target: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """The weight of the positive labels on the negative ones."""
    weight = 1.0 if pos_weight is None else pos_weight
    return -(target * F.logsigmoid(pred) + weight * (1 - target) * F.logsigmoid(-pred)).mean()


def flat_tails(pred: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Huber's value; the clamp takes the gradient of the tails."""
    error = (pred - target).abs()
    inner = error.clamp(max=delta)
    return (0.5 * inner**2 + delta * (error - inner).detach()).mean()


def pinball(preds: Tensor, target: Tensor, quantile: float = 0.5) -> Tensor:
    error = target - preds
    return torch.max((quantile - 1) * error, quantile * error).mean()


def zero_one(logits: Tensor, y: Tensor) -> Tensor:
    return F.softplus(-logits * (2 * y - 1)).mean()
