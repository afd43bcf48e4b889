"""Items that are in range where a square in them, alone, is not."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from tests.native.kernels import functional, load, only_kernels
from tests.native.maths import COMPILER

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def exactly(x: torch.Tensor) -> Fraction:
    return Fraction(float(x))


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_a_square_and_its_weight(size: float) -> None:
    input = torch.tensor([size, -size])
    weight = torch.tensor([1e-28, 3e-29]) if size > 1 else torch.tensor([1e28, 3e29])
    with only_kernels(load("mse")):
        items = functional("mse")(input, torch.zeros(2), weight=weight, reduction="none")
    for item, x, w in zip(items, input, weight, strict=True):
        wanted = exactly(x) ** 2 * exactly(w)
        assert abs(exactly(item) - wanted) <= 4 * Fraction(torch.finfo().eps) * wanted


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_a_square_and_its_divisor(size: float) -> None:
    """0.5 * (log(var) + (input - target)**2 / var), of which the quotient is nearly all."""
    input, target = torch.tensor([size]), torch.zeros(1)
    var = torch.tensor([1e25 if size > 1 else 1e-37])
    options = {"eps": 1e-38, "reduction": "none"}
    with only_kernels(load("gaussian_nll")):
        item = functional("gaussian_nll")(input, target, var, **options)
        zero = functional("gaussian_nll")(target, target, var, **options)
    wanted = exactly(input[0]) ** 2 / exactly(var[0]) / 2 + exactly(zero[0])
    assert abs(exactly(item[0]) - wanted) <= 4 * Fraction(torch.finfo().eps) * abs(wanted)


def test_what_is_taken_off_infinity_leaves_it() -> None:
    """Joined to the product as one instruction, the exponential would stay in range: -inf."""
    input, target = torch.tensor([6e19, 3e20]), torch.tensor([4.5e31, 8e35])
    with only_kernels(load("poisson_nll")):
        found = functional("poisson_nll")(input, target, reduction="none")
    assert not (found < 0).any()  # NaN where the processor has no such instruction
