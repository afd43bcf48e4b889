"""Arguments, defaults and options of ``@loss`` that a spec gets wrong."""

import pytest
from torch import nn

from lossgen.spec.reserved import MODULE
from tests.language.reading import HEAD, fault, faults_of, read, spec_text

BOTH = "input: Real[n, c], "
DIFFERENCE = "return (input[n, c] - target[n, c]) ** 2"
NO_ROLE = "Annotate it with a role, such as Logits[n, c] or NonNegative"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("target", f"5: argument 'target' has no role. {NO_ROLE}"),
        ("target: float", f"5: argument 'target' has no role. {NO_ROLE}"),
        ("target: 'Reel[n, c]'", "5: name 'Reel' is not defined. Did you mean 'Real'?"),
        ("target: Reel[n, c]", "5: the name 'Reel' is not defined. Did you mean 'Real'?"),
        ("target: Real[n, 0]", "5: '0' is no axis of 'target'. An axis is a letter or a size"),
        ("target: Real[n, -4]", "5: '-4' is no axis of 'target'. An axis is a letter or a size"),
        ("target: Real[n, True]", "5: 'True' is no axis of 'target'. An axis is a letter or a"),
        ("target: Real[n, 'c']", "5: 'c' is no axis of 'target'. An axis is a letter or a size"),
        ("target: Real[n, c] = 0", "5: tensor 'target' has a default. Only None makes a tensor"),
    ],
)
def test_one_argument_is_wrong(arguments: str, expected: str) -> None:
    found = faults_of(spec_text(DIFFERENCE, BOTH + arguments))
    assert found[0].startswith(f"specs/tried.py:{expected}"), found


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("a: Positive = 0", "the default 0 of 'a' is not greater than 0"),
        ("a: NonNegative = -0.5", "the default -0.5 of 'a' is not at least 0"),
        ("a: Probabilities = 1.5", "the default 1.5 of 'a' is not in [0, 1]"),
        ("a: Integer = 0.5", "the default 0.5 of 'a' is not an integer"),
        ("a: Flag = 1", "the default 1 of 'a' is not True or False"),
        ("a: Real = True", "the default True of 'a' is not any real number"),
        ("a: Real = oo", "the default inf of 'a' is not any real number"),
        ("a: choice(1, 2) = 3", "the default 3 of 'a' is not 1 or 2"),
        ("a: Positive = None", "the default None of 'a' is not greater than 0. An option without"),
        (
            "a: choice('x', 'y') = 'x'",
            "the annotation of 'a' cannot be read: choice takes numbers, and 'x' is none",
        ),
        ("a: Real = 'x'", "the default 'x' of 'a' is no number"),
        ("a: Logits", "'a' has no axes. Name them: Logits[n, c]"),
    ],
)
def test_a_default_lies_outside_its_domain(parameter: str, expected: str) -> None:
    text = spec_text("return a * input[n, c]", f"input: Real[n, c], *, {parameter}")
    assert faults_of(text)[0].startswith(f"specs/tried.py:5: {expected}")


@pytest.mark.parametrize(
    ("parameter", "default"),
    [("ExtendedReal = -oo", float("-inf")), ("choice(1, 2) = 2", 2), ("Positive = 0.5", 0.5)],
)
def test_a_default_inside_its_domain_is_kept(parameter: str, default: float) -> None:
    spec = read("return a * input[n, c]", f"input: Real[n, c], *, a: {parameter}")
    assert spec.parameters[0].default == default


@pytest.mark.parametrize(
    "name", ["reduction", "self", "ctx", "torch", "nn", "dtype", "device", "loss", "_hidden"]
)
def test_a_name_that_the_generated_code_uses(name: str) -> None:
    body = f"return {name} * input[n, c]"
    expected = f"5: argument '{name}' has a name the generated code uses. Rename it"
    assert fault(body, f"input: Real[n, c], *, {name}: Positive = 1") == expected


@pytest.mark.parametrize("name", ["train", "half", "type"])
def test_a_name_that_modules_have(name: str) -> None:
    expected = f"5: argument '{name}' has a name that torch.nn.Module uses. Rename it"
    option = f"input: Real[n, c], *, {name}: Positive = 1"
    assert fault(f"return {name} * input[n, c]", option) == expected
    buffer = f"input: Real[n, c], {name}: Weight[c] = None"
    assert fault(f"return {name}[c] * input[n, c]", buffer) == expected
    read(f"return ({name}[n, c] - input[n, c]) ** 2", f"input: Real[n, c], {name}: Real[n, c]")


