"""The same losses as others have them: what accuracy and speed are compared with.

Each ``Peer`` computes one of our losses from the same tensors, in torch, torchvision, MONAI,
segmentation-models-pytorch (SMP), kornia, lightly or info-nce. None of them is needed; one that is
missing is left out and named. This table is the one place of the package that knows losses by name:
it says nothing about how they are made. Imports torch, so imported late.

PyPI's torchvision does not import beside every build of torch. The packages' top levels are never
run, so that it is enough to install them without what they depend on:

    pip install --no-deps torchvision kornia monai segmentation-models-pytorch lightly
    pip install --no-deps info-nce-pytorch
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lossgen.peers import contrastive, medical, vision
from lossgen.peers.peer import DISTRIBUTIONS, Form, Peer, version

__all__ = ["DISTRIBUTIONS", "PEERS", "Form", "Peer", "peers_of", "version"]


def _functional(name: str) -> Callable[[str], Form]:
    def load(reduction: str) -> Form:
        function = getattr(F, name)
        return lambda **given: function(**given, reduction=reduction)

    return load


def _torch(ours: str, name: str, *slopes: str) -> Peer:
    return Peer("torch", ours, _functional(name), slopes or ("input",))


def _softmax(x: Tensor) -> Tensor:
    return x.softmax(1)


PEERS = (
    _torch("l1", "l1_loss"),
    _torch("mse", "mse_loss"),
    _torch("smooth_l1", "smooth_l1_loss"),
    _torch("huber", "huber_loss"),
    _torch("binary_cross_entropy", "binary_cross_entropy"),
    _torch("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits"),
    _torch("cross_entropy", "cross_entropy"),
    _torch("nll", "nll_loss"),
    _torch("kl_div", "kl_div"),
    _torch("poisson_nll", "poisson_nll_loss"),
    _torch("gaussian_nll", "gaussian_nll_loss", "input", "var"),
    _torch("soft_margin", "soft_margin_loss"),
    _torch("hinge_embedding", "hinge_embedding_loss"),
    _torch("margin_ranking", "margin_ranking_loss", "input1", "input2"),
    _torch("cosine_embedding", "cosine_embedding_loss", "input1", "input2"),
    _torch("multi_margin", "multi_margin_loss"),
    _torch("multilabel_margin", "multilabel_margin_loss"),
    _torch("multilabel_soft_margin", "multilabel_soft_margin_loss"),
    _torch("triplet_margin", "triplet_margin_loss", "anchor", "positive", "negative"),
    Peer("torchvision", "sigmoid_focal", vision.torchvision("focal_loss", "sigmoid_focal_loss")),
    Peer("torchvision", "giou", vision.torchvision("giou_loss", "generalized_box_iou_loss")),
    Peer("torchvision", "ciou", vision.torchvision("ciou_loss", "complete_box_iou_loss")),
    Peer("kornia", "barron", vision.kornia_pair("charbonnier_loss"), options={"alpha": 1.0}),
    Peer("kornia", "barron", vision.kornia_pair("welsch_loss"), options={"alpha": float("-inf")}),
    Peer("kornia", "barron", vision.kornia_pair("cauchy_loss"), options={"alpha": 0.0}),
    Peer("kornia", "barron", vision.kornia_pair("geman_mcclure_loss"), options={"alpha": -2.0}),
    Peer("kornia", "softmax_focal", vision.kornia_focal),
    Peer("kornia", "sigmoid_focal", vision.kornia_binary_focal, hard=True),
    Peer("kornia", "total_variation", vision.kornia_variation),
    Peer("SMP", "sigmoid_focal", vision.smp_focal, hard=True),
    Peer("SMP", "softmax_focal", vision.smp_softmax_focal),
    Peer("SMP", "wing", vision.smp_wing),
    Peer("SMP", "dice", vision.smp_overlap("soft_dice_score", (2,), torch.sigmoid), hard=True),
    Peer(
        "SMP",
        "batch_dice",
        vision.smp_overlap("soft_dice_score", (0, 2), torch.sigmoid),
        hard=True,
    ),
    Peer(
        "SMP",
        "jaccard",
        vision.smp_overlap("soft_jaccard_score", (2,), torch.sigmoid),
        hard=True,
    ),
    Peer(
        "SMP",
        "tversky",
        vision.smp_overlap("soft_tversky_score", (2,), _softmax, alpha="alpha", beta="beta"),
        hard=True,
    ),
    Peer("MONAI", "dice", medical.monai("DiceLoss", sigmoid=True)),
    Peer("MONAI", "batch_dice", medical.monai("DiceLoss", sigmoid=True, batch=True)),
    Peer("MONAI", "jaccard", medical.monai("DiceLoss", sigmoid=True, jaccard=True)),
    Peer("MONAI", "tversky", medical.monai("TverskyLoss", softmax=True), classes=2),
    Peer(
        "MONAI", "generalized_dice", medical.monai("GeneralizedDiceLoss", softmax=True), classes=2
    ),
    Peer("MONAI", "sigmoid_focal", medical.monai_focal, hard=True),
    Peer("MONAI", "focal_tversky", medical.monai_focal_tversky, classes=2, items=False),
    Peer("info-nce", "info_nce", contrastive.info_nce, ("query", "key"), items=False),
    Peer("lightly", "nt_xent", contrastive.lightly_nt_xent, ("first", "second"), items=False),
    Peer(
        "lightly",
        "barlow_twins",
        contrastive.lightly_barlow_twins,
        ("input1", "input2"),
        items=False,
    ),
    Peer("lightly", "vicreg", contrastive.lightly_vicreg, ("input1", "input2"), items=False),
)


def peers_of(name: str) -> list[Peer]:
    """The peers of one of our losses."""
    return [peer for peer in PEERS if peer.ours == name]
