"""Whatever code does, the answer is a verdict or a message, never a traceback of ours."""

from __future__ import annotations

import time

import pytest

import lossgen
from lossgen.errors import LossgenError
from lossgen.verify.request import Request
from lossgen.verify.supervise import supervise
from lossgen.verify.verdict import Report
from tests.verify import losses

COSTLY = ("torch.compile", "large tensors")


def asked(name: str, **how: object) -> Report:
    return lossgen.verify(getattr(losses, name), "mse", skip=COSTLY, **how)


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("right", "holds", ""),
        ("doubled", "does not hold", "its value"),
        ("raises", "cannot be asked", "ValueError: no such thing (losses.py:"),
        ("raises_for_one", "does not hold", "one is not enough"),
        ("draws", "does not hold", "another answer when it is called again"),
        ("mutates", "does not hold", "changes its input target in place"),
        ("number", "cannot be asked", "gives back a float, not a tensor"),
        ("pair", "cannot be asked", "--result first"),
        ("named", "cannot be asked", "take one of loss"),
        ("integers", "cannot be asked", "torch.int64, not of floats"),
        ("items", "does not hold", "its shape"),
        ("detached", "does not hold", "carries no gradient"),
        ("needs_cuda", "cannot be asked", "CUDA"),
        ("no_half", "holds", ""),
        ("second_order", "does not hold", "another second derivative of input: 0"),
    ],
)
def test_verdicts(name: str, verdict: str, words: str) -> None:
    report = asked(name)
    assert report.verdict == verdict, report
    assert words.lower() in report.reason.lower()
    assert report.exit_code() == {"holds": 0, "does not hold": 1, "cannot be asked": 2}[verdict]


def test_rounding_is_told_apart_from_another_formula() -> None:
    report = asked("inexact")
    assert report.verdict == "holds, inaccurate", report
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 1)
    assert "too few digits are" in report.reason


def test_half_precision_may_be_refused() -> None:
    assert any("half precision is refused" in note for note in asked("no_half").notes)


@pytest.mark.parametrize(("name", "result"), [("pair", "first"), ("named", "loss")])
def test_an_answer_may_be_taken_apart(name: str, result: str) -> None:
    assert asked(name, result=result).verdict == "holds"


def test_an_argument_that_nobody_gave() -> None:
    with pytest.raises(LossgenError, match=r"needs 'temperature', which the formula has not"):
        asked("wider")
    assert asked("wider", settings={"temperature": 2.0}).holds


def supervised(name: str, limit: float = 60.0) -> Report:
    request = Request(
        target=f"tests.verify.losses:{name}", formula="mse", time_limit=limit, skip=COSTLY
    )
    return supervise(request, lambda text: None)


def test_code_that_hangs_is_held_to_its_time() -> None:
    start = time.monotonic()
    report = supervised("hangs", limit=8)
    assert time.monotonic() - start < 12
    assert report.exit_code() == 2
    assert "did not come back within 8 s" in report.reason


def test_code_that_ends_its_process() -> None:
    report = supervised("dies")
    assert report.exit_code() == 2
    assert "exit code 3" in report.reason


def test_what_is_refuted_stays_refuted_when_the_process_ends() -> None:
    report = supervised("doubled_but_dies_of_one_number")
    assert report.verdict == "does not hold", report
    assert "exit code 3 (in: a small counter-example)" in report.notes[-1]
    assert report.checks[-1].status == "fails"


def test_code_that_raises_system_exit() -> None:
    with pytest.raises(LossgenError, match=r"ends the process: SystemExit\(0\)"):
        supervised("leaves")


def test_what_code_prints_is_told_and_kept_out_of_the_answer() -> None:
    report = supervised("prints")
    assert report.holds
    assert any("prints: loss is being computed" in note for note in report.notes)


def test_the_same_seed_asks_the_same_question() -> None:
    first, second = asked("doubled", seed=3), asked("doubled", seed=3)
    assert first.counterexample is not None
    assert second.counterexample is not None
    assert first.counterexample.tensors == second.counterexample.tensors
    assert first.seed == 3
