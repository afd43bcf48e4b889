"""What the arguments of code are taken for: exponents, counts of classes, padding, other names."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lossgen
from lossgen.errors import LossgenError
from lossgen.verify import answer
from lossgen.verify.api import pose, truth, verify_request
from lossgen.verify.caller import Caller
from lossgen.verify.checks import labels, large, values
from lossgen.verify.evidence.trace import trace
from lossgen.verify.fitting import accepted
from lossgen.verify.question import Question
from lossgen.verify.request import Request
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session
from lossgen.verify.shrink import shrink
from lossgen.verify.target import describe_target
from lossgen.verify.verdict import Check


def asked(code: Any, formula: str, **how: Any) -> Question:
    return accepted(pose(truth(formula), describe_target(code), **how))


def session(code: Any, formula: str, **how: Any) -> Session:
    question = asked(code, formula, **how)
    return Session(question, Caller(question), time.monotonic() + 60)


def taken(question: Question) -> dict[str, str]:
    return {ours: theirs.name for ours, theirs in question.matching.taken.items()}


class Squared(nn.Module):
    """Its exponent is called as some call a prediction."""

    def __init__(self, smooth: float = 1.0, p: int = 2) -> None:
        super().__init__()
        self.smooth, self.p = smooth, p

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        return (estimate.sigmoid() ** self.p + target).mean()


def test_an_exponent_is_no_prediction() -> None:
    assert taken(asked(Squared, "dice"))["input"] == "estimate"


def test_words_of_a_name_say_which_tensor_it_is() -> None:
    def grpo(old_logps: Tensor, logps: Tensor, ref_logps: Tensor, advantages: Tensor) -> Tensor:
        return logps.mean() + advantages.mean()

    def dpo(
        policy_chosen_logps: Tensor,
        reference_chosen_logps: Tensor,
        policy_rejected_logps: Tensor,
        reference_rejected_logps: Tensor,
    ) -> Tensor:
        return policy_chosen_logps.mean()

    found = taken(asked(grpo, "grpo"))
    assert found == {
        "logp": "logps",
        "advantage": "advantages",
        "old": "old_logps",
        "ref": "ref_logps",
    }
    assert taken(asked(dpo, "dpo"))["ref_chosen"] == "reference_chosen_logps"


class Head(nn.Module):
    """A head with its own centres, made for so many of both."""

    made = 0

    def __init__(self, in_features: int, out_features: int, scale: float = 64.0) -> None:
        super().__init__()
        Head.made += 1
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, label: Tensor, margin: float = 0.5) -> Tensor:
        cosine = F.normalize(x) @ F.normalize(self.weight).T
        angle = cosine.clamp(2**-23 - 1, 1 - 2**-23).acos()
        own = F.one_hot(label, len(self.weight)).bool()
        return F.cross_entropy(self.scale * torch.where(own, (angle + margin).cos(), cosine), label)


def test_code_is_told_how_many_classes_and_features_there_are() -> None:
    asking = session(Head, "arcface")
    assert asking.question.pinned == {"d": (3,), "c": (5,)}
    assert values.first(asking).status == "holds"
    told = asked(Head, "arcface", settings={"out_features": 7})
    assert told.pinned["c"] == (7,)


def test_a_head_is_made_once_and_can_be_traced() -> None:
    asking = session(Head, "arcface")
    before = Head.made
    trace(asking, next(first_points(asking.question)), "mean")
    assert Head.made == before + 1


def test_a_number_of_classes_that_code_has_by_default_is_the_size() -> None:
    def onehot(pred: Tensor, labels: Tensor, num_classes: int = 4) -> Tensor:
        hot = F.one_hot(labels, num_classes).to(pred.dtype)
        return -(hot * pred.log_softmax(1)).sum(1).mean()

    assert asked(onehot, "cross_entropy").pinned == {"s": (), "c": (4,)}


def tokens(logits: Tensor, labels: Tensor, pad_id: int = -100) -> Tensor:
    """The mean of the rows' means."""
    item = F.cross_entropy(logits, labels, ignore_index=pad_id, reduction="none")
    kept = (labels != pad_id).to(item.dtype)
    return ((item * kept).sum(1) / kept.sum(1)).mean()


def test_padding_is_what_is_ignored() -> None:
    asking = session(tokens, "cross_entropy")
    assert taken(asking.question)["ignore_index"] == "pad_id"
    assert values.first(asking).status == "fails"


def ignoring(
    keep: Callable[[Tensor], Tensor], mean: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    def code(logits: Tensor, target: Tensor) -> Tensor:
        kept = keep(target)
        item = F.cross_entropy(logits, target.where(kept, 0), reduction="none")
        return mean(item * kept, kept)

    return code


@pytest.mark.parametrize(
    ("mean", "status"),
    [
        (lambda item, kept: item.sum() / kept.sum(), "holds"),
        (lambda item, kept: item.mean(), "warns"),
    ],
)
def test_labels_that_are_ignored_by_default_are_asked_about(
    mean: Callable[[Tensor, Tensor], Tensor], status: str
) -> None:
    asking = session(ignoring(lambda y: y != -100, mean), "cross_entropy")
    found = labels.ignored(asking)
    assert isinstance(found, Check)
    assert found.status == status
    assert not asking.witnesses  # it need not know of them


def test_a_label_that_code_ignores_may_be_told() -> None:
    right = ignoring(lambda y: y != 255, lambda item, kept: item.sum() / kept.sum())
    wrong = ignoring(lambda y: y != 255, lambda item, kept: item.mean())
    told = {"settings": {"ignore_index": 255}}
    assert values.first(session(right, "cross_entropy", **told)).status == "holds"
    assert values.first(session(wrong, "cross_entropy", **told)).status == "fails"


def test_a_slow_first_call_is_not_the_length_of_all() -> None:
    calls: list[float] = []

    def slow(input: Tensor, target: Tensor) -> Tensor:
        if not calls:
            time.sleep(0.3)
        calls.append(1.0)
        return ((input - target) ** 2).mean()

    assert large.large(session(slow, "mse")).status == "holds"


def test_a_formula_is_not_guessed_from_a_similar_name(tmp_path: Path) -> None:
    path = tmp_path / "losses.py"
    path.write_text("def msle(input, target):\n    return (input - target).mean()\n")
    with pytest.raises(LossgenError, match="Did you mean --spec mse"):
        verify_request(Request(f"{path}:msle"), lambda text: None)


def test_the_only_key_is_named() -> None:
    said = answer.taken({"contrastive": torch.zeros(())}, "")
    assert isinstance(said, str)
    assert "--result contrastive" in said


def test_a_gpu_is_not_asked_for_by_options() -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        raise AssertionError("Torch not compiled with CUDA enabled")

    report = lossgen.verify(code, "mse")
    assert report.verdict == "cannot be asked"
    assert report.reason.endswith(".to(input.device)")


def test_what_fails_alone_is_told_with_what_leaves_it_out() -> None:
    def code(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        item = (input - target) ** 2
        if reduction == "sum":
            return 2 * item.sum()
        return item if reduction == "none" else item.mean()

    report = lossgen.verify(code, "mse")
    assert "with reduction mean, none nothing is found: --reduction mean" in report.notes


def test_boxes_of_a_counter_example_are_plain() -> None:
    def code(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().sum(1).mean()

    asking = session(code, "giou")
    values.first(asking)
    small = shrink(asking, asking.witnesses[0]).point.tensors
    assert all(float(x).is_integer() for array in small.values() for x in array.flat)
