"""Kinks, digits and non-finite numbers: what counts as a difference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import lossgen
from lossgen.verify.verdict import Report

COSTLY = ("torch.compile", "large tensors")


def asked(code: object, formula: str, **how: object) -> Report:
    return lossgen.verify(code, formula, skip=COSTLY, **how)


@pytest.mark.parametrize("slope", [-1.0, -0.25, 0.0, 0.5, 1.0])
def test_any_subgradient_is_right_at_a_kink(slope: float) -> None:
    def absolute(input: Tensor, target: Tensor) -> Tensor:
        gap = input - target
        tied = torch.where(gap == 0, slope * gap, 0.0)
        return (torch.where(gap > 0, gap, torch.where(gap < 0, -gap, tied))).mean()

    assert asked(absolute, "l1").holds


@pytest.mark.parametrize("slope", [-1.5, 2.0, float("nan")])
def test_what_is_no_subgradient_is_refuted(slope: float) -> None:
    def absolute(input: Tensor, target: Tensor) -> Tensor:
        gap = input - target
        tied = torch.where(gap == 0, slope * gap, torch.zeros_like(gap))
        return (torch.where(gap > 0, gap, torch.where(gap < 0, -gap, tied))).mean()

    report = asked(absolute, "l1")
    assert report.verdict == "does not hold"
    failing = [c.name for c in report.checks if c.status == "fails"]
    assert failing in (["ties"], ["one sample"], ["value and gradient"])


def test_an_overflow_is_non_finite_and_says_where() -> None:
    def naive(input: Tensor, target: Tensor) -> Tensor:
        return (torch.log(1 + torch.exp(input)) - input * target).mean()

    report = asked(naive, "binary_cross_entropy_with_logits")
    assert report.verdict == "does not hold"
    assert "where the formula's is finite" in report.reason
    assert report.diagnoses[0].startswith("but exp")
    assert report.counterexample is not None
    assert report.counterexample.count <= 2


def test_a_clamp_is_told_from_a_stable_form() -> None:
    def clamped(input: Tensor, target: Tensor) -> Tensor:
        prob = input.sigmoid().clamp(1e-7, 1 - 1e-7)
        return -(target * prob.log() + (1 - target) * (1 - prob).log()).mean()

    report = asked(clamped, "binary_cross_entropy_with_logits")
    assert report.verdict == "does not hold"
    assert "clamped to [1e-07, 1 - 1e-07]" in report.diagnoses[0]


def test_a_label_needs_no_gradient_and_a_prediction_does() -> None:
    assert asked(lambda input, target: ((input - target.detach()) ** 2).mean(), "mse").holds
    report = asked(lambda input, target: ((input.detach() - target) ** 2).mean(), "mse")
    assert report.verdict == "does not hold"
    assert "carries no gradient" in report.reason


def test_a_gradient_that_is_lost_on_the_way_to_one_of_two_predictions() -> None:
    def lost(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0) -> Tensor:
        near = (anchor - positive + 1e-6).norm(dim=-1)
        far = (anchor - negative.detach() + 1e-6).norm(dim=-1)
        return (margin + near - far).clamp(min=0).mean()

    how = {"settings": {"p": 2.0, "eps": 1e-6, "swap": False}}
    report = asked(lost, "triplet_margin", **how)
    assert report.diagnoses == ("but no gradient reaches negative",)


def test_a_bound_that_usual_samples_never_reach_is_looked_at() -> None:
    def unbounded(input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        return (((input - target) ** 2 / var + var.log()) / 2).mean()

    def bounded(input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        return F.gaussian_nll_loss(input, target, var)

    report = asked(unbounded, "gaussian_nll")
    assert not report.holds
    assert asked(bounded, "gaussian_nll").holds
