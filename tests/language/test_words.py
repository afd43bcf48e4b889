"""Words of a formula and what they mean: conditions, options, divisors, helpers."""

import pytest
import sympy as sp
import torch

from lossgen import language
from lossgen.nodes import And, Compare, Given, Where
from lossgen.roles import ROLES
from tests.language.reading import functions, read, spec_text, unreduced

PAIR = "input: Real[n, c], target: Real[n, c]"


def tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


X, Y = tensor(3, 4), tensor(3, 4, seed=1)


def test_a_chained_comparison_is_both() -> None:
    item = read("return where(0 < input[n, c] < 1, target[n, c], 0)").item
    assert isinstance(item, Where)
    assert isinstance(item.args[0], And)
    assert all(isinstance(x, Compare) and x.op == "<" for x in item.args[0].args)
    made = unreduced("return where(0 < input[n, c] < 1, target[n, c], 0)", PAIR)
    torch.testing.assert_close(made(X, Y), torch.where((X > 0) & (X < 1), Y, 0.0))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("input[n, c] > 0 and not target[n, c] > 0", (X > 0) & ~(Y > 0)),
        ("input[n, c] > 0 or target[n, c] > 0", (X > 0) | (Y > 0)),
        ("not (input[n, c] > 0 or target[n, c] > 0)", ~((X > 0) | (Y > 0))),
        ("input[n, c] == target[n, c]", X == Y),
        ("input[n, c] != target[n, c]", X != Y),
    ],
)
def test_conditions(condition: str, expected: torch.Tensor) -> None:
    made = unreduced(f"return input[n, c] if {condition} else 2 * target[n, c]", PAIR)
    torch.testing.assert_close(made(X, Y), torch.where(expected, X, 2 * Y))


def test_not_less_holds_at_nan() -> None:
    made = unreduced("return where(not input[n, c] < target[n, c], 1, input[n, c])", PAIR)
    nan = torch.full((1, 1), float("nan"), dtype=torch.float64)
    assert made(nan, nan).item() == 1


def test_several_values_at_once() -> None:
    body = "low, high = Min(input[n, c], 0), Max(input[n, c], 0)\nreturn high * target[n, c] - low"
    spec = read(body)
    assert spec.names == ("low", "high")
    torch.testing.assert_close(unreduced(body, PAIR)(X, Y), X.clamp_min(0) * Y - X.clamp_max(0))


def test_too_few_values() -> None:
    text = spec_text("low, high = input[n, c]\nreturn low * high * target[n, c]")
    with pytest.raises(Exception, match="7: low, high need 2 values"):
        functions(text)


def test_a_helper_inside_and_a_helper_outside() -> None:
    body = """
def centred(x):
    middle = Mean(x, c)
    return x - middle
return halved(centred(input[n, c]) * centred(target[n, c]))
"""
    helper = "def halved(x):\n    return x / 2 if x > 0 else x\n\n\n"
    text = spec_text(body).replace("@loss()", f"{helper}@loss()")
    made = functions(text)["tried_loss"]
    product = (X - X.mean(1, keepdim=True)) * (Y - Y.mean(1, keepdim=True))
    expected = torch.where(product > 0, product / 2, product)
    torch.testing.assert_close(made(X, Y, reduction="none"), expected)


def test_a_spec_calls_another_loss_of_its_file() -> None:
    other = (
        "@loss()\ndef square(input: Real[n, c], target: Real[n, c]):\n"
        '    """Square."""\n    return averaged((input[n, c] - target[n, c]) ** 2, over=size(n))\n'
    )
    text = spec_text("return 3 * square(input, target)").replace(
        "@loss()", f"{other}\n\n@loss()", 1
    )
    made = functions(text)["tried_loss"]
    torch.testing.assert_close(made(X, Y, reduction="none"), 3 * (X - Y) ** 2)


def test_python_s_integers_are_exact() -> None:
    item = read("return (1 / 3) * input[n, c] * target[n, c]").item
    assert item.as_coeff_Mul()[0] == sp.Rational(1, 3)


def test_python_s_abs_has_our_tie_rule() -> None:
    made = unreduced("return abs(input[n, c])", "input: Real[n, c]")
    x = torch.zeros(1, 1, requires_grad=True)
    made(x).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 0


# --- optional tensors -------------------------------------------------------------------------


def test_an_absent_weight_is_neutral() -> None:
    made = unreduced(
        "return weight[c] * input[n, c]", "input: Real[n, c], weight: Weight[c] = None"
    )
    weight = tensor(4).abs()
    torch.testing.assert_close(made(X), X)
    torch.testing.assert_close(made(X, weight=weight), X * weight)


