"""Second derivatives at the ends of a format's range, against arithmetic of many digits.

They are autograd's of the closed-form backward: what comes back on the way may be out of range
where the derivative is not, and times 0 it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from mpmath import mp
from torch import Tensor

from tests.generated_modules import functional, load

DTYPES = (torch.float32, torch.float64)


def seconds(loss: Callable[..., Tensor], *inputs: Tensor, **options: Any) -> list[Tensor]:
    """The gradient of the sum of the gradients by each input."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    value = loss(*leaves, reduction="none", **options)
    first = torch.autograd.grad(value, leaves, torch.ones_like(value), create_graph=True)
    return list(torch.autograd.grad([g.sum() for g in first], leaves))


def one(value: float, dtype: torch.dtype) -> Tensor:
    return torch.tensor([value], dtype=dtype)


def exact(formula: Callable[..., Any], point: Sequence[float], by: int) -> Any:
    """One of them, of a function of numbers: the derivative along all at once, and by that one."""
    with mp.workdps(1500):
        step = mp.mpf(10) ** -450

        def slope(along: int) -> Any:
            moved = [mp.mpf(x) + along * step for x in point]
            sides = []
            for sign in (1, -1):
                other = [x + sign * step * (k == by) for k, x in enumerate(moved)]
                sides.append(formula(*other))
            return (sides[0] - sides[1]) / (2 * step)

        return (slope(1) - slope(-1)) / (2 * step)


