"""Losses as people write them: they can be asked about, and what is wrong is called by its name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import lossgen
from lossgen.errors import LossgenError
from lossgen.verify.checks import CHECKS
from lossgen.verify.save import saved
from lossgen.verify.target import load_target
from lossgen.verify.verdict import Report
from tests.verify import written

MODULE = "tests.verify.written"
SOON = ("runs", "value and gradient", "every option and reduction", "one sample")
LATER = tuple(name for name in CHECKS if name not in SOON)


@pytest.fixture(autouse=True)
def _no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """How equality is shown is asked elsewhere, and takes longest."""
    monkeypatch.setattr("lossgen.verify.ask.gather", lambda session: None)


def asked(code: Any, formula: str, *more: str, **how: Any) -> Report:
    """The first checks, and those that are named besides."""
    skip = tuple(name for name in LATER if name not in more)
    return lossgen.verify(code, formula, skip=skip, **how)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("wrapped", {}),
        ("keywords", {}),
        ("images", {}),
        ("output", {"result": ".loss"}),
        ("second", {"result": "1"}),
        ("Lit.loss", {}),
    ],
)
def test_a_squared_error_in_every_dress(name: str, how: dict[str, Any]) -> None:
    assert asked(f"{MODULE}:{name}", "mse", **how).verdict == "holds"


def test_a_scripted_function_has_arguments() -> None:
    @torch.jit.script
    def huber(input: torch.Tensor, target: torch.Tensor, delta: float = 1.0) -> torch.Tensor:
        error = torch.abs(input - target)
        inner = torch.clamp(error, max=delta)
        return torch.mean(0.5 * inner * inner + delta * (error - inner))

    report = asked(huber, "huber")
    assert report.verdict == "holds"
    assert not any("delta" in line for line in report.assumed)


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("output", {}, "take one of loss: --result .loss"),
        ("second", {}, "counted from 0: --result 1"),
        ("second", {"result": "2"}, "2 values, of which none is at 2"),
        ("wrapped", {"result": "loss"}, "has no 'loss'"),
        ("nothing", {}, "gives back None, not a tensor: is a return missing?"),
    ],
)
def test_an_answer_that_is_no_tensor(name: str, how: dict[str, Any], words: str) -> None:
    report = asked(getattr(written, name), "mse", **how)
    assert report.verdict == "cannot be asked"
    assert words in report.reason


def test_what_is_refused_says_what_was_given_and_what_would_do() -> None:
    report = asked(written.by_labels, "dice")
    assert report.verdict == "cannot be asked"
    assert "It was given logits [2, 3, 6], labels [2, 3, 6]." in report.reason
    assert report.reason.endswith("It can be called with --pass target=index")
    assert asked(written.by_labels, "dice", adapt={"target": "index"}).verdict == "holds"


def test_other_numbers_of_dimensions_are_tried() -> None:
    report = asked(written.pairs, "mse")
    assert report.verdict == "does not hold"
    assert "broadcasts [6, 1] and [6] to [6, 6]" in report.diagnoses[0]
    assert any("asked with e of size 6, as otherwise it raises" in x for x in report.assumed)


def test_what_a_convention_makes_is_contiguous() -> None:
    report = asked(written.tokens, "cross_entropy", adapt={"input": "channels_last"})
    assert report.verdict == "holds"
    assert not any("asked with s" in line for line in report.assumed)


def test_a_weight_that_code_requires_is_given() -> None:
    assert asked(written.Weighted, "cross_entropy").verdict == "holds"


def test_one_instance_is_asked_twice() -> None:
    report = asked(f"{MODULE}:Counting", "mse")
    assert "another answer when it is called again" in report.reason
    scope: dict[str, Any] = {}
    exec(compile(saved(report), "saved.py", "exec"), scope)
    with pytest.raises(AssertionError):
        scope["test_counting"]()


def test_a_saved_test_of_a_method_makes_its_instance() -> None:
    report = asked(f"{MODULE}:Lit.scaled", "mse")
    scope: dict[str, Any] = {}
    exec(compile(saved(report), "saved.py", "exec"), scope)
    with pytest.raises(AssertionError):
        scope["test_lit_scaled"]()


def test_an_input_changed_in_place_is_called_so() -> None:
    report = asked(written.changed, "mse")
    assert "in backward" not in report.reason
    assert report.diagnoses[0].startswith("but an input is changed in place")


def test_lower_precision_is_named() -> None:
    report = asked(written.half, "mse", "split batch", "permuted positions")
    assert report.verdict == "holds, inaccurate"
    assert "float64 becomes float16 (written.py:" in report.reason
    report = asked(written.single, "mse")
    assert report.verdict == "holds"
    assert any("float64 becomes float32 (written.py:" in note for note in report.notes)


@pytest.mark.parametrize(
    ("name", "formula", "words"),
    [
        ("with_itself", "nt_xent", "with the mask 'i ≠ j' left out wherever there is one"),
        ("triplet", "triplet_margin", "with eps = 0 (ask about it so: --set eps=0)"),
        ("triplet_minus", "triplet_margin", "with -margin in place of margin"),
        ("distilled", "distillation_jsd", "with beta = 0 (ask about it so: --set beta=0)"),
        ("log_variance", "gaussian_nll", "(then ask so: --pass var=log)"),
        ("added_eps", "gaussian_nll", "with eps + var[e] in place of the max"),
        ("weight_astray", "binary_cross_entropy_with_logits", "pos_weight[e] on miss[e]"),
        ("flat_tails", "huber", "if no gradient flows through (error[e] - delta/2)*delta"),
        ("zero_one", "soft_margin", "(then ask so: --pass target=bits)"),
    ],
)
def test_what_is_computed_instead(name: str, formula: str, words: str) -> None:
    report = asked(getattr(written, name), formula)
    assert report.verdict == "does not hold"
    assert words in report.diagnoses[0]


def test_a_convention_without_options_of_the_code() -> None:
    how = {"adapt": {"var": "log"}}
    assert asked(written.log_variance, "gaussian_nll", "other dimensions", **how).holds


def test_an_option_by_another_name() -> None:
    report = asked(written.pinball, "quantile")
    assert report.verdict == "holds"
    assert "the formula's q is the code's quantile" in report.assumed


def test_what_a_left_argument_may_be() -> None:
    with pytest.raises(LossgenError, match=r"--map weight=mask$"):
        asked(lambda input, target, mask: input, "mse")


def test_a_target_by_the_name_that_pytest_gives_it() -> None:
    assert load_target("tests/verify/written.py::half").name.endswith("half")
    with pytest.raises(LossgenError, match=r"It defines plain, wrapped, keywords"):
        load_target("tests/verify/written.py")
