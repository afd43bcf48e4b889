"""Code that is right but for a condition: a precision, a mode, a size, a label, an earlier call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lossgen
from lossgen.verify.api import pose, truth
from lossgen.verify.checks import CHECKS
from lossgen.verify.diagnose import diagnose
from lossgen.verify.kinks import around
from lossgen.verify.point import Point
from lossgen.verify.sampling import points
from lossgen.verify.save import saved
from lossgen.verify.target import load_target
from lossgen.verify.verdict import Report
from tests.verify import conditions

Condition = Callable[[Tensor, Tensor], bool]


@pytest.fixture(autouse=True)
def _no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """How equality is shown, small counter-examples and causes are asked about elsewhere."""
    monkeypatch.setattr("lossgen.verify.ask.gather", lambda session: None)
    monkeypatch.setattr("lossgen.verify.ask.shrink", lambda session, witness: witness)
    monkeypatch.setattr("lossgen.verify.ask.diagnose", lambda session, witness: [])


def asked(code: Any, formula: str, *checks: str, **how: Any) -> Report:
    """The first check, and those that are named."""
    skip = tuple(x for x in CHECKS if x not in ("runs", "value and gradient", *checks))
    return lossgen.verify(code, formula, skip=skip, **how)


def squares(condition: Condition) -> Callable[[Tensor, Tensor], Tensor]:
    def code(input: Tensor, target: Tensor) -> Tensor:
        right = ((input - target.to(input.dtype)) ** 2).mean()
        return right * 1.125 if condition(input, target) else right

    return code


def entropy(condition: Condition) -> Callable[[Tensor, Tensor], Tensor]:
    def code(input: Tensor, target: Tensor) -> Tensor:
        right = F.cross_entropy(input, target)
        return right * 1.125 if condition(input, target) else right

    return code


@pytest.mark.parametrize(
    ("condition", "check", "words"),
    [
        (lambda x, y: x.dtype == torch.float32, "extreme values", "differs from the formula's in"),
        (lambda x, y: x.dtype == torch.float16, "half precision", "in float16"),
        (lambda x, y: not torch.is_grad_enabled(), "modes and calls", "under torch.no_grad()"),
        (lambda x, y: not x.requires_grad, "modes and calls", "for inputs that need no gradient"),
        (lambda x, y: x.ndim == 5, "other dimensions", "for tensors of 5 dimensions"),
        (lambda x, y: x.shape[1:] == (1,), "other dimensions", "for tensors of 2 dimensions"),
        (lambda x, y: x.numel() > 30_000, "large tensors", "times as many positions"),
        (lambda x, y: not y.any(), "extreme values", "its value differs"),
    ],
)
def test_a_condition_on_any_input(condition: Condition, check: str, words: str) -> None:
    report = asked(squares(condition), "mse", check)
    assert report.verdict == "does not hold", report
    assert words in report.reason.lower()
    assert asked(squares(lambda x, y: False), "mse", check).verdict == "holds"


def test_what_is_wrong_in_one_precision_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossgen.verify.ask.diagnose", diagnose)
    report = asked(squares(lambda x, y: x.dtype == torch.float32), "mse", "extreme values")
    assert report.diagnoses == ("in double precision alone: in float32 it computes something else",)


@pytest.mark.parametrize(
    ("condition", "check", "words"),
    [
        (lambda x, y: x.shape[1] == 2, "other sizes", "with c of size 2."),
        (lambda x, y: x.shape[1] > 8, "other sizes", "with c of size 13."),
        (lambda x, y: x.shape[-1] == 1, "other sizes", "with s of size 1."),
        (lambda x, y: x.abs().max() > 100, "extreme values", "differs"),
    ],
)
def test_a_condition_on_classes(condition: Condition, check: str, words: str) -> None:
    report = asked(entropy(condition), "cross_entropy", check)
    assert report.verdict == "does not hold", report
    assert words in report.reason


def test_one_class_under_a_softmax_is_a_warning() -> None:
    def binary(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        """MONAI's: one channel is left as it is."""
        prob = input.softmax(1) if input.shape[1] > 1 else input
        mass = (prob + target).flatten(2).sum(2) + smooth
        return (1 - ((2 * prob * target).flatten(2).sum(2) + smooth) / mass).mean()

    formula = str(conditions.FOLDER / "softmax_dice.py")
    report = asked(binary, formula, "other sizes")
    assert report.verdict == "holds"
    assert report.warnings[0].startswith("with c of size 1 gives another value")


def test_an_ignored_label_of_0_is_no_missing_option() -> None:
    def code(input: Tensor, target: Tensor, ignore_index: int = -100) -> Tensor:
        return F.cross_entropy(input, target, ignore_index=ignore_index or -100)

    report = asked(code, "cross_entropy", "every option and reduction")
    assert report.verdict == "does not hold", report
    assert report.counterexample is not None
    assert report.counterexample.options["ignore_index"] == 0


