"""Where nothing or little was looked at, the answer says so and is no yes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor

import lossgen
from lossgen.verify import supervise
from lossgen.verify.api import pose, truth
from lossgen.verify.ask import ask
from lossgen.verify.checks import CHECKS
from lossgen.verify.encode import plain_data
from lossgen.verify.junit import junit
from lossgen.verify.request import Request
from lossgen.verify.session import Session
from lossgen.verify.target import describe_target
from lossgen.verify.verdict import Report
from tests.verify import losses


def test_no_time_for_a_single_value_is_no_yes() -> None:
    report = lossgen.verify(losses.doubled, "mse", time_limit=1e-9)
    assert report.verdict == "cannot be asked"
    assert report.exit_code() == 2
    assert "--time-limit" in report.reason
    assert ElementTree.fromstring(junit(report))[0].get("failures") == "1"


def test_a_yes_names_what_there_was_no_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(input: Tensor, target: Tensor) -> Tensor:
        calls.append(1)
        return losses.right(input, target)

    monkeypatch.setattr(Session, "over", property(lambda session: len(calls) > 5))
    report = lossgen.verify(counted, "mse")
    assert report.verdict == "holds"
    assert report.reason.startswith("but the time was up before")


def test_a_yes_without_a_comparison_says_so() -> None:
    left = ("value and gradient", "every option and reduction", "one sample")
    costly = ("torch.compile", "large tensors", "jvp", "extreme values", "half precision", "shapes")
    report = lossgen.verify(losses.right, "mse", skip=(*left, *costly))
    assert report.verdict == "holds"
    assert report.reason == "but no value of it was compared with the formula's, as asked."


class _Stuck:
    """A process that says what it knows, and no more."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = messages

    @property
    def stdout(self) -> Iterator[str]:
        yield from map(json.dumps, self.messages)
        threading.Event().wait(60)


def test_what_held_before_it_hung_holds_so_far() -> None:
    found: list[Report] = []
    question = pose(truth("mse"), describe_target(losses.right))
    ask(question, skip=("torch.compile", "jvp", "large tensors"), standing=found.append)
    assert {report.verdict for report in found} == {"holds"}
    stuck: Any = _Stuck({"standing": plain_data(found[0])}, {"progress": "large tensors"})
    report = supervise._listen(stuck, Request("x:y", time_limit=0.1), lambda text: None)
    assert report.verdict == "holds"
    assert report.reason.startswith("but it did not come back within 0.1 s (in: large tensors)")
    assert report.checks[1].name == "value and gradient"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: torch.manual_seed(0), "random seed"),
        (lambda: torch.set_default_dtype(torch.float64), "default dtype"),
    ],
)
def test_what_changes_torch_for_all_is_found(change: Callable[[], None], words: str) -> None:
    def code(input: Tensor, target: Tensor) -> Tensor:
        change()
        return losses.right(input, target)

    dtype = torch.get_default_dtype()
    report = lossgen.verify(code, "mse")
    assert report.verdict == "does not hold"
    assert f"changes torch's {words} for the whole program" in report.reason
    assert torch.get_default_dtype() is dtype


def test_code_that_loops_over_rows_is_not_asked_for_hours() -> None:
    def rows(input: Tensor, target: Tensor) -> Tensor:
        items = [((x - y) ** 2).mean() for x, y in zip(input, target, strict=True)]
        return torch.stack(items).mean()

    kept = ("runs", "value and gradient", "large tensors")
    report = lossgen.verify(rows, "mse", skip=[name for name in CHECKS if name not in kept])
    assert report.checks[-1].name == "torch.compile"
    (large,) = (check for check in report.checks if check.name == "large tensors")
    assert "it would take about" in large.detail
