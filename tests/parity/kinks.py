"""Moves a case off the kinks of its formula, so that finite differences can judge derivatives.

Each loss states its distances to the nearest kink, one tensor per `Max`, `Abs` or threshold; a
case is nudged along a fixed random direction until all are above `CLEARANCE`, a hundred times the
step of gradcheck. Inputs with a bounded domain are first brought well inside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.parity.losses import Case

CLEARANCE = 1e-4

# Labels in float form: their values choose a branch, so they are neither moved nor differentiated.
LABELS = {("hinge_embedding", "target"), ("cosine_embedding", "target"), ("soft_margin", "target")}

Tensors = Mapping[str, Tensor]
Options = Mapping[str, Any]


def _error(t: Tensors, width: float) -> list[Tensor]:
    return [(t["input"] - t["target"]).abs() - width]


def _pairs(t: Tensors, margin: float) -> list[Tensor]:
    rows = t["input"].reshape(-1, t["input"].shape[-1] if t["input"].dim() else 1)
    columns = itertools.permutations(range(rows.shape[1]), 2)
    return [margin - rows[:, i] + rows[:, j] for i, j in columns]


def _triplet(t: Tensors, o: Options) -> list[Tensor]:
    p, eps = o.get("p", 2), o.get("eps", 1e-6)

    def distance(a: str, b: str) -> Tensor:
        return F.pairwise_distance(t[a], t[b], p=p, eps=eps)

    near, far = distance("anchor", "positive"), distance("anchor", "negative")
    gaps = [near, far, *(t["anchor"] - t[other] + eps for other in ("positive", "negative"))]
    if o.get("swap", False):
        between = distance("positive", "negative")
        gaps += [between, far - between, t["positive"] - t["negative"] + eps]
        far = torch.minimum(far, between)
    return [*gaps, o.get("margin", 1.0) + near - far]


def _cosine(t: Tensors, o: Options) -> list[Tensor]:
    cosine = F.cosine_similarity(t["input1"], t["input2"], dim=-1)
    return [cosine - o.get("margin", 0.0)]


DISTANCES: dict[str, Callable[[Tensors, Options], list[Tensor]]] = {
    "l1": lambda t, o: _error(t, 0),
    "smooth_l1": lambda t, o: _error(t, o.get("beta", 1.0)),
    "huber": lambda t, o: _error(t, o.get("delta", 1.0)),
    "margin_ranking": lambda t, o: [
        -t["target"] * (t["input1"] - t["input2"]) + o.get("margin", 0)
    ],
    "hinge_embedding": lambda t, o: [o.get("margin", 1.0) - t["input"]],
    "multilabel_margin": lambda t, o: _pairs(t, 1.0),
    "multi_margin": lambda t, o: _pairs(t, o.get("margin", 1.0)),
    "cosine_embedding": _cosine,
    "triplet_margin": _triplet,
    "poisson_nll": lambda t, o: [t["target"] - 1] if o.get("full", False) else [],
}


def _inside(case: Case, key: str, tensor: Tensor) -> Tensor:
    """The tensor well inside the domain of its role."""
    options = case.options
    match case.loss, key:
        case "binary_cross_entropy", "input" | "target":
            return tensor.clamp(0.05, 0.95)
        case "kl_div", "target" if not options.get("log_target", False):
            return tensor.clamp(min=0.05)
        case "poisson_nll", "target":
            return tensor.clamp(min=0.05)
        case "poisson_nll", "input" if not options.get("log_input", True):
            return tensor.clamp(min=0.05)
        case "gaussian_nll", "var":
            return tensor.clamp(min=0.05)
    return tensor


def off_kinks(case: Case) -> Case:
    """The case itself, or a neighbour at which its formula is smooth."""
    generator = torch.Generator().manual_seed(3)
    distances = DISTANCES.get(case.loss, lambda tensors, options: [])
    moved = {key: _inside(case, key, tensor) for key, tensor in case.tensors.items()}
    for _ in range(50):
        if all(bool((gap.abs() > CLEARANCE).all()) for gap in distances(moved, case.options)):
            return replace(case, tensors=moved)
        for key in case.floats:
            if (case.loss, key) not in LABELS:
                step = torch.rand(moved[key].shape, generator=generator, dtype=torch.float64)
                moved[key] = _inside(case, key, moved[key] + 3e-3 * (1 + step))
    raise AssertionError(f"{case.loss}: {case.name} cannot be moved off its kinks")
