"""``--expr``: what the grammar takes, what it refuses, and that nothing is ever run."""

import ast
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossgen import language, roles
from lossgen.errors import LossgenError
from lossgen.mathtext import FUNCTIONS, MAX_LENGTH, parse_formula
from lossgen.starter import PARAMETER_ROLES, TENSOR_ROLES, formula_spec

TENSORS = {"input": "Real", "target": "Real"}


def text(source: str, **parameters: str) -> str:
    return parse_formula(source, TENSORS, {k: ("Real", v) for k, v in parameters.items()}).text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input - target", "input[e] - target[e]"),
        ("(input - target)**2", "(input[e] - target[e]) ** 2"),
        ("-input**2", "-input[e] ** 2"),
        ("(-input)**2", "(-input[e]) ** 2"),
        ("+input / 2 * pi", "+input[e] / 2 * pi"),
        ("2**-input", "2 ** (-input[e])"),
        ("abs(input) + max(0, input, target)", "Abs(input[e]) + Max(0, input[e], target[e])"),
        ("clip(input, -1, 1)", "clip(input[e], -1, 1)"),
        ("where(input > 0, input, 0)", "where(input[e] > 0, input[e], 0)"),
        (
            "where(0 < input <= 1 and not input == target or input != 0, 1e-3, 2)",
            "where(0 < input[e] <= 1 and (not input[e] == target[e]) or input[e] != 0, 0.001, 2)",
        ),
        ("input ** (1/2)", "input[e] ** (1 / 2)"),
        ("  input\n\t* 2 ", "input[e] * 2"),
    ],
)
def test_the_grammar(source: str, expected: str) -> None:
    assert text(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("2 * pi", "reads no tensor"),
        ("eps * input", "'eps' is neither a tensor .* --param eps=1.0"),
        ("inptu", "Did you mean 'input'?"),
        ("sqroot(input)", "'sqroot' is not a function.*Did you mean 'sqrt'?"),
        ("open(input)", "'open' is not a function"),
        ("eval(input)", "'eval' is not a function"),
        ("__import__(input)", "'__import__' is not a function"),
        ("__import__('os').system('true')", 'column 12: "\'" is not in the grammar'),
        ("input.__class__", "attributes"),
        ("input.real", "attributes"),
        ("torch.sqrt(input)", r"write sqrt\(x\), not torch.sqrt\(x\)"),
        ("().__class__.__bases__", "attributes"),
        ("__builtins__", "neither a tensor"),
        ("(lambda: input)()", "'lambda' is not in the grammar"),
        ("lambda x: x", "'lambda' is not in the grammar"),
        ("sqrt(input)(target)", "only a named function"),
        ("[input for input in target]", "listcomp is not in the grammar"),
        ("{input}", "set is not in the grammar"),
        ("[input]", "lists are not in the grammar"),
        ("input[0]", "subscripts need axes"),
        ("input, target", "comma"),
        ("(y := input)", "':='"),
        ("input := 2", "invalid syntax"),
        ("input if target else 1", r"where\(c, a, b\)"),
        ("input > target", "a comparison belongs into where"),
        ("input and target", "belong into the condition"),
        ("not input", "belongs into the condition"),
        ("where(input, 1, 2)", "column 7: where.* needs a condition first"),
        ("where(input in target, 1, 2)", "'in' and 'is'"),
        ("where(input > 0, 1)", r"where\(\) takes 3 arguments, not 2"),
        ("sqrt(input, 2)", r"sqrt\(\) takes 1 argument, not 2"),
        ("sqrt()", r"sqrt\(\) takes 1 argument, not 0"),
        ("Max(input)", "2 or more"),
        ("Max(input, 0, tie=1)", "no named arguments"),
        ("Max(*input)", r"takes 2 or more arguments, not 1"),
        ("Max(0, *input)", r"'\*' before an argument"),
        ("sqrt(**input)", "no named arguments"),
        ("sqrt", r"write sqrt\(…\)"),
        ("input ^ 2", r"write \*\*"),
        ("input @ target", "axes"),
        ("input // 2", "write /"),
        ("input % 2", "'%'"),
        ("input & 1", "not in the grammar"),
        ("~input", "not in the grammar"),
        ("await input", "await is not in the grammar"),
        ("yield", "invalid syntax|yield is not"),
        ("'input'", "is not in the grammar"),
        ("f'{input}'", "is not in the grammar"),
        ('input # """', "column 7: '#' is not in the grammar"),
        ("input\\", "is not in the grammar"),
        ("ínput", "column 1: 'í' is not in the grammar"),
        ("input\0", "is not in the grammar"),
        ("True * input", "True is not a real number"),
        ("None", "None is not a real number"),
        ("...", "not a real number"),
        ("1j * input", "1j is not a real number"),
        ("1e999 * input", "too large"),
        ("1" * 400 + " * input", "too large"),
        ("9**9**9**9 * input", "beyond ±100"),
        ("input ** 1e9", "beyond ±100"),
        ("input ** -(10**9)", "beyond ±100"),
        ("(9e99 ** 99) * input", "no finite real value"),
        ("(-8) ** 0.5 * input", "no finite real value"),
        ("1/0 * input", "no finite real value"),
        ("input +", "invalid syntax"),
        ("(input", "never closed"),
        ("input)", "unmatched"),
        ("import os", "invalid syntax"),
        ("input; target", "invalid syntax"),
        ("input input", "invalid syntax"),
    ],
)
def test_what_is_outside_the_grammar(source: str, message: str) -> None:
    with pytest.raises(LossgenError, match=message):
        text(source)


