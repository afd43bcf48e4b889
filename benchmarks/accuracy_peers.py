"""The same loss as others have it: torch, torchvision, MONAI, SMP, kornia.

Each ``Peer`` computes the unreduced loss of one of ours from the same tensors. Packages are
imported without their top level, which asks for what a loss does not need; one that is missing is
left out and named.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Form = Callable[..., Tensor]


@dataclass(frozen=True)
class Peer:
    """One loss of another package.

    Attributes:
        ours: the loss of the catalogue; `options` are those under which both are the same.
        load: gives the callable; raises ImportError where the package is missing.
        slopes: the tensors by which both give a gradient.
        hard: whether both are the same only for targets of 0 and 1.
        classes: the fewest classes with which both are the same.
    """

    package: str
    ours: str
    load: Callable[[], Form]
    slopes: tuple[str, ...] = ("input",)
    options: Mapping[str, Any] = field(default_factory=dict)
    hard: bool = False
    classes: int = 1


def bare(name: str) -> None:
    """Make a package importable without running its ``__init__``.

    Raises:
        ImportError: where it is not installed.
    """
    if name in sys.modules:
        return
    parent, _, last = name.rpartition(".")
    if parent:
        bare(parent)
        places = [f"{place}/{last}" for place in sys.modules[parent].__path__]
    else:
        found = importlib.util.find_spec(name)
        if found is None or found.submodule_search_locations is None:
            raise ImportError(f"{name} is not installed")
        places = list(found.submodule_search_locations)
    module = types.ModuleType(name)
    module.__path__ = places
    # What a loss imports from the top level: a call that reports usage, a version.
    module.__getattr__ = lambda word: lambda *args, **kwargs: None  # type: ignore[method-assign]
    sys.modules[name] = module


def part(module: str, *names: str, without: tuple[str, ...]) -> list[Any]:
    """Names of a module whose packages are not run."""
    for package in without:
        bare(package)
    loaded = importlib.import_module(module)
    return [getattr(loaded, name) for name in names]


def _functional(name: str) -> Callable[[], Form]:
    def load() -> Form:
        function = getattr(F, name)
        return lambda **given: function(**given, reduction="none")

    return load


def _torch(ours: str, name: str, *slopes: str, **options: Any) -> Peer:
    return Peer("torch", ours, _functional(name), slopes or ("input",), options)


def _torchvision(module: str, name: str) -> Callable[[], Form]:
    def load() -> Form:
        without = ("torchvision", "torchvision.utils", "torchvision.ops")
        (function,) = part(f"torchvision.ops.{module}", name, without=without)
        return lambda input, target, **options: function(input, target, **options)

    return load


def _kornia(module: str, name: str) -> Form:
    (function,) = part(f"kornia.losses.{module}", name, without=("kornia", "kornia.losses"))
    return function  # type: ignore[no-any-return]


def _pair(name: str) -> Callable[[], Form]:
    def load() -> Form:
        function = _kornia(name.removesuffix("_loss"), name)
        return lambda input, target, **_: function(input, target, reduction="none")

    return load


def _kornia_focal() -> Form:
    function = _kornia("focal", "focal_loss")

    def loss(input: Tensor, target: Tensor, gamma: float, ignore_index: int) -> Tensor:
        found = function(input, target, None, gamma, "none", ignore_index=ignore_index)
        label = target.where(target != ignore_index, 0)
        return found.gather(1, label.unsqueeze(1)).squeeze(1)

    return loss


def _kornia_binary_focal() -> Form:
    function = _kornia("focal", "binary_focal_loss_with_logits")
    return lambda input, target, alpha, gamma: function(
        input[None], target[None], alpha, gamma, "none"
    )[0]


def _kornia_variation() -> Form:
    function = _kornia("total_variation", "total_variation")
    return lambda input: function(input).sum(1)


def _smp(name: str) -> Form:
    without = ("segmentation_models_pytorch", "segmentation_models_pytorch.losses")
    (function,) = part("segmentation_models_pytorch.losses._functional", name, without=without)
    return function  # type: ignore[no-any-return]


def _smp_overlap(
    name: str, dims: tuple[int, ...], activate: Form, **told: str
) -> Callable[[], Form]:
    """An overlap of SMP's; `told` gives its arguments in ours, half of what is listed as halved."""

    def load() -> Form:
        score = _smp(name)

        def loss(input: Tensor, target: Tensor, smooth: float, **options: Any) -> Tensor:
            given = {theirs: options[ours] for theirs, ours in told.items()}
            # Their Dice is (overlap + s) / (mass / 2 + s): twice their s is ours.
            given["smooth"] = smooth / 2 if name == "soft_dice_score" else smooth
            return 1 - score(activate(input), target, dims=dims, **given)

        return loss

    return load


