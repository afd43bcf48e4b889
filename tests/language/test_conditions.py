"""Conditions that are calculated with count 1 where they hold, as in Python and torch."""

from collections.abc import Callable

import pytest
import torch

from lossgen.accuracy.cases import pointwise
from tests.language.reading import functions, read, spec_text, unreduced

MASKED = "input: Real[n, c, s], target: Real[n, c, s], mask: Mask[n, s], weight: Weight[c] = None"
BODY = """
w = mask[n, s] * weight[c]
return averaged(w * (input[n, c, s] - target[n, c, s]) ** 2, over=w)
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mask[n] * input[n, c]", "where(mask[n], 1, 0) * input[n, c]"),
        ("input[n, c] / (1 - mask[n])", "input[n, c] / (1 - where(mask[n], 1, 0))"),
        (
            "(input[n, c] > 0) + mask[n] * input[n, c]",
            "where(input[n, c] > 0, 1, 0) + where(mask[n], 1, 0) * input[n, c]",
        ),
        ("exp(mask[n]) * input[n, c]", "exp(where(mask[n], 1, 0)) * input[n, c]"),
        ("Sum(mask[n], n) * input[n, c]", "Sum(where(mask[n], 1, 0), n) * input[n, c]"),
        (
            "where(input[n, c] > 0, mask[n], input[n, c])",
            "where(input[n, c] > 0, where(mask[n], 1, 0), input[n, c])",
        ),
        ("Mean(input[n, c], c, where=mask[n])", "Mean(input[n, c], c, where=mask[n])"),
        ("Count(mask[n], n) * input[n, c]", "Count(mask[n], n) * input[n, c]"),
    ],
)
@pytest.mark.parametrize("mask", ["Mask[n]", "Mask[n] = None"])
def test_a_condition_in_arithmetic_is_a_number(written: str, meant: str, mask: str) -> None:
    arguments = f"input: Real[n, c], mask: {mask}"
    assert read(f"return {written}", arguments).item == read(f"return {meant}", arguments).item


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("where(hit[n], input[n, c], 0)", "where(hit[n] != 0, input[n, c], 0)"),
        ("input[n, c] if not hit[n] else 0", "where(hit[n] == 0, input[n, c], 0)"),
        (
            "where(hit[n] and mask[n], 1, input[n, c])",
            "where(hit[n] != 0 and mask[n], 1, input[n, c])",
        ),
        ("Mean(input[n, c], c, where=hit[n])", "Mean(input[n, c], c, where=hit[n] != 0)"),
        ("Count(hit[n], n) * input[n, c]", "Count(hit[n] != 0, n) * input[n, c]"),
        ("where(mask[n] > 0.5, input[n, c], 0)", "where(mask[n], input[n, c], 0)"),
        ("where(mask[n] == 0, input[n, c], 0)", "where(not mask[n], input[n, c], 0)"),
        ("where(mask[n] == False, input[n, c], 0)", "where(not mask[n], input[n, c], 0)"),
        (
            "where(mask[n] == hit[n], input[n, c], 0)",
            "where(where(mask[n], 1, 0) == hit[n], input[n, c], 0)",
        ),
    ],
)
def test_a_number_that_is_asked_holds_unless_it_is_0(written: str, meant: str) -> None:
    given = {"hit": "hit: Binary[n]", "mask": "mask: Mask[n] = None"}
    arguments = ", ".join(["input: Real[n, c]", *(v for k, v in given.items() if k in written)])
    assert read(f"return {written}", arguments).item == read(f"return {meant}", arguments).item


def test_a_named_condition_is_a_number_too() -> None:
    body = "wrong = input[n, c] > target[n, c]\nreturn wrong * input[n, c] ** 2"
    made = unreduced(body, "input: Real[n, c], target: Real[n, c]")
    x, y = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 1.0]])
    torch.testing.assert_close(made(x, y), torch.tensor([[4.0, 0.0]]))


def test_a_divisor_of_conditions_has_a_forward_derivative() -> None:
    loss = functions(spec_text(BODY, MASKED))["tried_loss"]
    x, y, move = torch.randn(3, 2, 3, 4, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, True], [False, True, True, False]])
    value, slope = torch.func.jvp(lambda x: loss(x, y, mask), (x,), (move,))
    kept = mask[:, None].expand_as(x)
    torch.testing.assert_close(value, (x - y)[kept].square().mean())
    torch.testing.assert_close(slope, (2 * (x - y) * move)[kept].mean())


def test_a_loss_with_a_tensor_for_all_positions_has_no_points_of_its_own() -> None:
    assert pointwise(read("return input[n, c] * target[n, c]")) == "c"
    assert not pointwise(read(BODY, MASKED))


def _some(x: torch.Tensor) -> torch.Tensor:
    return x.any(-1, keepdim=True)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("where(far and y > 0, x, 0)", lambda x, y, far: x * (far & (y > 0))),
        (
            "where(y > 0 or x > 1 and x < 2, x, 0)",
            lambda x, y, _: x * ((y > 0) | (x > 1) & (x < 2)),
        ),
        ("Sum(x, c, where=far and y > 0)", lambda x, y, far: (x * (far & (y > 0))).sum(-1)),
        ("Sum(x*y, c, where=far)", lambda x, y, far: (x * y * far).sum(-1)),
        ("Count(far, c)*y", lambda x, y, far: far.sum(-1, keepdim=True) * y),
        ("where(Any(far, c), y, 0)", lambda x, y, far: y * _some(far)),
        ("where(All(far, c), y, 0)", lambda x, y, far: y * ~_some(~far)),
    ],
)
def test_one_or_another_condition(formula: str, expected: Callable[..., torch.Tensor]) -> None:
    body = f"x, y = input[n, c], target[n, c]\nreturn {formula.replace('far', '(x > 1 or x < -1)')}"
    made = unreduced(body, "input: Real[n, c], target: Real[n, c]")
    x = torch.tensor([[-2.0, 0.5, 1.5], [2.0, -1.5, 3.0], [0.0, 0.5, -0.5]])
    y = torch.tensor([[1.0, 1.0, -1.0], [1.0, -1.0, 2.0], [4.0, -1.0, 1.0]])
    torch.testing.assert_close(made(x, y), expected(x, y, (x > 1) | (x < -1)))