@pytest.mark.parametrize(
    "source",
    [
        "x" * 10_000,
        "input" + " + input" * 1_250,
        "(" * 5_000 + "input" + ")" * 5_000,
        "-" * 10_000,
        "(" * (MAX_LENGTH // 2 - 5) + "input" + ")" * (MAX_LENGTH // 2 - 5),
        "-" * (MAX_LENGTH - 5) + "input",
        "not " * 490 + "input",
        "sqrt(" * 190 + "input" + ")" * 190,
        "2**" * 400 + "input",
        "input" + "**2" * 600,
    ],
)
def test_length_and_depth_have_limits(source: str) -> None:
    limits = "characters, more than|nested|belongs into the condition|beyond ±100"
    with pytest.raises(LossgenError, match=limits):
        text(source)


def test_an_error_points_at_its_place() -> None:
    with pytest.raises(LossgenError) as caught:
        text("sqrt(input) + foo(target)")
    first, line, caret = str(caught.value).splitlines()
    assert first.startswith("--expr, column 15: 'foo' is not a function")
    assert line[caret.index("^") :] == "foo(target)"


def test_every_function_is_a_word_of_the_language() -> None:
    words = {word for word, _, _ in FUNCTIONS.values()} | {"pi", "e", "loss"}
    assert [word for word in sorted(words) if not hasattr(language, word)] == []
    for role in {*TENSOR_ROLES, *PARAMETER_ROLES}:
        assert role in roles.ROLES
        assert hasattr(language, role)


SIGNS = "()+-*/.,<>=! 019eE[]{}'\"#\\:;^@%~&|\n"
WORDS = ("input", "target", "sqrt(", "where(", "**", "__class__")


@given(st.lists(st.sampled_from([*SIGNS, *WORDS]), max_size=30).map("".join))
def test_any_text_gives_a_formula_or_a_clear_error(source: str) -> None:
    try:
        result = text(source)
    except LossgenError as error:
        told, names = str(error), set()
    else:
        tree = ast.walk(ast.parse(result))
        told, names = "--expr", {node.id for node in tree if isinstance(node, ast.Name)}
    assert told.startswith("--expr")
    assert names <= {"input", "target", "e", "sqrt", "where"}


def test_a_spec_is_written() -> None:
    spec = formula_spec(
        "charbonnier", "sqrt((input - target)**2 + eps**2)", parameters=["eps=1e-3"]
    )
    assert spec == (
        "from lossgen.language import Positive, Real, e, loss, sqrt\n\n\n"
        "@loss()\n"
        "def charbonnier(input: Real[e], target: Real[e], *, eps: Positive = 0.001):\n"
        '    """Charbonnier loss, from one line of mathematics.\n\n'
        "    Formula: sqrt((input - target)**2 + eps**2)\n"
        '    """\n'
        "    return sqrt((input[e] - target[e]) ** 2 + eps**2)\n"
    )


def test_roles_may_be_said() -> None:
    spec = formula_spec(
        "entropy",
        "-target*log(input) + shift - floor*weight",
        ["input:Probabilities", "target:Binary", "weight:NonNegative"],
        ["shift=-1", "floor:Real=2"],
    )
    assert "input: Probabilities[e]" in spec
    assert "target: Binary[e]" in spec
    assert "weight: NonNegative[e]" in spec
    assert "shift: Real = -1.0" in spec
    assert "floor: Real = 2.0" in spec


@pytest.mark.parametrize(
    ("tensors", "parameters", "message"),
    [
        ([], ["eps"], "a default is missing"),
        ([], ["eps="], "not a finite number"),
        ([], ["eps=nan"], "not a finite number"),
        ([], ["eps=inf"], "not a finite number"),
        ([], ["eps=__import__('os')"], "not a finite number"),
        ([], ["eps=1", "eps=2"], "given twice"),
        ([], ["eps=1", "tau=2"], "does not use 'tau'"),
        ([], ["input=1"], "is a tensor"),
        ([], ["sqrt=1"], "means something else"),
        ([], ["reduction=1"], "means something else"),
        ([], ["lambda=1"], "is no name"),
        ([], ["a.b=1"], "is no name"),
        ([], ["=1"], "is no name"),
        ([], ["__x=1"], "is no name"),
        ([], ["eps:Positive=-1"], "outside its role"),
        ([], ["eps:Positve=1"], "Did you mean 'Positive'?"),
        (["input:Logit"], ["eps=1"], "Did you mean 'Logits'?"),
        (["inptu:Logits"], ["eps=1"], "does not read it. Did you mean 'input'"),
        (["target:Binary"], ["eps=1"], "does not read it. Leave it out"),
        (["input:ClassIndex"], ["eps=1"], "no role 'ClassIndex'"),
        (["e:Real"], ["eps=1"], "means something else"),
    ],
)
def test_options_of_a_formula(tensors: list[str], parameters: list[str], message: str) -> None:
    with pytest.raises(LossgenError, match=message):
        formula_spec("mine", "input * eps", tensors, parameters)


def test_a_loss_may_not_be_called_like_a_word_it_uses() -> None:
    with pytest.raises(LossgenError, match="uses 'sqrt', so the loss needs another name"):
        formula_spec("sqrt", "sqrt(input)")


def test_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(os, "system", ran.append)
    monkeypatch.setattr("builtins.eval", ran.append)
    monkeypatch.setattr("builtins.exec", ran.append)
    for source in ("__import__(os).system(input)", "eval(input)", "(input)"):
        try:
            text(source)
        except LossgenError:
            continue
    assert ran == []
