"""Losses over pairs, of lightly and info-nce; most have no unreduced form."""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor

from lossgen.peers.importing import part
from lossgen.peers.peer import Form

_LIGHTLY = ("lightly", "lightly.loss", "lightly.models", "lightly.models.modules")
_TORCHVISION = ("torchvision", "torchvision.utils", "torchvision.ops")


def info_nce(reduction: str) -> Form:
    """InfoNCE of the package of that name."""
    function = importlib.import_module("info_nce").info_nce
    return lambda query, key, tau: function(query, key, temperature=tau, reduction=reduction)


def lightly_nt_xent(reduction: str) -> Form:
    """lightly's NT-Xent: the mean alone."""
    kind = _lightly("ntx_ent_loss", "NTXentLoss")
    return lambda first, second, tau: kind(temperature=tau)(first, second)


def lightly_barlow_twins(reduction: str) -> Form:
    """lightly's Barlow Twins, whose eps is batch normalisation's, as ours by default."""
    kind = _lightly("barlow_twins_loss", "BarlowTwinsLoss")
    return lambda input1, input2, lambd, eps: kind(lambda_param=lambd)(input1, input2)


def lightly_vicreg(reduction: str) -> Form:
    """lightly's VICReg, whose hinge asks for a deviation of 1, as ours by default."""
    kind = _lightly("vicreg_loss", "VICRegLoss")

    def loss(
        input1: Tensor,
        input2: Tensor,
        invariance: float,
        variance: float,
        covariance: float,
        gamma: float,
        eps: float,
    ) -> Tensor:
        found: Tensor = kind(invariance, variance, covariance, eps=eps)(input1, input2)
        return found

    return loss


def _lightly(module: str, name: str) -> Any:
    # What the loss imports imports a layer of torchvision's, which the loss never uses.
    (kind,) = part(f"lightly.loss.{module}", name, without=(*_TORCHVISION, *_LIGHTLY))
    return kind
