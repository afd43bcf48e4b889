"""Mistakes that losses in repositories have, called by their name without a counter-example."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lossgen.verify.api import pose, truth
from lossgen.verify.caller import Caller
from lossgen.verify.checks import values
from lossgen.verify.diagnose import diagnose
from lossgen.verify.diagnose.edits import alike_edits, edits
from lossgen.verify.diagnose.placement import placements
from lossgen.verify.diagnose.settings import other_settings
from lossgen.verify.fitting import accepted
from lossgen.verify.session import Session, worst
from lossgen.verify.target import describe_target


def causes(code: Callable[..., Any], formula: str, **how: Any) -> list[str]:
    """What is said of code that is wrong at ordinary points."""
    question = accepted(pose(truth(formula), describe_target(code), **how))
    session = Session(question, Caller(question), time.monotonic() + 60)
    if values.first(session).status != "fails":
        values.options(session)
    first = worst([w.difference for w in session.witnesses])[0]
    return diagnose(session, next(w for w in session.witnesses if w.difference is first))


class _Huber(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, delta: float) -> Tensor:
        ctx.save_for_backward(x - y)
        ctx.delta = delta
        return F.huber_loss(x, y, delta=delta)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (error,) = ctx.saved_tensors
        slope = grad * error.clamp(-ctx.delta, ctx.delta)
        return slope, -slope, None


def huber_undivided(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Its backward forgets that the forward takes the mean."""
    found: Tensor = _Huber.apply(input, target, delta)
    return found


def focal_of_the_mean(input: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """The cross-entropy is a mean when the factor is taken of it."""
    nll = F.cross_entropy(input, target)
    return (1 - (-nll).exp()) ** gamma * nll


def focal_of_the_weighted(
    input: Tensor, target: Tensor, alpha: Tensor | None = None, gamma: float = 2.0
) -> Tensor:
    """exp(-weight * nll) is no probability."""
    nll = F.cross_entropy(input, target, weight=alpha, reduction="none")
    return ((1 - (-nll).exp()) ** gamma * nll).mean()


def weighted_by_label(input: Tensor, target: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """The mean divides by the sum of the weights that the labels get."""
    nll = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    weight = torch.where(target > 0, 1.0 if pos_weight is None else pos_weight, 1.0)
    return (weight * nll).sum() / weight.sum()


def supcon_as_released(
    features: Tensor, labels: Tensor, temperature: float = 0.1, base_temperature: float = 0.07
) -> Tensor:
    """A second factor of temperatures, and rows without a positive are counted."""
    rows = F.normalize(features)
    other = ~torch.eye(len(rows), dtype=torch.bool)
    scores = rows @ rows.T / temperature
    positive = (labels[:, None] == labels) & other
    log_prob = scores - scores.masked_fill(~other, float("-inf")).logsumexp(1, keepdim=True)
    item = (log_prob * positive).sum(1) / positive.sum(1).clamp(min=1)
    return -(temperature / base_temperature) * item.mean()


def dpo_scaled_outside(
    chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, beta: float = 0.1
) -> Tensor:
    """beta multiplies the loss, not the margin."""
    return -beta * F.logsigmoid(chosen - rejected - ref_chosen + ref_rejected).mean()


def mean_of_rows_again(input: Tensor, target: Tensor) -> Tensor:
    """A mean, divided by the batch size."""
    return F.mse_loss(input, target) / len(input)


def hard_dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """The prediction is a mask already."""
    mask, label = (input.sigmoid() > 0.5).to(input.dtype).flatten(2), target.flatten(2)
    overlap, mass = (mask * label).sum(2), (mask + label).sum(2)
    return (1 - (2 * overlap + smooth) / (mass + smooth)).mean().requires_grad_()


@pytest.mark.parametrize(
    ("code", "formula", "how", "words"),
    [
        (mean_of_rows_again, "mse", {}, "the mean divided by the length of the first axis"),
        (hard_dice, "dice", {}, "rounded to 0 or 1, which has no slope"),
        (huber_undivided, "huber", {}, "gradient is not divided by what the mean divides by"),
        (focal_of_the_mean, "softmax_focal", {}, "averaged over n, s before the rest is computed"),
        (focal_of_the_weighted, "softmax_focal", {}, "alpha[label[n, s]] multiplied into log_prob"),
        (
            weighted_by_label,
            "binary_cross_entropy_with_logits",
            {"adapt": {"target": "binary"}},
            "divides by the sum of the weights of its terms",
        ),
        (supcon_as_released, "supcon", {}, "and times tau/base_temperature, an option of the code"),
        (dpo_scaled_outside, "dpo", {}, "beta = 1, whatever is passed, and times beta"),
    ],
)
def test_a_mistake_is_named(
    code: Callable[..., Any], formula: str, how: dict[str, Any], words: str
) -> None:
    found = causes(code, formula, **how)
    assert found
    assert words in found[0]


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("sigmoid_focal", "with 1 - miss[e] in place of miss[e]"),
        ("poly1_cross_entropy", "with exp(log_prob[n, s]) in place of 1 - exp(log_prob[n, s])"),
        ("giou", "with 1 added to every width and height, as of pixels"),
        (
            "giou",
            "without the max: min(y2[n], v2[n]) - max(y1[n], v1[n]) alone, and so wherever "
            "there is one",
        ),
        ("info_nce", "with the pairs of i = j left out of the logsumexp over j"),
        ("arcface", "with margin taken from cos(angle[n]) in place of cos(angle[n] + margin)"),
        (
            "barlow_twins",
            "with the sum over n divided by one less than there are, in place of its mean, and so "
            "wherever there is one",
        ),
    ],
)
def test_a_mistake_is_tried(formula: str, words: str) -> None:
    spec = truth(formula)
    letters = tuple(sorted(spec.axes, key=str))
    tried = [*edits(spec.item, letters), *alike_edits(spec.item, letters), *placements(spec)]
    assert words in {text for text, _ in tried}


def test_settings_that_are_proposed_may_be_set() -> None:
    def code(a: Tensor, b: Tensor) -> Tensor:
        return a.sum() - b.sum()

    question = pose(truth("giou"), describe_target(code))
    options = [narrow.option for narrow in other_settings(question)]
    assert "--set eps=1e-30" in options
    for option in options:
        name, _, value = option.removeprefix("--set ").partition("=")
        assert pose(truth("giou"), describe_target(code), settings={name: float(value)})


@pytest.mark.parametrize(
    ("reduced", "words"),
    [
        (lambda item, kept: item.flatten(), "but flat"),
        (lambda item, kept: item[kept], "what is left out is missing from its result"),
        (lambda item, kept: item.mean(1), "averaged over s"),
    ],
)
def test_an_unreduced_result_of_another_shape_is_explained(
    reduced: Callable[[Tensor, Tensor], Tensor], words: str
) -> None:
    def code(
        input: Tensor, target: Tensor, ignore_index: int = -100, reduction: str = "mean"
    ) -> Tensor:
        item = F.cross_entropy(input, target, ignore_index=ignore_index, reduction="none")
        kept = target != ignore_index
        if reduction == "none":
            return reduced(item.flatten(1), kept.flatten(1))
        return item.sum() / kept.sum() if reduction == "mean" else item.sum()

    found = causes(code, "poly1_cross_entropy", settings={"epsilon": 0.0})
    assert found
    assert words in found[0]
    assert "--reduction mean" in found[0]