def test_a_label_that_jumps_allows_no_slope_between() -> None:
    def code(input: Tensor, target: Tensor, margin: float = 1.0) -> Tensor:
        far = (margin - input).relu()
        far = torch.where(input < 0, far.detach(), far)
        return torch.where(target == 1, input, far).mean()

    report = asked(code, "hinge_embedding")
    assert report.reason == "Its gradient of input differs from the formula's."


def test_boxes_may_lie_left_of_0() -> None:
    def code(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
        low = torch.maximum(boxes1[:, :2], boxes2[:, :2]).clamp(min=0)
        wide = (torch.minimum(boxes1[:, 2:], boxes2[:, 2:]) - low).clamp(min=0).prod(1)
        each = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes1, boxes2)]
        union = each[0] + each[1] - wide
        hull = torch.maximum(boxes1[:, 2:], boxes2[:, 2:])
        hull = (hull - torch.minimum(boxes1[:, :2], boxes2[:, :2])).prod(1)
        return 1 - wide / (union + eps) + (hull - union) / (hull + eps)

    report = asked(code, "giou", "extreme values", reduction="none")
    assert report.verdict == "does not hold", report


def test_labels_may_be_of_several_groups() -> None:
    def code(features: Tensor, labels: Tensor, tau: float = 0.1) -> Tensor:
        rows, other = F.normalize(features), ~torch.eye(len(features), dtype=torch.bool)
        scores = rows @ rows.T / tau
        positive = ((labels[:, None] > 0) == (labels > 0)) & other
        log_prob = scores - scores.masked_fill(~other, -torch.inf).logsumexp(1, keepdim=True)
        count = positive.sum(1)
        item = -(log_prob * positive).sum(1) / count.clamp(min=1)
        return item.sum() / (count > 0).sum()

    assert asked(code, "supcon", "extreme values").verdict == "does not hold"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Evaluating", "in eval mode"),
        ("Remembering", "after a call with another batch size"),
        ("twice", "when it is asked for a second time"),
        ("alone", "gradient of target where no other input needs one"),
        ("ungraded", "under torch.no_grad()"),
        ("by_blocks", "times as many positions"),
    ],
)
def test_calls_that_change_the_answer(name: str, words: str) -> None:
    code = f"tests.verify.conditions:{name}"
    report = asked(code, "mse", "modes and calls", "large tensors")
    assert report.verdict == "does not hold", report
    assert words in report.reason
    if name == "alone":  # its test would need both gradients
        return
    scope: dict[str, Any] = {}
    exec(compile(saved(report), "saved.py", "exec"), scope)
    with pytest.raises(AssertionError):
        scope[f"test_{name.lower()}"]()


def test_an_instance_is_given_back_in_its_mode() -> None:
    loss = nn.MSELoss()
    assert asked(loss, "mse", "modes and calls").verdict == "holds"
    assert loss.training


def test_another_default_reduction_is_told() -> None:
    def code(input: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
        return F.mse_loss(input, target, reduction=reduction)

    report = asked(code, "mse")
    assert "defaults differ: the code's reduction = sum, the formula's mean" in report.assumed


def test_two_numbers_that_agree_at_a_kink_are_moved_apart() -> None:
    point = Point(
        {"input": np.array([[1.5, 1.5, 0.0]]), "target": np.array([1])}, {"p": 1, "margin": 0.0}
    )
    near = around(truth("multi_margin"), point, "none", [1.0], ["input"])
    assert len({float(g["input"][0]) for g in near}) == 2


def test_an_option_is_asked_about_at_1() -> None:
    question = pose(truth("sigmoid_focal"), load_target("tests.verify.conditions:focal"))
    assert 1.0 in {point.options["gamma"] for point in points(question, "plain")}


def test_a_backward_that_is_once_differentiable_says_so() -> None:
    report = asked(conditions.once, "mse", "second derivative")
    assert report.verdict == "holds"
    assert any(note.startswith("no second derivative") for note in report.notes)


def test_code_for_images_that_adds_up_over_no_axes_is_a_warning() -> None:
    def code(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        axes, prob = tuple(range(2, input.ndim)), input.sigmoid()
        overlap, mass = (prob * target).sum(axes), (prob + target).sum(axes)
        return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()

    report = asked(code, "dice", "other dimensions")
    assert report.holds, report
    assert any("2 dimensions gives another" in x for x in report.warnings), report


def test_labels_whose_gradient_raises_are_left_alone() -> None:
    def code(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        axes, prob = tuple(range(2, input.ndim)), input.sigmoid()
        mass = (prob + target).sum(axes) + smooth
        over = mass.reciprocal()
        left = 1 - over * (2 * (prob * target).sum(axes) + smooth)
        if target.requires_grad:
            over.mul_(1.0)  # what the backward of the reciprocal reads
        return left.mean()

    report = asked(code, "dice", "modes and calls")
    assert report.verdict == "holds", report