def test_an_absent_mask_is_true() -> None:
    body = "return Mean(input[n, c], c, where=mask[n, c], empty=7)"
    made = unreduced(body, "input: Real[n, c], mask: Mask[n, c] = None")
    mask = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    torch.testing.assert_close(made(X), X.mean(1))
    expected = torch.stack([(X[0, 0] + X[0, 3]) / 2, X.new_tensor(7.0), X[2].mean()])
    torch.testing.assert_close(made(X, mask=mask), expected)


def test_given_chooses_a_formula() -> None:
    body = "return where(given(guide), input[n, c] - guide[n, c], input[n, c] ** 2)"
    arguments = "input: Real[n, c], guide: Real[n, c] = None"
    item = read(body, arguments).item
    assert isinstance(item.args[0], Given)
    made = unreduced(body, arguments)
    torch.testing.assert_close(made(X), X**2)
    torch.testing.assert_close(made(X, guide=Y), X - Y)


def test_given_may_be_part_of_a_condition() -> None:
    body = "return input[n, c] if full or not given(guide) else input[n, c] * guide[n, c]"
    arguments = "input: Real[n, c], guide: Real[n, c] = None, *, full: Flag = False"
    made = unreduced(body, arguments)
    torch.testing.assert_close(made(X, guide=Y), X * Y)
    torch.testing.assert_close(made(X, guide=Y, full=True), X)


# --- divisors and limits ----------------------------------------------------------------------


def test_the_mean_divides_by_what_is_said() -> None:
    body = "return averaged(weight[n] * Sum(input[n, c], c), over=weight[n], batchmean=size(n))"
    text = spec_text(body, "input: Real[n, c], weight: Weight[n] = None")
    made = functions(text)["tried_loss"]
    weight = tensor(3).abs()
    total = (weight * X.sum(1)).sum()
    torch.testing.assert_close(made(X, weight=weight), total / weight.sum())
    torch.testing.assert_close(made(X, weight=weight, reduction="batchmean"), total / 3)


@pytest.mark.parametrize(("a", "expected"), [(0.0, Y.abs().log()), (1.0, Y.abs() - 1)])
def test_limits_fill_a_removable_singularity(a: float, expected: torch.Tensor) -> None:
    body = "return limits((input[e] ** a - 1) / a, a, 0)"
    made = unreduced(body, "input: Positive[e], *, a: Real = 1.0")
    torch.testing.assert_close(made(Y.abs(), a=a), expected)


def test_a_limit_that_is_infinite() -> None:
    text = spec_text("return limits(input[e] / a, a, 0)", "input: Positive[e], *, a: Real = 1")
    with pytest.raises(Exception, match=r"7: limits\(\): no finite limit at a = 0"):
        functions(text)


# --- gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("stop_gradient(input[e]) * input[e]", 2.0),
        ("straight_through(Max(input[e], 3), gradient_of=5 * input[e])", 5.0),
        ("Max(input[e], 2)", 0.0),
        ("Max(input[e], 2, tie=1)", 1.0),
        ("clip(input[e], 0, 2)", 1.0),
        ("Abs(input[e] - 2)", 0.0),
    ],
)
def test_the_slope_that_is_stated(formula: str, expected: float) -> None:
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    made = functions(spec_text(f"return {formula}", "input: Real[e]"))
    for function in (made["tried"], made["tried_loss"]):
        (slope,) = torch.autograd.grad(function(x), x)
        assert slope.item() == expected


@pytest.mark.parametrize("formula", ["Max(2, input[e], tie=1 / 4)", "Max(input[e], 2, tie=1 / 4)"])
def test_a_share_of_the_slope_in_closed_form(formula: str) -> None:
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    made = unreduced(f"return {formula}", "input: Real[e]")
    (slope,) = torch.autograd.grad(made(x).sum(), x)
    assert slope.item() == 0.25


def test_every_word_of_the_language_is_there() -> None:
    assert all(hasattr(language, word) for word in language.__all__)
    assert {name for name in ROLES if not hasattr(language, name)} == set()


@pytest.mark.parametrize(
    ("name", "plain", "functional"),
    [
        ("square", "square", "square_loss"),
        ("square_loss", "square", "square_loss"),
        ("lambda_loss", "lambda_", "lambda_loss"),
    ],
)
def test_the_three_styles_have_names_of_their_own(name: str, plain: str, functional: str) -> None:
    text = spec_text("return input[n, c] ** 2", "input: Real[n, c]").replace("tried", name)
    made = functions(text, name)
    torch.testing.assert_close(made[plain](X), X.square().mean())
    torch.testing.assert_close(made[functional](X, reduction="sum"), X.square().sum())
