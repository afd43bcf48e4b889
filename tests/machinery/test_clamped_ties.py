"""Slopes at a bound are the formula's, whatever release of torch gives its own ``clamp`` there.

From 2.14 on the slope of ``torch.clamp`` at its bounds is 0, where it was 1. Here torch has either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from generated.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits_loss
from generated.grpo import grpo
from generated.hinge_embedding import hinge_embedding, hinge_embedding_loss
from generated.huber import huber, huber_loss
from generated.margin_ranking import margin_ranking, margin_ranking_loss
from generated.sigmoid_focal import sigmoid_focal_loss
from generated.triplet_margin import triplet_margin

_clamp = torch.Tensor.clamp
ONES = torch.ones(3, dtype=torch.float64)
ROW = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
FAR = torch.tensor([[0.0, 8.0]], dtype=torch.float64)

# A loss, where it is at a bound, and its slope there, which is that of the side that has one.
AT_A_BOUND: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, Tensor]] = {
    "huber": (lambda x: huber(x, 0 * x, delta=1.0), ONES, ONES / 3),
    "margin_ranking": (lambda x: margin_ranking(x, ONES, ONES), ONES, -ONES / 3),
    "hinge_embedding": (lambda x: hinge_embedding(x, -ONES), ONES, -ONES / 3),
    "triplet_margin": (lambda x: triplet_margin(x, 0 * ROW, FAR, 0.0, eps=0), ROW, FAR / 5),
    "grpo": (lambda x: grpo(x, -ONES[:1], old=x.detach(), eps_low=0.0), ROW, ROW * 0 + 0.5),
}
FORWARD: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "binary_cross_entropy_with_logits": (
        lambda x: binary_cross_entropy_with_logits_loss(x, ONES, reduction="sum"),
        -0.5,
    ),
    "sigmoid_focal": (
        lambda x: sigmoid_focal_loss(x, ONES, alpha=-1.0, gamma=0.0, reduction="sum"),
        -0.5,
    ),
    "huber": (lambda x: huber_loss(x + 1, 0 * x, delta=1.0, reduction="sum"), 1.0),
    "margin_ranking": (lambda x: margin_ranking_loss(x, 0 * x, ONES, reduction="sum"), -1.0),
    "hinge_embedding": (lambda x: hinge_embedding_loss(x + 1, -ONES, reduction="sum"), -1.0),
}


@pytest.fixture(params=[0, 1], ids=["slope 0", "slope 1"])
def clamp_slope(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch whose clamp has this slope at its bounds."""

    def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
        value = _clamp(x.detach(), min, max)
        inside = torch.ones_like(x, dtype=torch.bool)
        for bound in (min, max):
            if bound is not None:
                inside &= (x == value) & ((x != bound) | (request.param == 1))
        return torch.where(inside, x, value)

    monkeypatch.setattr(torch.Tensor, "clamp", clamp)


@pytest.mark.usefixtures("clamp_slope")
@pytest.mark.parametrize("name", AT_A_BOUND)
def test_plain_functions(name: str) -> None:
    """Autograd of the plain function."""
    loss, point, slope = AT_A_BOUND[name]
    x = point.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("clamp_slope")
@pytest.mark.parametrize("name", FORWARD)
def test_forward_mode(name: str) -> None:
    """Forward mode of the functional, which differentiates its formula."""
    loss, slope = FORWARD[name]
    x = torch.zeros(3, dtype=torch.float64)
    tangent = torch.func.jvp(loss, (x,), (torch.eye(3, dtype=x.dtype)[0],))[1]
    assert tangent.item() == pytest.approx(slope, abs=1e-12)
