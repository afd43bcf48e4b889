"""Targets, matching of arguments, and conventions; what stays open is refused with a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lossgen
from lossgen.errors import LossgenError
from lossgen.library import Library
from lossgen.paths import shipped
from lossgen.verify.adapters import ADAPTERS
from lossgen.verify.api import pose, truth
from lossgen.verify.matching import match
from lossgen.verify.target import describe_target, load_target
from tests.verify import losses

COSTLY = ("torch.compile", "large tensors")
MODULE = "tests.verify.losses"


@pytest.mark.parametrize(
    "text", [f"{MODULE}:right", "tests/verify/losses.py:right", f"{MODULE}:Squared"]
)
def test_targets_are_found(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    target = load_target(text)
    assert target.kind == ("class" if "Squared" in text else "function")
    assert target.where.startswith("losses.py:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tests/verify/losses.py", "does not say which object"),
        ("no_such_file.py:loss", "there is no such file"),
        ("no_such_package.loss:Dice", "no module 'no_such_package.loss'"),
        ("math.losses:dice", "no module 'math.losses'"),
        ("..losses:dice", "no module '..losses'"),
        (f"{MODULE}:rihgt", "Did you mean 'right'?"),
        (f"{MODULE}:__doc__", "is a str, which cannot be called"),
    ],
)
def test_what_is_not_there_is_refused(text: str, words: str) -> None:
    with pytest.raises(LossgenError, match=words.replace("?", r"\?")):
        load_target(text)


def test_a_module_that_raises_is_no_fault_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import math\n\nmath.no_such_name\n")
    with pytest.raises(LossgenError, match=r"cannot be imported: AttributeError.*broken.py:3"):
        load_target(f"{path}:loss")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import no_such_dependency", "ModuleNotFoundError: No module named 'no_such_dependency'"),
        ("raise RuntimeError('built for another torch')", "RuntimeError: built for another torch"),
        ("raise ValueError('no settings')", "ValueError: no settings"),
    ],
)
def test_a_package_that_raises_is_there(
    line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package_that_raises"
    package.mkdir()
    (package / "__init__.py").write_text(f"{line}\n")
    (package / "losses.py").write_text("def dice(input, target):\n    return input\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        LossgenError, match=f"package_that_raises.losses cannot be imported: {words}"
    ):
        load_target("package_that_raises.losses:dice")


@pytest.mark.parametrize(
    "code",
    [losses.Squared, losses.Squared(), losses.Squared("sum"), nn.MSELoss, nn.MSELoss("none")],
)
def test_classes_and_instances(code: object) -> None:
    how = {} if isinstance(code, type) else {"reduction": code.reduction}  # type: ignore[attr-defined]
    assert lossgen.verify(code, "mse", skip=COSTLY, **how).holds


def test_a_class_is_asked_under_every_reduction() -> None:
    question = pose(truth("mse"), describe_target(losses.Squared))
    assert question.reductions == ("none", "mean", "sum")
    assert question.passed


def test_arguments_are_matched_by_name_by_synonym_and_by_place() -> None:
    def by_place(a: Tensor, b: Tensor, smooth: float = 2.0) -> Tensor:
        return a + b

    spec = Library([shipped("specs")]).load("dice")
    matching = match(spec, describe_target(by_place))
    assert {k: v.name for k, v in matching.taken.items()} == {
        "input": "a",
        "target": "b",
        "smooth": "smooth",
    }
    named = match(Library([shipped("specs")]).load("mse"), describe_target(losses.Squared))
    assert named.taken["input"].name == "preds"
    assert named.taken["target"].name == "labels"
    assert "the formula's input is the code's preds" in named.notes


def test_what_the_code_does_not_take_is_the_formulas_default_and_said() -> None:
    def fixed(input: Tensor, target: Tensor) -> Tensor:
        prob = input.sigmoid().flatten(2)
        label = target.flatten(2)
        return (1 - (2 * (prob * label).sum(2) + 1) / ((prob + label).sum(2) + 1)).mean()

    report = lossgen.verify(fixed, "dice", skip=COSTLY)
    assert report.holds
    assert "smooth = 1.0, the formula's default: the code takes none" in report.assumed
    wrong = lossgen.verify(fixed, "dice", settings={"smooth": 2.0}, skip=COSTLY)
    assert wrong.verdict == "does not hold"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"map": {"inptu": "input"}}, "Did you mean 'input'"),
        ({"map": {"input": "inptu"}}, "Did you mean 'input'"),
        ({"settings": {"smooht": 1}}, "neither the formula nor the code"),
        ({"adapt": {"input": "sigmiod"}}, "Did you mean 'sigmoid'"),
        ({"adapt": {"inptu": "sigmoid"}}, "Did you mean 'input'"),
        ({"reduction": "average"}, "the formula has none, mean, sum"),
        ({"skip": ("compile",)}, "no check 'compile' to skip"),
    ],
)
def test_slips_are_refused_with_a_suggestion(how: dict[str, object], words: str) -> None:
    with pytest.raises(LossgenError, match=words):
        lossgen.verify(losses.right, "mse", **how)


def test_conventions_are_stated_and_told() -> None:
    adapt = {"input": "sigmoid,channels_last", "target": "channels_last"}
    report = lossgen.verify(
        losses.Smoothed, "dice", adapt=adapt, map={"input": "prob"}, skip=COSTLY
    )
    assert report.holds, report
    assert "the code takes input as probabilities: its sigmoid" in report.assumed
    assert "the code takes target with the class axis last" in report.assumed


def test_a_formula_in_one_line_and_a_sum() -> None:
    def summed(input: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
        return torch.sqrt((input - target) ** 2 + eps**2).sum()

    how = {"expr": "sqrt((input - target)**2 + eps**2)", "params": ["eps=1e-3"], "skip": COSTLY}
    assert lossgen.verify(summed, reduction="sum", **how).holds
    report = lossgen.verify(summed, **how)
    assert report.verdict == "does not hold"
    assert report.diagnoses == ("with reduction sum, not mean",)


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_a_convention_writes_is_what_it_does(name: str) -> None:
    adapter = ADAPTERS[name]
    x = torch.rand(2, 3, 4, dtype=torch.float64)
    if name == "one_hot":
        x = torch.randint(0, 3, (2, 4))
    scope = {"torch": torch, "x": x}
    written = eval(adapter.code.format(x="x", axis=1, classes=3), scope)
    assert torch.equal(written, adapter.apply(x, 1, 3))


def test_an_assertion_for_ones_own_tests() -> None:
    lossgen.assert_holds(losses.right, "mse", skip=COSTLY)
    with pytest.raises(AssertionError, match=r"does not hold[\s\S]*doubled"):
        lossgen.assert_holds(losses.doubled, "mse", skip=COSTLY)
    with pytest.raises(LossgenError, match="no such thing"):
        lossgen.assert_holds(losses.raises, "mse")
