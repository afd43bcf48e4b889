"""One loss of another package, as ours is called."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Form = Callable[..., Tensor]
DISTRIBUTIONS = {
    "torch": "torch",
    "torchvision": "torchvision",
    "kornia": "kornia",
    "SMP": "segmentation-models-pytorch",
    "MONAI": "monai",
    "lightly": "lightly",
    "info-nce": "info-nce-pytorch",
}


@dataclass(frozen=True)
class Peer:
    """One loss of another package.

    Attributes:
        ours: the loss of the catalogue; `options` are those under which both are the same.
        load: gives the callable for a reduction; raises ImportError where the package is missing.
        slopes: the tensors by which both give a gradient.
        hard: whether both are the same only for targets of 0 and 1.
        classes: the fewest classes with which both are the same.
        items: whether it has an unreduced form.
    """

    package: str
    ours: str
    load: Callable[[str], Form]
    slopes: tuple[str, ...] = ("input",)
    options: Mapping[str, Any] = field(default_factory=dict)
    hard: bool = False
    classes: int = 1
    items: bool = True


def version(package: str) -> str:
    """The installed version of a package, or an empty string."""
    try:
        return importlib.metadata.version(DISTRIBUTIONS[package])
    except importlib.metadata.PackageNotFoundError:
        return ""


def reduced(items: Tensor, reduction: str) -> Tensor:
    """The reduction that a package leaves to its caller."""
    return items if reduction == "none" else items.sum() if reduction == "sum" else items.mean()