def _smp_focal() -> Form:
    function = _smp("focal_loss_with_logits")
    return lambda input, target, alpha, gamma: function(
        input, target, gamma=gamma, alpha=alpha, reduction="none"
    )


def _smp_softmax_focal() -> Form:
    function = _smp("softmax_focal_loss_with_logits")
    return lambda input, target, gamma, ignore_index: function(
        input, target, gamma=gamma, reduction="none"
    )


def _smp_wing() -> Form:
    function = _smp("wing_loss")
    return lambda input, target, width, curvature: function(
        input, target, width, curvature, reduction="none"
    )


def _monai(name: str, **fixed: Any) -> Callable[[], Form]:
    """A loss of MONAI's; ``smooth`` is added above and below."""

    def load() -> Form:
        kind = getattr(importlib.import_module("monai.losses"), name)

        def loss(input: Tensor, target: Tensor, smooth: float, **options: Any) -> Tensor:
            added = 2 * smooth if fixed.get("jaccard") else smooth
            told = {**fixed, **options, "smooth_nr": added, "smooth_dr": added}
            return torch.as_tensor(kind(reduction="none", **told)(input, target)).flatten(
                0 if fixed.get("batch") else 1
            )

        return loss

    return load


def _monai_focal() -> Form:
    kind = importlib.import_module("monai.losses").FocalLoss
    return lambda input, target, alpha, gamma: kind(gamma=gamma, alpha=alpha, reduction="none")(
        input[None, None], target[None, None]
    )[0, 0]


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
    Peer("torchvision", "sigmoid_focal", _torchvision("focal_loss", "sigmoid_focal_loss")),
    Peer("torchvision", "giou", _torchvision("giou_loss", "generalized_box_iou_loss")),
    Peer("torchvision", "ciou", _torchvision("ciou_loss", "complete_box_iou_loss")),
    Peer("kornia", "barron", _pair("charbonnier_loss"), options={"alpha": 1.0}),
    Peer("kornia", "barron", _pair("welsch_loss"), options={"alpha": float("-inf")}),
    Peer("kornia", "barron", _pair("cauchy_loss"), options={"alpha": 0.0}),
    Peer("kornia", "barron", _pair("geman_mcclure_loss"), options={"alpha": -2.0}),
    Peer("kornia", "softmax_focal", _kornia_focal),
    Peer("kornia", "sigmoid_focal", _kornia_binary_focal, hard=True),
    Peer("kornia", "total_variation", _kornia_variation),
    Peer("SMP", "sigmoid_focal", _smp_focal, hard=True),
    Peer("SMP", "softmax_focal", _smp_softmax_focal),
    Peer("SMP", "wing", _smp_wing),
    Peer("SMP", "dice", _smp_overlap("soft_dice_score", (2,), torch.sigmoid), hard=True),
    Peer("SMP", "batch_dice", _smp_overlap("soft_dice_score", (0, 2), torch.sigmoid), hard=True),
    Peer("SMP", "jaccard", _smp_overlap("soft_jaccard_score", (2,), torch.sigmoid), hard=True),
    Peer(
        "SMP",
        "tversky",
        _smp_overlap("soft_tversky_score", (2,), _softmax, alpha="alpha", beta="beta"),
        hard=True,
    ),
    Peer("MONAI", "dice", _monai("DiceLoss", sigmoid=True)),
    Peer("MONAI", "batch_dice", _monai("DiceLoss", sigmoid=True, batch=True)),
    Peer("MONAI", "jaccard", _monai("DiceLoss", sigmoid=True, jaccard=True)),
    Peer("MONAI", "tversky", _monai("TverskyLoss", softmax=True), classes=2),
    Peer("MONAI", "generalized_dice", _monai("GeneralizedDiceLoss", softmax=True), classes=2),
    Peer("MONAI", "sigmoid_focal", _monai_focal, hard=True),
)
DISTRIBUTIONS = {
    "torch": "torch",
    "torchvision": "torchvision",
    "kornia": "kornia",
    "SMP": "segmentation-models-pytorch",
    "MONAI": "monai",
}


def version(package: str) -> str:
    """The installed version of a package, or an empty string."""
    try:
        return importlib.metadata.version(DISTRIBUTIONS[package])
    except importlib.metadata.PackageNotFoundError:
        return ""
