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


def test_a_ratio_that_overflows_where_it_is_clipped() -> None:
    logp, old = torch.tensor([[-0.25, -1.0]]), torch.tensor([[-150.0, -1.0]])
    leaves = [x.requires_grad_() for x in (logp, torch.ones(1), old)]
    with only_kernels(load("grpo")):
        loss = functional("grpo")(*leaves[:2], old=leaves[2], eps_high=0.25, reduction="sum")
        found = torch.autograd.grad(loss, leaves)
    assert loss.item() == -1.125
    assert [x.tolist() for x in found] == [[[0.0, -0.5]], [-1.125], [[0.0, 0.5]]]


def test_two_masks_that_nearly_agree() -> None:
    """1 - (2*p + 1)/(p + 2) is (1 - p)/(p + 2), for a target of 1."""
    input = torch.linspace(2.0, 4.0, 16)[:, None, None]
    target = torch.ones_like(input)
    with only_kernels(load("dice")):
        items = functional("dice")(input, target, reduction="none").flatten()
    rest = torch.sigmoid(-input.double()).flatten()
    assert torch.allclose(items.double(), rest / (3 - rest), rtol=2e-6, atol=0)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_a_distance_whose_squares_are_out_of_range(size: float) -> None:
    """Sides of 3 and 4 make 5, a margin more than the side of 3 that the other distance has."""
    anchor, positive, negative = (
        (torch.tensor([x]) * size).requires_grad_() for x in ([3.0, 4.0], [0.0, 0.0], [0.0, 4.0])
    )
    with only_kernels(load("triplet_margin")):
        loss = functional("triplet_margin")(anchor, positive, negative, margin=size, eps=0.0)
        (found,) = torch.autograd.grad(loss, anchor)
    torch.testing.assert_close(loss / size, torch.tensor(3.0), rtol=1e-6, atol=0)
    torch.testing.assert_close(found, torch.tensor([[-0.4, 0.8]]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("left", [0.25, 0.6, 0.9])
@pytest.mark.parametrize("right", [0.1, 0.4, 0.7])
def test_a_cosine_of_rows_whose_squares_are_out_of_range(
    dtype: torch.dtype, left: float, right: float
) -> None:
    """The cosine of (3, 4) and (4, 3) is 24/25, however long they are."""
    a, b = (torch.finfo(dtype).max ** part for part in (left, right))
    one = torch.tensor([[3.0, 4.0]], dtype=dtype).mul(a).requires_grad_()
    two = torch.tensor([[4.0, 3.0]], dtype=dtype).mul(b).requires_grad_()
    with only_kernels(load("cosine_embedding")):
        loss = functional("cosine_embedding")(one, two, torch.tensor([-1]))
        found = torch.autograd.grad(loss, (one, two))
    close = {"rtol": 8 * torch.finfo(dtype).eps, "atol": 0}
    torch.testing.assert_close(loss, torch.tensor(0.96, dtype=dtype), **close)
    slope = torch.tensor([[0.0448, -0.0336]], dtype=dtype)
    torch.testing.assert_close(found[0] * a, slope, **close)
    torch.testing.assert_close(found[1] * b, slope.flip(1), **close)


def test_a_product_with_a_sigmoid_below_the_least_normal_number() -> None:
    input = torch.tensor([100.0, 95.5, 3.0])
    target = torch.ones(3, requires_grad=True)
    with only_kernels(load("soft_margin")):
        loss = functional("soft_margin")(input, target, reduction="sum")
        (found,) = torch.autograd.grad(loss, target)
    wanted = -input.double() * torch.sigmoid(-input.double())
    # Numbers so small are 1.4e-45 apart.
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1.5e-45)


@pytest.mark.parametrize("size", [1e-39, 1e-43])
def test_a_class_that_hardly_has_a_volume(size: float) -> None:
    """Its weight, 1 / volume**2, is all that counts, and 1 / volume is infinite."""
    input = torch.tensor([[[1.0, 2.0, 0.5], [0.0, -1.0, 0.3]]])
    target = torch.tensor([[[size, 0.0, 0.0], [1.0, 0.0, 0.5]]], requires_grad=True)
    with only_kernels(load("generalized_dice")):
        (slope,) = torch.autograd.grad(functional("generalized_dice")(input, target), target)
    # 1 - 2 * sum(prob * target) / (sum(prob) + volume) over that class alone, volume = 0
    prob = input.double().softmax(1)[0, 0]
    torch.testing.assert_close(slope[0, 0].double(), -2 * prob / prob.sum(), rtol=1e-5, atol=0)
    assert not slope[0, 1].any()
