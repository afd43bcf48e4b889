"""Every bug is refuted, its right version accepted, and most mistakes are called by their name."""

from __future__ import annotations

import functools

import pytest

import lossgen
from lossgen.verify.verdict import Report
from tests.zoo.table import BUGS, Bug

# Left to the slow run: they look at torch rather than at the loss, and take most of the time.
COSTLY = ("torch.compile", "large tensors")

EVERY = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.where} {bug.wrong}")


@functools.cache
def wrong(bug: Bug) -> Report:
    return lossgen.verify(bug.code(bug.wrong), bug.formula, **bug.how)


@EVERY
def test_the_bug_is_refuted(bug: Bug) -> None:
    report = wrong(bug)
    assert report.verdict == "does not hold", report
    assert report.counterexample is not None


@EVERY
def test_its_right_version_is_accepted(bug: Bug) -> None:
    lossgen.assert_holds(bug.code(bug.right), bug.formula, skip=COSTLY, **bug.how)


@pytest.mark.slow
@EVERY
def test_its_right_version_passes_every_check(bug: Bug) -> None:
    lossgen.assert_holds(bug.code(bug.right), bug.formula, **bug.how)


def test_most_mistakes_are_named() -> None:
    named = [b for b in BUGS if b.mistake and any(b.mistake in d for d in wrong(b).diagnoses)]
    assert len(named) >= 0.7 * len(BUGS), sorted({b.wrong for b in BUGS} - {b.wrong for b in named})


def test_most_counterexamples_hold_few_numbers() -> None:
    examples = {b.wrong: wrong(b).counterexample for b in BUGS}
    counts = {name: example.count for name, example in examples.items() if example is not None}
    assert sum(count <= 4 for count in counts.values()) >= 0.8 * len(BUGS), counts


def test_no_right_version_is_given_a_diagnosis() -> None:
    for bug in BUGS[:4]:
        report = lossgen.verify(bug.code(bug.right), bug.formula, skip=COSTLY, **bug.how)
        assert report.diagnoses == ()