# --- what a sigmoid or an exponential is multiplied by, where it is flat --------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [0.0, 0.5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_focal_losses_have_a_curvature_at_the_largest_number(
    sign: float, target: float, dtype: torch.dtype
) -> None:
    def formula(x: Any, t: Any) -> Any:
        p = 1 / (1 + mp.exp(-x))
        miss = (1 - t) * p + t * (1 - p)
        return miss**2 * (x - t * x if sign > 0 else -t * x)  # the logarithms are 0

    x = sign * torch.finfo(dtype).max
    found = seconds(
        functional("sigmoid_focal"), one(x, dtype), one(target, dtype), alpha=-0.5, gamma=2.0
    )
    assert found[0].item() == pytest.approx(float(exact(formula, (x, target), 0)), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_asymmetric_loss_has_one_as_well(dtype: torch.dtype) -> None:
    # Where the probability is 1 the loss is (1 - t)*x.
    x = torch.finfo(dtype).max
    for target in (0.0, 0.125):
        found = seconds(
            functional("asymmetric"), one(x, dtype), one(target, dtype), margin=0.0, gamma_neg=4.0
        )
        assert [g.item() for g in found] == [-1.0, -1.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_weight_beyond_the_range_times_a_sigmoid_that_is_0(dtype: torch.dtype) -> None:
    far = torch.finfo(dtype).max ** 0.75
    inputs = [one(x, dtype) for x in (far, 1.0)]
    given = {"weight": one(far, dtype), "pos_weight": one(far, dtype)}
    # Its slope in the label is -far*weight, for the term of label 1 is 0.
    assert (
        seconds(functional("binary_cross_entropy_with_logits"), *inputs, **given)[0]
        == -given["weight"]
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_class_of_no_probability_has_the_line_of_its_logarithm(dtype: torch.dtype) -> None:
    far, label = torch.finfo(dtype).max, torch.tensor([1])
    scores, alpha = torch.tensor([[far, 0.0, -1.0]], dtype=dtype), torch.ones(3, dtype=dtype)
    loss = functional("softmax_focal")
    found = seconds(lambda x, a, **given: loss(x, label, alpha=a, **given), scores, alpha)
    # The loss is alpha[1]*(x[0] - x[1]).
    assert [g.tolist() for g in found] == [[[1.0, -1.0, 0.0]], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_ratio_that_overflows_and_is_clipped_has_none(dtype: torch.dtype) -> None:
    far = 1.5 * math.log(torch.finfo(dtype).max)
    logp, old = (torch.tensor([[-0.25, x]], dtype=dtype) for x in (-1.0, -1.0 - far))
    loss = functional("grpo")
    found = seconds(lambda *x, **given: loss(*x[:2], old=x[2], **given), logp, one(1.0, dtype), old)
    # Of the other, whose ratio is 1, those in both logarithms cancel.
    assert [g.tolist() for g in found] == [[[-0.5, 0.0]], [0.0], [[0.5, 0.0]]]


# --- the angle of a quotient ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [-0.9, -0.4, 0.0, 0.4, 0.9])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_angle_has_the_slopes_of_its_sides(
    sign: float, share: float, dtype: torch.dtype
) -> None:
    size = torch.finfo(dtype).max ** (share / 2)
    for flat in (1.0, size, 1 / size):
        a, b = one(3 * size * flat, dtype), one(sign * 2 * size / flat, dtype)
        leaves = [x.requires_grad_() for x in (a, b)]
        angle = load("ciou")._angle(*leaves)
        first = torch.autograd.grad(angle, leaves, create_graph=True)
        again = torch.autograd.grad(first[0], leaves, retain_graph=True)
        with mp.workdps(60):
            x, y = mp.mpf(a.item()), mp.mpf(b.item())
            square = x * x + y * y
            wanted = [y / square, -x / square, -2 * x * y / square**2, (x * x - y * y) / square**2]
            assert angle.item() == pytest.approx(float(mp.atan(x / y)), rel=1e-6)
        for found, true in zip((*first, *again), wanted, strict=True):
            if 1e-30 < abs(true) < 1e30:
                assert found.item() == pytest.approx(float(true), rel=1e-5)
            assert not found.isnan().any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [-0.9, -0.6, -0.3])
def test_flat_boxes_have_a_second_derivative(share: float, dtype: torch.dtype) -> None:
    flat = float(torch.tensor(torch.finfo(dtype).max ** share, dtype=dtype))
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=dtype)
    target = torch.tensor([[5.0, 0.0, 5.5, flat]], dtype=dtype)
    assert all(g.isfinite().all() for g in seconds(functional("ciou"), box, target))


# --- rows over their lengths ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["info_nce", "clip", "siglip", "nt_xent", "arcface"])
@pytest.mark.parametrize("share", [0.5, 0.9, 1.1])
def test_a_row_of_one_number_does_not_turn(name: str, share: float, dtype: torch.dtype) -> None:
    least = torch.finfo(dtype).tiny ** min(share, 1.0) * 2 ** (-9.0 * (share > 1))
    rows = [torch.tensor([[x]], dtype=dtype) for x in (least, -2.0)]
    more = {"clip": (1.0,), "siglip": (1.0, 0.5)}.get(name, ())
    numbers = [torch.tensor(x, dtype=dtype) for x in more]
    label = torch.tensor([0])

    def loss(*given: Tensor, **options: Any) -> Tensor:
        if name == "arcface":
            return functional(name)(given[0], label, given[1], **options)
        return functional(name)(*given, **options)

    for found in seconds(loss, *rows, *numbers)[:2]:
        assert (found == 0).all()


@pytest.mark.parametrize("size", [1e-100, 1e-3, 1.0, 1e50])
def test_the_curvature_of_a_row_over_its_length(size: float) -> None:
    query = torch.tensor([[3.0, -4.0], [0.5, 2.0]], dtype=torch.float64) * size
    key = torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    loss = functional("info_nce")
    found = seconds(lambda x, **given: loss(x, key, tau=0.5, **given), query)[0].flatten()

    def formula(*x: Any) -> Any:
        total = mp.mpf(0)
        for k in range(2):
            length = mp.sqrt(x[2 * k] ** 2 + x[2 * k + 1] ** 2)
            sims = []
            for other in key.tolist():
                dot = x[2 * k] * other[0] + x[2 * k + 1] * other[1]
                sims.append(2 * dot / (length * mp.sqrt(mp.mpf(other[0]) ** 2 + other[1] ** 2)))
            total += mp.log(sum(map(mp.exp, sims))) - sims[k]
        return total

    wanted = [exact(formula, query.flatten().tolist(), by) for by in range(4)]
    scale = float(max(map(abs, wanted)))
    for got, true in zip(found.tolist(), wanted, strict=True):
        assert got == pytest.approx(float(true), rel=1e-9, abs=1e-11 * scale)
