"""Mistakes called by their name, and counter-examples small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import lossgen
from lossgen.verify.verdict import Report

COSTLY = ("torch.compile", "large tensors")


def asked(code: object, formula: str | None, **how: object) -> Report:
    return lossgen.verify(code, formula, skip=COSTLY, **how)


def dice(input: Tensor, target: Tensor, smooth: float, change: Callable[..., Tensor]) -> Tensor:
    prob, label = input.sigmoid().flatten(2), target.flatten(2)
    return change(prob, label, smooth)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda p, t, s: ((2 * (p * t).sum(2) + s) / ((p + t).sum(2) + s)).mean(),
            "the score itself",
        ),
        (
            lambda p, t, s: (1 - 2 * (p * t).sum(2) / ((p + t).sum(2) + s)).mean(),
            "without the term smooth",
        ),
        (
            lambda p, t, s: (1 - ((p * t).sum(2) + s) / ((p + t).sum(2) + s)).mean(),
            "without the factor 2",
        ),
        (
            lambda p, t, s: (1 - (2 * (p * t).sum(2) + s) / ((p**2 + t**2).sum(2) + s)).mean(),
            "squares in the denominator",
        ),
        (
            lambda p, t, s: (1 - (2 * (p * t).sum((0, 2)) + s) / ((p + t).sum((0, 2)) + s)).mean(),
            "",
        ),
        (
            lambda p, t, s: (1 - (2 * (p * t).sum(2) + s) / ((p + t).sum(2) + s)).sum(),
            "reduction sum",
        ),
        (
            lambda p, t, s: (1 - (2 * (p * t).sum(2) + s) / ((p.sigmoid() + t).sum(2) + s)).mean(),
            "",
        ),
        (
            lambda p, t, s: (1 - (2 * (p * t).sum(2) + s) / ((p + t).sum(2).detach() + s)).mean(),
            "no gradient flows through mass",
        ),
    ],
)
def test_ways_to_get_dice_wrong(change: Callable[..., Tensor], words: str) -> None:
    report = asked(lambda input, target, smooth=1.0: dice(input, target, smooth, change), "dice")
    assert report.verdict == "does not hold"
    assert report.counterexample is not None
    assert report.counterexample.count <= 4
    if words:
        assert words in report.diagnoses[0]


def apart(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    near, far = F.pairwise_distance(anchor, positive), F.pairwise_distance(anchor, negative)
    return near - far + margin


def mean_of_active(items: Tensor) -> Tensor:
    return items.sum() / (items > 0).sum().clamp(min=1)


@pytest.mark.parametrize(
    ("code", "formula", "words"),
    [
        (lambda input, target: F.kl_div(target.log(), input.exp()), "kl_div", ""),
        (lambda input, target: (input - target).abs().sqrt().mean(), "l1", ""),
        (lambda input, target: -((input - target) ** 2).mean(), "mse", "sign"),
        (lambda input, target: ((input - target) ** 2).mean() / 2, "mse", "halved"),
        (
            lambda input, target: ((input - target) ** 2).sum() / len(input),
            "mse",
            "divided by the length of the first axis",
        ),
        (lambda input, target: (input - target).abs().mean(), "mse", "place of its square"),
        (
            lambda input, target: F.cross_entropy(input.softmax(1), target),
            "cross_entropy",
            "applied twice",
        ),
        (
            lambda input, target: F.cross_entropy(input, target) / torch.log(torch.tensor(2.0)),
            "cross_entropy",
            "base 2",
        ),
        (
            lambda anchor, positive, negative, margin=1.0: F.triplet_margin_loss(
                anchor, negative, positive, margin=margin
            ),
            "triplet_margin",
            "positive and negative exchanged",
        ),
        (
            lambda anchor, positive, negative, margin=1.0: F.softplus(
                apart(anchor, positive, negative, margin)
            ).mean(),
            "triplet_margin",
            "in place of max(0, ",
        ),
        (
            lambda anchor, positive, negative, margin=1.0: mean_of_active(
                F.relu(apart(anchor, positive, negative, margin))
            ),
            "triplet_margin",
            "the items above 0 alone",
        ),
        (
            lambda query, key, tau=0.1: F.cross_entropy(
                query @ F.normalize(key).T / tau, torch.arange(len(query))
            ),
            "info_nce",
            "without norm_d(query[n, d])",
        ),
    ],
)
def test_confusions_are_named(code: Callable[..., Tensor], formula: str, words: str) -> None:
    report = asked(code, formula)
    assert report.verdict == "does not hold"
    if words:
        assert report.diagnoses, report
        assert words in report.diagnoses[0]


def test_another_exponent_is_worked_out() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        return ((1 + (input - target).abs()) ** -0.5).mean()

    report = asked(code, None, expr="(1 + abs(input - target))**(-1/4)")
    assert report.diagnoses == ("with the exponent -1/2 in place of -1/4",)


def test_a_table_that_the_formula_has_too_is_no_cause() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        hot = target[:, None] == torch.arange(input.shape[1], device=input.device)
        return -(hot * input.log_softmax(1)).sum(1).mean() + 0.37 * input.std()

    report = asked(code, "cross_entropy", sizes={"s": "none"})
    assert report.verdict == "does not hold", report
    assert not any("broadcasts" in x for x in report.diagnoses)


def test_a_table_of_all_pairs_is_a_cause() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        return (input.flatten() - target.flatten()[:, None]).square().mean()

    report = asked(code, "mse")
    assert any("broadcasts" in x for x in report.diagnoses), report


def test_a_step_that_counts_is_in_the_derivation() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, ignore_index=-100).mean() * 2

    example = asked(code, "cross_entropy", sizes={"s": "none"}).counterexample
    assert example is not None
    assert any(line.startswith("label[n") for line in example.derivation)


def test_the_derivation_leads_to_what_is_expected() -> None:
    def wrong(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        return dice(input, target, smooth, lambda p, t, s: (p - t).mean())

    example = asked(wrong, "dice").counterexample
    assert example is not None
    text = "\n".join(example.derivation)
    for words in (
        "prob[n, c, s] = sigmoid(input[n, c, s]) = ",
        "overlap[n, c]",
        "loss = 1 - ",
        "mean = ",
    ):
        assert words in text


def test_a_batch_bug_keeps_two_samples_and_no_more() -> None:
    def over_batch(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        p, t = input.sigmoid().flatten(2), target.flatten(2)
        return (1 - (2 * (p * t).sum((0, 2)) + smooth) / ((p + t).sum((0, 2)) + smooth)).mean()

    example = asked(over_batch, "dice").counterexample
    assert example is not None
    assert (len(example.tensors["input"]), example.count) == (2, 4)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ((1, 0), "over n in place of d in norm_d(key[n, d])"),
        ((0, 0), "over n in place of d in norm_d(key[n, d]), and so wherever there is one"),
    ],
    ids=["keys", "both"],
)
def test_rows_made_unit_along_another_axis(axes: tuple[int, int], words: str) -> None:
    def code(query: Tensor, key: Tensor, tau: float = 0.1) -> Tensor:
        first, second = F.normalize(query, dim=axes[0]), F.normalize(key, dim=axes[1])
        return F.cross_entropy(first @ second.T / tau, torch.arange(len(query)))

    (said,) = asked(code, "info_nce").diagnoses
    assert said.endswith(words)