def test_every_name_that_modules_have_is_known() -> None:
    assert {x for x in dir(nn.Module()) if not x.startswith("_")} <= MODULE


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("*target: Real[n, c]", "argument 'target' stands behind '*'. Give each argument a name"),
        ("**target: Real[n, c]", "argument 'target' stands behind '**'. Give each argument a"),
        ("target: Real[n, c], /", "argument 'input' stands before '/'. Give each argument a name"),
        ("target: Real", "'target' has no axes. Name them: Real[n, c]; an option stands after *"),
    ],
)
def test_what_is_no_argument_of_a_formula(arguments: str, expected: str) -> None:
    found = faults_of(spec_text(DIFFERENCE, BOTH + arguments))
    assert found[0].startswith(f"specs/tried.py:5: {expected}"), found


def test_a_name_of_the_generated_backward() -> None:
    message = fault("return d_input * input[n, c]", "input: Real[n, c], *, d_input: Positive = 1")
    assert message == "5: argument 'd_input' has a name the generated code uses. Rename it"


def test_nothing_is_read() -> None:
    message = fault("return a", "*, a: Positive = 1")
    assert message.startswith("5: the loss reads no tensor. Annotate an argument, such as")


def test_every_tensor_is_optional() -> None:
    message = fault("return weight[n]", "weight: Weight[n] = None")
    assert message == "5: every tensor is optional. One must always be given"


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("[n, n]", "5: 'input' names an axis twice. Give each axis its own letter"),
        ("[e, s]", "5: 'input' has both axis s and axis e. Only one of s and e can stand for"),
    ],
)
def test_axes_that_do_not_go_together(axes: str, expected: str) -> None:
    assert fault(f"return input{axes}", f"input: Real{axes}").startswith(expected)


@pytest.mark.parametrize(
    ("input_axes", "axes", "expected"),
    [
        ("n, c", "broadcast(n)", "whose axes are [n, c], not [n]. Name the same axes"),
        ("n", "broadcast(c)", "whose axes are [n], not [c]. Name the same axes"),
        ("n, c", "n, broadcast(d)", "whose axes are [n, c], not [n, d]. Name the same axes"),
    ],
)
def test_broadcast_to_other_axes(input_axes: str, axes: str, expected: str) -> None:
    read_at = axes.replace("broadcast(", "").replace(")", "")
    body = f"return input[{input_axes}] * var[{read_at}]"
    message = fault(body, f"input: Real[{input_axes}], var: Real[{axes}]")
    assert message == f"5: 'var' broadcasts to 'input', {expected}"


def test_broadcast_to_nothing() -> None:
    message = fault("return input[e]", "input: Real[broadcast(e)]")
    assert (
        message == "5: 'input' has no tensor to broadcast to. One tensor must have the whole shape"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("default_reduction='meen'", "default_reduction= is 'meen', no reduction. Did you mean"),
        ("class_name='Dice Loss'", "class_name= is 'Dice Loss', no name Python allows"),
        ("forward='wieght'", "forward= names 'wieght', which is no tensor. Did you mean 'weight'?"),
        ("signature='input, reduction'", "signature= leaves out 'weight'. List every argument"),
        ("signature='input, weight'", "signature= leaves out 'reduction'. List every argument"),
        ("signature='input, weight, input, reduction'", "signature= lists 'input' twice"),
        ("floating_target=3", "floating_target= is no loss. Name another @loss function"),
        ("familly='x'", "keyword argument 'familly'. Did you mean 'family'?"),
    ],
)
def test_what_the_decorator_is_told(options: str, expected: str) -> None:
    text = spec_text("return weight[e] * input[e]", "input: Real[e], weight: Weight[e] = None")
    found = faults_of(text.replace("@loss()", f"@loss({options})"))
    assert len(found) == 1
    assert expected in found[0]


def test_the_decorator_without_parentheses() -> None:
    text = spec_text("return input[e]", "input: Real[e]").replace("@loss()", "@loss")
    assert faults_of(text) == ["specs/tried.py:4: write @loss() with its parentheses"]


def test_no_docstring() -> None:
    text = f"{HEAD}@loss()\ndef tried(input: Real[e]):\n    return input[e]\n"
    assert faults_of(text) == [
        "specs/tried.py:5: the loss has no docstring. Say in one line what it is"
    ]
