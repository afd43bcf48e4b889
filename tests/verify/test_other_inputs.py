"""Inputs beside the usual: shapes that do not fit, probabilities, single samples, precisions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import lossgen
from lossgen.verify.checks import CHECKS
from lossgen.verify.verdict import Check, Report


def asked(code: object, formula: str, *names: str) -> Report:
    """With only some checks beside the first."""
    return lossgen.verify(code, formula, skip=[x for x in CHECKS if x not in ("runs", *names)])


def row(report: Report, name: str) -> Check:
    return next(c for c in report.checks if c.name == name)


def mse(input: Tensor, target: Tensor) -> Tensor:
    return ((input - target) ** 2).mean()


def mse_flat(input: Tensor, target: Tensor) -> Tensor:
    return ((input.flatten() - target.flatten()) ** 2).mean()


def mse_strict(input: Tensor, target: Tensor) -> Tensor:
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    return mse(input, target)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (mse, "warns", "[5, 1] beside"),
        (mse_flat, "holds", "refused, or understood"),
        (mse_strict, "holds", "refused, or understood"),
        (F.mse_loss, "holds", "the code warns"),
    ],
)
def test_a_column_beside_a_vector(code: object, status: str, words: str) -> None:
    report = asked(code, "mse", "shapes")
    assert row(report, "shapes").status == status
    assert words in row(report, "shapes").detail
    assert report.verdict == "holds"
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, int(status == "warns"))


def test_a_warning_says_both_numbers() -> None:
    (told,) = asked(mse, "mse", "shapes").warnings
    torch.manual_seed(0)
    assert "without a word: " in told
    assert "where input [5] gives" in told


def test_one_row_for_all_is_understood_and_one_class_for_all_is_too() -> None:
    def dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        if input.dim() != target.dim():
            raise ValueError("ranks differ")
        prob, label = input.sigmoid().flatten(2), target.expand_as(input).flatten(2)
        overlap, mass = (prob * label).sum(2), (prob + label).sum(2)
        return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()

    assert row(asked(dice, "dice", "shapes"), "shapes").status == "holds"


def test_a_mask_without_its_channel_beside_an_image_with_one() -> None:
    def dice(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
        prob, axes = input.sigmoid(), tuple(range(2, input.dim()))
        overlap, mass = (prob * target).sum(axes), (prob + target).sum(axes)
        return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()

    (told,) = asked(dice, "dice", "shapes").warnings
    assert told.startswith("takes target [2, 6] beside input [2, 1, 6] without a word")


def soft(input: Tensor, target: Tensor) -> Tensor:
    return -(target * input.log_softmax(1)).sum(1).mean()


def hardened(input: Tensor, target: Tensor) -> Tensor:
    """Takes probabilities, and keeps only the largest."""
    return F.cross_entropy(input, target.argmax(1) if target.is_floating_point() else target)


def unweighted(
    input: Tensor, target: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """With probabilities, the class weights are forgotten."""
    if target.is_floating_point():
        return F.cross_entropy(input, target, label_smoothing=label_smoothing)
    return F.cross_entropy(input, target, weight, label_smoothing=label_smoothing)


def confused(input: Tensor, target: Tensor) -> Tensor:
    """Adds up where it should not."""
    return soft(input, target) * 2 if target.is_floating_point() else F.cross_entropy(input, target)


def labels_only(input: Tensor, target: Tensor) -> Tensor:
    if target.is_floating_point():
        raise TypeError("labels, please")
    return F.cross_entropy(input, target)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (F.cross_entropy, "holds"),
        (hardened, "fails"),
        (unweighted, "fails"),
        (confused, "warns"),
        (labels_only, "skipped"),
    ],
)
def test_probability_targets(code: object, status: str) -> None:
    report = asked(code, "cross_entropy", "probability targets")
    assert row(report, "probability targets").status == status
    if status == "fails":
        assert "with a target of probabilities" in report.reason
        assert report.counterexample is not None
        assert report.counterexample.count <= 10


def unsmoothed_alone(
    input: Tensor, target: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """A single sample is not smoothed."""
    alone = 0.0 if input.dim() == 1 else label_smoothing
    return F.cross_entropy(input, target, weight, label_smoothing=alone)


def summed_alone(input: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(input, target) * (2 if input.dim() == 1 else 1)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (F.cross_entropy, "holds"),
        (unsmoothed_alone, "fails"),
        (summed_alone, "warns"),
        (lambda input, target: F.cross_entropy(input, target[: len(target)]), "skipped"),
    ],
)
def test_a_sample_without_its_batch_axis(code: object, status: str) -> None:
    report = asked(code, "cross_entropy", "unbatched input")
    assert row(report, "unbatched input").status == status
    if status == "fails":
        assert "without a batch axis" in report.reason
        assert report.counterexample is not None
        assert ".squeeze(0)" in report.counterexample.call[-1]


def test_formulas_without_such_inputs_have_no_row() -> None:
    names = [c.name for c in asked(mse, "mse", "probability targets", "unbatched input").checks]
    assert names[:1] == ["runs"]
    assert not {"probability targets", "unbatched input"} & set(names)


def test_half_precision_that_works_in_single_is_within_an_ulp() -> None:
    def single(input: Tensor, target: Tensor) -> Tensor:
        wide = torch.promote_types(input.dtype, torch.float32)
        return F.binary_cross_entropy_with_logits(input.to(wide), target.to(wide)).to(input.dtype)

    made = row(
        asked(single, "binary_cross_entropy_with_logits", "half precision"), "half precision"
    )
    assert made.status == "holds"
    far = [float(word) for word in made.detail.replace("ulp", "").split() if word[0].isdigit()]
    assert len(far) == 2
    assert max(far) <= 1


def test_digits_lost_in_half_precision_are_told_and_refute_nothing() -> None:
    def offset(input: Tensor, target: Tensor) -> Tensor:
        return ((input - target).abs() + 64 - 64).mean()

    report = asked(offset, "l1", "half precision")
    assert row(report, "half precision").status == "inaccurate"
    assert report.verdict == "holds, inaccurate"
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 1)


def test_half_scores_beside_single_labels_lose_no_more_than_half_precision_does() -> None:
    def cast(input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target.to(input.dtype))

    name = "mixed precision"
    assert row(asked(cast, "binary_cross_entropy_with_logits", name), name).status == "holds"

    def coarse(input: Tensor, target: Tensor) -> Tensor:
        if input.dtype != target.dtype:
            input, target = (x.float() + 2.0**21 - 2.0**21 for x in (input, target))
        return ((input - target) ** 2).mean()

    assert row(asked(coarse, "mse", name), name).status == "inaccurate"


def test_where_double_precision_is_given_up_is_told() -> None:
    def narrow(input: Tensor, target: Tensor) -> Tensor:
        wide = (input.float() - target.float()) ** 2 + 256
        return (wide - 256).mean().to(input.dtype)

    report = lossgen.verify(narrow, "mse", skip=("torch.compile", "large tensors"))
    assert report.verdict == "holds, inaccurate", report
    assert "float64 becomes float32 (test_other_inputs.py:" in report.reason
