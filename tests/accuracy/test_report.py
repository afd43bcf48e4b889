"""What ``lossgen verify`` says of accuracy: on the terminal, under --json, by its exit code."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lossgen.accuracy.generated import load, styles
from lossgen.accuracy.report import number, place, show, verdict
from lossgen.accuracy.results import Accuracy, Measured, Point
from lossgen.errors import LossgenError
from tests.accuracy.specs import elementwise
from tests.cli.conftest import Run, project, run, write_spec

__all__ = ["project", "run"]

WRONG = """
import torch


def mine(input, target):
    return ((input - target) ** 2).mean()


def mine_loss(input, target, *, reduction):
    return torch.exp(2 * torch.log((input - target).abs()))
"""
QUICK = ("--only-accuracy", "--effort", "0.05")


def told(run: Run, *words: str) -> Any:
    """What --json says."""
    return json.loads(run("verify", *words, "--json").output)


def test_an_accurate_loss_meets_its_bars(run: Run, project: Path) -> None:
    write_spec(project, "mine")
    result = run("verify", "mine", *QUICK)
    assert result.exit_code == 0, result.output
    assert "mine meets its bars of accuracy\nseed 0" in result.output
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        for style in ("functional", "function"):
            assert any(
                line.split()[:3] == [style, quantity, dtype]
                for line in result.output.splitlines()
                for quantity in ("value", "gradient")
            )
    assert "cases hold" not in result.output


def test_an_inaccurate_loss_breaks_them_and_the_point_is_told(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec(project, "mine")
    path = project / "wrong.py"
    path.write_text(WRONG)
    wrong = load(path)
    monkeypatch.setattr("lossgen.accuracy.generated.load", lambda path: wrong)
    result = run("verify", "mine", *QUICK)
    assert result.exit_code == 1
    assert "mine breaks its bars of accuracy" in result.output
    assert "functional value float64: item[0]" in result.output
    assert "exact is" in result.output
    assert "input=[" in result.output
    assert told(run, "mine", *QUICK)["accuracy"]["sound"] is False
    # Beside the proof it is told, and the proof decides.
    assert run("verify", "mine", "--effort", "0.05").exit_code == 0


@pytest.mark.parametrize("text", ["def other():\n    pass\n", "raise ValueError(3)\n"])
def test_a_file_without_the_loss_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(LossgenError, match=r"mine\.py"):
        styles(elementwise("(input[e] - target[e])**2"), load(path))


def test_for_a_program(run: Run, project: Path) -> None:
    write_spec(project, "mine")
    found = told(run, "mine", *QUICK)
    accuracy = found["accuracy"]
    assert accuracy["holds"] is True
    assert accuracy["seed"] == 0
    keys = {(m["style"], m["dtype"], m["quantity"]) for m in accuracy["measured"]}
    assert ("functional", "float32", "gradient") in keys
    assert ("function", "bfloat16", "value") in keys
    first = accuracy["measured"][0]
    assert first["points"] > 20
    assert first["worst"] >= first["p99"] >= first["median"]
    assert first["where"]["tensors"].keys() == {"input", "target"}


def test_the_seed_chooses_the_points(run: Run, project: Path) -> None:
    write_spec(project, "mine")
    first, again, other = (
        told(run, "mine", *QUICK, "--seed", seed)["accuracy"]["measured"] for seed in "778"
    )
    assert first == again
    assert first != other


@pytest.mark.slow
def test_it_stands_beside_the_proof_and_can_be_left_out(run: Run, project: Path) -> None:
    write_spec(project, "mine")
    both = told(run, "mine", "--effort", "0.05")
    assert both["holds"] is True
    assert both["checks"]
    assert both["accuracy"]["measured"]
    assert "accuracy" not in told(run, "mine", "--no-accuracy")


@pytest.mark.parametrize("words", [("--effort", "0"), ("--effort", "much"), ("--seed", "x")])
def test_what_makes_no_sense_is_refused(run: Run, project: Path, words: tuple[str, ...]) -> None:
    write_spec(project, "mine")
    assert run("verify", "mine", *words).exit_code == 2


def measured(**verdicts: int) -> Measured:
    return Measured("function", "float32", "value", 9, 1.0, 1.0, 1.0, verdicts, None, ())


def shown(*lines: Measured, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    show(Accuracy("mine", False, 0, lines, (), 1.0), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_verdict_tells_the_plain_function_from_the_one_to_train_with() -> None:
    plain = measured(ulp=5, breaks=1)
    functional = replace(plain, style="functional")
    assert "mine breaks its bars of accuracy\n" in shown(functional, plain)
    sound = replace(functional, verdicts={"ulp": 6})
    words = "in the functional form; the plain function, differentiated by autograd, breaks them"
    assert words in shown(sound, plain)


def test_columns_are_whole_on_a_narrow_terminal() -> None:
    point = Point(1.0, "ulp", "tie", "", "item[0]", {"input": "[1.0]"}, 1.0, "1.0", True)
    line = replace(measured(ulp=9), style="functional", dtype="bfloat16", where=point)
    text = shown(line)
    assert "…" not in text
    assert "functional" in text
    assert "worst at" not in text
    assert "tie: input=[1.0]" in shown(line, width=120)


def test_second_derivatives_show_no_error_since_none_is_measured() -> None:
    row = shown(replace(measured(ulp=9), quantity="second")).splitlines()[3]
    assert row.split() == ["function", "second", "float32", "9", "no", "NaN"]


def test_the_words_for_what_was_found() -> None:
    assert verdict(measured(ulp=9)) == "holds"
    assert verdict(measured(ulp=5, terms=3, avoidable=1)) == "4 by terms"
    assert verdict(measured(half=5, native=3)) == "3 in steps"
    assert verdict(measured(ulp=5, terms=3, conditioned=1)) == "1 by inputs"
    assert verdict(measured(ulp=5, conditioned=3, breaks=1)) == "1 break"
    assert not measured(conditioned=1).holds
    assert measured(conditioned=1).sound
    assert not measured(breaks=1).sound
    assert [number(x) for x in (0.0, 3.456, 250.0, 1.5e7, float("inf"))] == [
        "0.00",
        "3.46",
        "2.5e2",
        "1.5e7",
        "inf",
    ]
    point = Point(1.0, "ulp", "tie", "beta=0", "item[0]", {"input": "[1.0]"}, 1.0, "1.0", True)
    assert place(point) == "tie, beta=0: input=[1.0]"
