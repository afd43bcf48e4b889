"""Code held against a formula of one's own: mistakes called by their name, and no false alarm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import lossgen
from lossgen.verify.verdict import Report

SPEC = "from lossgen.language import *\n\n\n@loss()\ndef own({}):\n    '''A loss.'''\n    {}\n"
COSTLY = ("torch.compile", "large tensors", "permuted positions")


def asked(code: object, arguments: str, formula: str, folder: Path) -> Report:
    path = folder / "own.py"
    path.write_text(SPEC.format(arguments, formula), encoding="utf-8")
    return lossgen.verify(code, path, skip=COSTLY)


def unbiased(x: Tensor) -> Tensor:
    return (x**2).mean() + x.var(1).mean()


def followed(x: Tensor, y: Tensor) -> Tensor:
    return (x * torch.sigmoid(y)).mean()


def with_itself(x: Tensor) -> Tensor:
    return (x.cumsum(0) ** 2).mean()


def one_of_the_best(x: Tensor) -> Tensor:
    return (F.one_hot(x.argmax(1), x.shape[1]) * x.softmax(1)).sum(1).mean()


def held(x: Tensor) -> Tensor:
    with torch.no_grad():
        mean = x.mean()
    return ((x - mean) ** 4).mean()


@pytest.mark.parametrize(
    ("code", "arguments", "formula", "words"),
    [
        (
            unbiased,
            "x: Real[n, d]",
            "m = Mean(x[n, d], d)\n    return Mean(x[n, d]**2, d) + Mean((x[n, d] - m)**2, d)",
            "divided by one less than there are",
        ),
        (
            followed,
            "x: Real[n], y: Real[n]",
            "gate = stop_gradient(sigmoid(y[n]))\n    return x[n]*gate",
            "if a gradient flows through gate",
        ),
        (
            with_itself,
            "x: Real[n]",
            "return Sum(x[j], j, where=j < n)**2",
            "'j ≤ n' in place of 'j < n'",
        ),
        # At a tie alone: that it is right elsewhere for other inputs as well explains nothing.
        (
            one_of_the_best,
            "x: Logits[n, c]",
            "best = x[n, c] == Amax(x[n, k], k)\n"
            "    return Sum(where(best, softmax(x[n, c], c), 0), c)",
            "",
        ),
    ],
)
def test_what_is_computed_instead(
    code: Callable[..., Tensor], arguments: str, formula: str, words: str, tmp_path: Path
) -> None:
    report = asked(code, arguments, formula, tmp_path)
    assert report.verdict == "does not hold", report
    assert bool(words) == bool(report.diagnoses), report.diagnoses
    assert not words or words in report.diagnoses[0]


def test_a_gradient_that_no_grad_stops(tmp_path: Path) -> None:
    formula = "m = stop_gradient(Mean(x[j], j))\n    return (x[n] - m)**4"
    report = asked(held, "x: Real[n]", formula, tmp_path)
    assert report.verdict == "holds", report
    assert any("no_grad()" in text for text in report.warnings)
