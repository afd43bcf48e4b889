"""``lossgen show``: what stands on the screen, in a paper, in a pipe."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lossgen import describe
from lossgen.cli import cli
from lossgen.spec import load_spec, read_spec

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "specs").glob("*.py"))


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["show", *arguments, "-C", str(ROOT)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_sheet_cuts_no_line_of_latex() -> None:
    value, gradient = describe.latex(load_spec(ROOT / "specs" / "dice.py"))
    lines = shown("dice").splitlines()
    for line in (*value.splitlines(), *gradient.splitlines()):
        assert f"  {line}" in lines


def test_latex_stands_in_display_mathematics() -> None:
    text = shown("dice", "--latex")
    assert text.count("\\begin{aligned}") == text.count("\\end{aligned}") == 2
    assert "% x is input" in text.splitlines()
    assert "aligned" not in shown("soft_margin", "--latex").split("% ")[0]


def test_class_probabilities_have_a_formula_of_their_own() -> None:
    assert shown("cross_entropy", "--latex").count("% for a floating-point target") == 2
    assert "For a floating-point target" in shown("cross_entropy", "--program")
    assert json.loads(shown("cross_entropy", "--json"))["floating_target"]["value"]


def test_the_program_of_dice() -> None:
    text = shown("dice", "--program")
    assert "  overlap[n, c] = sum_{s} (prob[n, c, s]*target[n, c, s])" in text.splitlines()
    assert text.index("Forward") < text.index("Backward") < text.index("Made stable")


def test_guards_are_conditions_in_words() -> None:
    text = shown("cross_entropy", "--program")
    assert "if label_smoothing > 0" in text
    assert "if given(weight)" in text


def test_masks_stand_under_their_sum() -> None:
    assert "lse_sim[i] = logsumexp_{j | i != j} sim[i, j]" in shown("supcon", "--program")


def test_the_rules_that_fired_are_named() -> None:
    text = shown("grpo", "--program")
    assert "expm1(x)" in text.partition("Made stable")[2]


def test_rules_that_were_refused_are_named_with_the_reason() -> None:
    text = (
        "from lossgen.language import Positive, Real, e, exp, log, loss\n\n\n@loss()\n"
        "def tried(input: Real[e], scale: Positive[e]):\n"
        '    """Tried."""\n    return exp(log(input[e])) + exp(log(scale[e]))\n'
    )
    spec = read_spec(text, "tried", "specs/tried.py")
    left = describe.program_text(spec).partition("Left as written")[2]
    assert "exp(log(x)), exp(p*log(x))  →  x, x**p: input[e] is not known to be at least 0" in left
    (told,) = describe.as_json(spec)["refused_rules"]
    assert told["reason"] == "input[e] is not known to be at least 0"
    assert "loss[e] = exp(log(input[e])) + scale[e]" in describe.program_text(spec)


@pytest.mark.parametrize("name", NAMES)
def test_programs_show_no_object_of_python(name: str) -> None:
    text = describe.program_text(load_spec(ROOT / "specs" / f"{name}.py"))
    for word in ("frozenset", "Where(", "Read(", "Compare", "True", "nan", "~"):
        assert word not in text


@pytest.mark.parametrize("name", NAMES)
def test_data_is_complete_and_plain_json(name: str) -> None:
    spec = load_spec(ROOT / "specs" / f"{name}.py")
    told = json.loads(json.dumps(describe.as_json(spec), allow_nan=False))
    assert [t["name"] for t in told["tensors"]] == [t.name for t in spec.tensors]
    assert [p["name"] for p in told["parameters"]] == [p.name for p in spec.parameters]
    assert told["value"][0]
    assert told["gradient"][0]
    assert told["reductions"][:3] == ["none", "mean", "sum"]
