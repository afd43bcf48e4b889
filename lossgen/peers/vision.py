"""Losses of torchvision, kornia and segmentation-models-pytorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from lossgen.peers.importing import part
from lossgen.peers.peer import Form, reduced

Load = Callable[[str], Form]


def torchvision(module: str, name: str) -> Load:
    """A function of ``torchvision.ops``."""

    def load(reduction: str) -> Form:
        without = ("torchvision", "torchvision.utils", "torchvision.ops")
        (function,) = part(f"torchvision.ops.{module}", name, without=without)
        return lambda input, target, **options: function(
            input, target, **options, reduction=reduction
        )

    return load


def _kornia(module: str, name: str) -> Form:
    (function,) = part(f"kornia.losses.{module}", name, without=("kornia", "kornia.losses"))
    return function


def kornia_pair(name: str) -> Load:
    """A function of kornia's of input and target."""

    def load(reduction: str) -> Form:
        function = _kornia(name.removesuffix("_loss"), name)
        return lambda input, target, **_: function(input, target, reduction=reduction)

    return load


def kornia_focal(reduction: str) -> Form:
    """kornia's softmax focal loss, which has a value for each class, all but one of them 0."""
    function = _kornia("focal", "focal_loss")

    def loss(input: Tensor, target: Tensor, gamma: float, ignore_index: int) -> Tensor:
        if reduction != "none":
            total = function(input, target, None, gamma, "sum", ignore_index=ignore_index)
            return total if reduction == "sum" else total / target.numel()
        found = function(input, target, None, gamma, "none", ignore_index=ignore_index)
        label = target.where(target != ignore_index, 0)
        return found.gather(1, label.unsqueeze(1)).squeeze(1)

    return loss


def kornia_binary_focal(reduction: str) -> Form:
    """kornia's sigmoid focal loss."""
    function = _kornia("focal", "binary_focal_loss_with_logits")

    def loss(input: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
        found = function(input[None], target[None], alpha, gamma, reduction)
        return found[0] if reduction == "none" else found

    return loss


def kornia_variation(reduction: str) -> Form:
    """kornia's total variation, which has a value for each channel."""
    function = _kornia("total_variation", "total_variation")
    return lambda input: reduced(function(input).sum(1), reduction)


def _smp(name: str) -> Form:
    without = ("segmentation_models_pytorch", "segmentation_models_pytorch.losses")
    (function,) = part("segmentation_models_pytorch.losses._functional", name, without=without)
    return function


def smp_overlap(name: str, dims: tuple[int, ...], activate: Form, **told: str) -> Load:
    """An overlap of SMP's; `told` gives its arguments in ours."""

    def load(reduction: str) -> Form:
        score = _smp(name)

        def loss(input: Tensor, target: Tensor, smooth: float, **options: Any) -> Tensor:
            given = {theirs: options[ours] for theirs, ours in told.items()}
            # Their Dice is (overlap + s) / (mass / 2 + s): twice their s is ours.
            given["smooth"] = smooth / 2 if name == "soft_dice_score" else smooth
            input, target = input.flatten(2), target.flatten(2)
            return reduced(1 - score(activate(input), target, dims=dims, **given), reduction)

        return loss

    return load


def smp_focal(reduction: str) -> Form:
    """SMP's sigmoid focal loss."""
    function = _smp("focal_loss_with_logits")
    return lambda input, target, alpha, gamma: function(
        input, target, gamma=gamma, alpha=alpha, reduction=reduction
    )


def smp_softmax_focal(reduction: str) -> Form:
    """SMP's softmax focal loss."""
    function = _smp("softmax_focal_loss_with_logits")
    return lambda input, target, gamma, ignore_index: function(
        input, target, gamma=gamma, reduction=reduction
    )


def smp_wing(reduction: str) -> Form:
    """SMP's wing loss."""
    function = _smp("wing_loss")
    return lambda input, target, width, curvature: function(
        input, target, width, curvature, reduction=reduction
    )
