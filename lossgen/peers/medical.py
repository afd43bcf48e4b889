"""Losses of MONAI."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossgen.peers.peer import Form, reduced


def monai(name: str, **fixed: Any) -> Callable[[str], Form]:
    """A loss of MONAI's; ``smooth`` is added above and below."""

    def load(reduction: str) -> Form:
        kind = getattr(importlib.import_module("monai.losses"), name)

        def loss(input: Tensor, target: Tensor, smooth: float, **options: Any) -> Tensor:
            added = 2 * smooth if fixed.get("jaccard") else smooth
            told = {**fixed, **options, "smooth_nr": added, "smooth_dr": added}
            found = torch.as_tensor(kind(reduction=reduction, **told)(input, target))
            if reduction != "none":
                return found
            return found.flatten(0 if fixed.get("batch") else 1)

        return loss

    return load


def monai_focal(reduction: str) -> Form:
    """MONAI's focal loss over sigmoids."""
    kind = importlib.import_module("monai.losses").FocalLoss

    def loss(input: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
        loss = kind(gamma=gamma, alpha=alpha, reduction=reduction)
        found: Tensor = loss(input[None, None], target[None, None])
        return found[0, 0] if reduction == "none" else found

    return loss


def monai_focal_tversky(reduction: str) -> Form:
    """MONAI's Tversky loss to the power 1 / gamma, which is how its users write the focal one."""
    kind = importlib.import_module("monai.losses").TverskyLoss

    def loss(
        input: Tensor, target: Tensor, alpha: float, beta: float, gamma: float, smooth: float
    ) -> Tensor:
        weights = {"alpha": alpha, "beta": beta, "smooth_nr": smooth, "smooth_dr": smooth}
        found: Tensor = kind(softmax=True, reduction="none", **weights)(input, target)
        return reduced(found.flatten(1) ** (1 / gamma), reduction)

    return loss
