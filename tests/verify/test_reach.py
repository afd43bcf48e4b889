"""How far the questions reach: large numbers, and gradients by the labels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import lossgen
from lossgen.verify.verdict import Report

COSTLY = ("torch.compile", "large tensors")


class _LogCosh(torch.autograd.Function):
    """Its backward gives the labels the gradient of the prediction, times a factor."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(input - target)
        ctx.factor = factor
        gap = (input - target).abs()
        return (gap + F.softplus(-2 * gap) - math.log(2)).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        (error,) = ctx.saved_tensors
        slope = grad * torch.tanh(error) / error.numel()
        return slope, None if math.isnan(ctx.factor) else ctx.factor * slope, None


def asked(code: object, formula: str, *skip: str) -> Report:
    return lossgen.verify(code, formula, skip=(*COSTLY, *skip))


def log_cosh(factor: float) -> Report:
    def code(input: Tensor, target: Tensor) -> Tensor:
        made: Tensor = _LogCosh.apply(input, target, factor)
        return made

    return asked(code, "log_cosh", "second derivative", "vmap", "jvp")


def test_a_cosh_that_overflows_is_found() -> None:
    report = asked(lambda input, target: (input - target).cosh().log().mean(), "log_cosh")
    assert report.verdict == "does not hold"
    assert report.counterexample is not None
    assert report.counterexample.count == 2
    assert "cosh" in report.diagnoses[0]


def test_large_numbers_raise_no_alarm() -> None:
    assert asked(F.smooth_l1_loss, "smooth_l1").verdict == "holds"
    assert asked(F.mse_loss, "mse").verdict == "holds"


def test_labels_may_have_a_gradient_or_none() -> None:
    assert log_cosh(-1.0).verdict == "holds"
    assert log_cosh(math.nan).verdict == "holds"


def test_a_wrong_gradient_of_the_labels_is_found() -> None:
    report = log_cosh(1.0)
    assert report.verdict == "does not hold"
    assert report.checks[-1].name == "gradient of labels"
    assert report.counterexample is not None
    assert report.counterexample.what == "gradient of target"
    assert report.counterexample.count == 2
    assert report.diagnoses == ("with the sign of its gradient by target turned",)
    assert log_cosh(-2.0).diagnoses == ("with twice its gradient by target",)


def sum_of_rows(input: Tensor, target: Tensor) -> Tensor:
    error = (input - target) ** 2
    return error.sum() if error.ndim == 1 else error.mean()


def of_rows(input: Tensor, target: Tensor) -> Tensor:
    if input.ndim != 2:
        raise ValueError("rows of numbers, please")
    return ((input - target) ** 2).mean()


def test_tensors_of_other_dimensions_are_asked_about() -> None:
    report = asked(sum_of_rows, "mse")
    assert report.verdict == "does not hold"
    assert report.counterexample is not None
    assert report.counterexample.count <= 4
    assert report.reason.endswith("for tensors of 1 dimension.")
    assert report.diagnoses == ("only for tensors of 2 dimensions",)
    pinned = lossgen.verify(sum_of_rows, "mse", sizes={"e": "3x4"}, skip=COSTLY)
    assert pinned.verdict == "holds"


def test_code_may_take_two_dimensions_alone() -> None:
    report = asked(of_rows, "mse", "shapes", "vmap")
    assert report.verdict == "holds"
    assert [c.status for c in report.checks if c.name == "other dimensions"] == ["holds"]


def dice(input: Tensor, target: Tensor, smooth: float, axes: tuple[int, ...]) -> Tensor:
    prob = input.sigmoid()
    mass = (prob + target).sum(axes)
    return (1 - (2 * (prob * target).sum(axes) + smooth) / (mass + smooth)).mean()


def test_sums_over_the_last_axis_alone_are_found_on_images() -> None:
    report = asked(lambda input, target, smooth=1.0: dice(input, target, smooth, (-1,)), "dice")
    assert report.verdict == "does not hold"
    assert report.reason.endswith("for tensors of 4 dimensions.")
    assert report.diagnoses == ("only for tensors of 3 dimensions",)


def test_code_for_images_is_asked_about_images() -> None:
    report = asked(
        lambda input, target, smooth=1.0: dice(input, target, smooth, (2, 3)), "dice", "shapes"
    )
    assert report.verdict == "holds"
    assert any(line.startswith("asked with s of size 2 x 3") for line in report.assumed)


def test_classes_on_the_last_axis_are_asked_without_trailing_axes() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        return -input.log_softmax(-1).gather(-1, target[..., None]).mean()

    report = asked(code, "cross_entropy", "shapes")
    assert report.verdict == "holds"
    assert any(line.startswith("asked with s of no dimensions") for line in report.assumed)
