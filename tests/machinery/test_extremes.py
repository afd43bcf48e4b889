"""Values and gradients at the ends of a format's range, against arithmetic of many digits.

Wherever the true number is finite and representable the generated code must give it, whatever
overflows or vanishes on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpmath import mp
from torch import Tensor

from tests.generated_modules import functional, load

DTYPES = (torch.float32, torch.float64)
TAU = 0.125


def ulps(found: float, true: Any, dtype: torch.dtype) -> float:
    """The error in units in the last place of the format, subnormal numbers among them."""
    info = torch.finfo(dtype)
    if not math.isfinite(found):
        return math.inf
    with mp.workdps(60):
        exponent = max(mp.floor(mp.log(abs(true), 2)) if true else -2000, math.log2(info.tiny))
        return float(abs(mp.mpf(found) - true) / (mp.mpf(info.eps) * mp.mpf(2) ** exponent))


def gradients(loss: Callable[..., Tensor], *inputs: Tensor, **options: Any) -> list[Tensor]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    return list(torch.autograd.grad(loss(*leaves, **options).sum(), leaves))


# --- a choice whose other side overflows ----------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["huber", "smooth_l1"])
@pytest.mark.parametrize("style", ["functional", "plain"])
def test_an_error_beyond_the_largest_number_has_the_slope_of_the_line(
    name: str, style: str, dtype: torch.dtype
) -> None:
    loss = functional(name) if style == "functional" else getattr(load(name), name)
    largest = torch.finfo(dtype).max
    for x, t in ((largest, 1.0), (-largest, 1.0), (largest, -largest), (1e19, 0.0), (0.0, 1e300)):
        if max(abs(x), abs(t)) > largest:
            continue
        found = gradients(loss, torch.tensor([x], dtype=dtype), torch.tensor([t], dtype=dtype))
        assert [g.item() for g in found] == [math.copysign(1, x - t), -math.copysign(1, x - t)]


# --- the slope of cross-entropy between probabilities ---------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_near_each_other_keep_the_digits_of_their_difference(
    dtype: torch.dtype,
) -> None:
    p = torch.tensor([0.5, 0.3, 0.9, 1e-3, 0.999, 1e-5, 0.7, 0.1], dtype=dtype)
    q = torch.nextafter(p, torch.tensor(2.0, dtype=dtype))
    q[6:] = torch.tensor([0.2, 0.95], dtype=dtype)
    found = gradients(functional("binary_cross_entropy"), p, q, reduction="none")[0]
    for g, a, b in zip(found.tolist(), p.tolist(), q.tolist(), strict=True):
        with mp.workdps(60):
            true = (mp.mpf(a) - mp.mpf(b)) / (mp.mpf(a) * (1 - mp.mpf(a)))
        assert ulps(g, true, dtype) <= 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_at_the_ends_the_slope_is_the_difference_times_a_large_number(dtype: torch.dtype) -> None:
    one = 1 - torch.finfo(dtype).eps / 2 if dtype == torch.float64 else 1.0
    p = torch.tensor([one, 0.0, 1e-14], dtype=dtype)
    q = torch.tensor([1.0, 0.25, 1e-13], dtype=dtype)
    found = gradients(functional("binary_cross_entropy"), p, q, reduction="none")[0]
    for g, a, b in zip(found.tolist(), p.tolist(), q.tolist(), strict=True):
        assert ulps(g, (mp.mpf(a) - mp.mpf(b)) * 10**12, dtype) <= 2


# --- sigmoids whose value is below the smallest normal number -------------------------------------


@pytest.mark.parametrize("x", [-87.0, -88.0, -89.0, -95.0, -100.0])
def test_a_sigmoid_below_the_normal_numbers_is_not_lost(x: float) -> None:
    scores, ones = torch.tensor([-x]), torch.tensor([1.0])
    found = gradients(functional("soft_margin"), scores, ones, reduction="none")
    with mp.workdps(60):
        sigmoid = 1 / (1 + mp.exp(-mp.mpf(x)))
        assert ulps(found[0].item(), -sigmoid, torch.float32) <= 4
        # What a subnormal number is rounded by is multiplied by x.
        assert ulps(found[1].item(), mp.mpf(x) * sigmoid, torch.float32) <= abs(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_slope_in_a_label_is_the_score(dtype: torch.dtype) -> None:
    x = torch.tensor([1e-4, -1e-7, 0.0, 3.0, -200.0], dtype=dtype)
    t = torch.full_like(x, 0.5)
    loss = functional("binary_cross_entropy_with_logits")
    found = gradients(loss, x, t, reduction="none")[1]
    assert torch.equal(found, -x)


# --- lengths whose squares are out of range -------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1e-3, 0.6, 0.9])
@pytest.mark.parametrize("style", ["functional", "plain"])
def test_rows_of_any_size_have_their_cosine(style: str, share: float, dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    loss = functional("info_nce") if style == "functional" else load("info_nce").info_nce
    for size in (info.max**share, info.tiny**share, 1.0):
        query = torch.tensor([[3.0, -4.0, 1.0], [0.5, 2.0, -1.0]], dtype=dtype) * size
        key = torch.tensor([[1.0, 2.0, -2.0], [-1.0, 0.5, 3.0]], dtype=dtype)
        slope = gradients(loss, query, key, tau=TAU)[0]
        with mp.workdps(60):
            true = _info_nce_slope(query.tolist(), key.tolist())
        scale = max(abs(v) for row in true for v in row)
        for got, exact in zip(slope.tolist(), true, strict=True):
            for g, e in zip(got, exact, strict=True):
                assert abs(mp.mpf(g) - e) <= 64 * info.eps * scale


def _info_nce_slope(query: list[list[float]], key: list[list[float]]) -> list[list[Any]]:
    """The gradient of the mean, by central differences of many digits."""

    def value(rows: list[list[Any]]) -> Any:
        def unit(row: list[Any]) -> list[Any]:
            length = mp.sqrt(sum(v * v for v in row))
            return [v / length for v in row]

        first, second = [unit(r) for r in rows], [unit([mp.mpf(v) for v in r]) for r in key]
        sims = [
            [sum(a * b for a, b in zip(f, s, strict=True)) / TAU for s in second] for f in first
        ]
        losses = [mp.log(sum(mp.exp(s) for s in row)) - row[k] for k, row in enumerate(sims)]
        return sum(losses) / len(losses)

    exact = [[mp.mpf(v) for v in row] for row in query]
    found = []
    for i, row in enumerate(exact):
        found.append([])
        for k, v in enumerate(row):
            step = abs(v) * mp.mpf(10) ** -20
            sides = []
            for sign in (1, -1):
                moved = [list(r) for r in exact]
                moved[i][k] = v + sign * step
                sides.append(value(moved))
            found[-1].append((sides[0] - sides[1]) / (2 * step))
    return found


# --- quotients whose squares are out of range -------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_squared_error_over_a_variance_is_in_range_where_the_quotient_is(
    dtype: torch.dtype,
) -> None:
    large = torch.finfo(dtype).max ** 0.75
    inputs = [torch.tensor([v], dtype=dtype) for v in (large, 0.0, large)]
    loss = functional("gaussian_nll")
    value = loss(*inputs, reduction="none").item()
    found = [g.item() for g in gradients(loss, *inputs, reduction="none")]
    with mp.workdps(60):
        x = mp.mpf(inputs[0].item())
        assert ulps(value, (mp.log(x) + x) / 2, dtype) <= 4
        for got, true in zip(found, (1, -1, (1 / x - 1) / 2), strict=True):
            assert ulps(got, mp.mpf(true), dtype) <= 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [-0.7, -0.3, 0.0, 0.3])
def test_boxes_of_any_shape_have_a_slope(share: float, dtype: torch.dtype) -> None:
    thin = float(torch.tensor(torch.finfo(dtype).max ** share, dtype=dtype))
    box = torch.tensor([[0.0, 0.0, thin, 1.0]], dtype=dtype)
    target = torch.tensor([[0.0, 0.0, 2 * thin, 1.0]], dtype=dtype)
    for name in ("giou", "ciou"):
        for found in gradients(functional(name), box, target, reduction="none"):
            assert found.isfinite().all(), name


# --- a policy ratio beyond the largest number, which the clip leaves out --------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_ratio_that_overflows_has_slope_0_where_it_is_clipped(dtype: torch.dtype) -> None:
    far = 1.5 * math.log(torch.finfo(dtype).max)
    logp, old = (
        torch.tensor([[-0.25, -1.0]], dtype=dtype),
        torch.tensor([[-far, -1.0]], dtype=dtype),
    )
    advantage = torch.tensor([1.0], dtype=dtype)
    leaves = [x.clone().requires_grad_() for x in (logp, advantage, old)]
    loss = functional("grpo")(*leaves[:2], old=leaves[2], eps_high=0.25, reduction="sum")
    assert loss.item() == -(1.25 + 1.0) / 2
    found = torch.autograd.grad(loss, leaves)
    assert found[0].tolist() == [[0.0, -0.5]]
    assert found[1].tolist() == [-(1.25 + 1.0) / 2]
    assert found[2].tolist() == [[0.0, 0.5]]


# --- rows over their lengths ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_of_one_number_has_no_slope_however_small_it_is(dtype: torch.dtype) -> None:
    least = torch.finfo(dtype).smallest_normal * 2**-9  # 1/least is infinite
    query = torch.tensor([[least], [1e-17], [-3.0], [1e17]], dtype=dtype)
    key = torch.tensor([[2.0], [-5.0], [1e-30], [0.7]], dtype=dtype)
    assert all((g == 0).all() for g in gradients(functional("info_nce"), query, key))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_slope_of_a_distance_is_one_where_there_is_one_difference(dtype: torch.dtype) -> None:
    gaps = torch.tensor([[1e-3], [0.3], [7.1], [1e30], [3e37]], dtype=dtype)
    zero = torch.zeros_like(gaps)
    anchor, positive, negative = gradients(
        functional("triplet_margin"), zero, gaps, -gaps, margin=2.0, eps=0.0, reduction="sum"
    )
    assert (positive == 1).all()
    assert (negative == 1).all()
    assert (anchor == -2).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e20, 1e36])
def test_a_distance_of_any_order_takes_rows_of_any_size(
    p: float, scale: float, dtype: torch.dtype
) -> None:
    gap = [0.3, -0.7, 0.01]
    rows = torch.tensor([gap], dtype=dtype) * scale
    zero = torch.zeros_like(rows)
    loss = functional("triplet_margin")
    options = {"margin": 1e-300, "p": p, "eps": 0.0}
    value = loss(rows, zero, rows, **options)
    slopes = gradients(loss, rows, zero, rows, **options)
    with mp.workdps(50):
        exact = [mp.mpf(x) for x in rows[0].tolist()]
        length = sum(abs(x) ** mp.mpf(p) for x in exact) ** (1 / mp.mpf(p))
        assert ulps(value.item(), length, dtype) <= 8
        for found, x in zip(slopes[1][0].tolist(), exact, strict=True):
            slope = -mp.sign(x) * (abs(x) / length) ** (mp.mpf(p) - 1)
            assert ulps(found, slope, dtype) <= 16


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [1.0, -1.0])
def test_a_cosine_takes_rows_of_any_length(target: float, dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    first = [[3.0, 1.0], [largest, largest / 4], [1e-3, 2.0], [0.0, 0.0], [largest, 0.0]]
    second = [[-1.0, 2.0], [1e-3, 1.0], [largest / 8, largest / 2], [1.0, 2.0], [-1.0, largest]]
    one, two = (torch.tensor(x, dtype=dtype) for x in (first, second))
    label = torch.full((5,), target, dtype=dtype)
    loss = functional("cosine_embedding")
    values = loss(one, two, label, reduction="none")
    slopes = gradients(lambda a, b: loss(a, b, label, reduction="sum"), one, two)
    with mp.workdps(50):
        eps = mp.mpf(1e-12)
        for n in range(5):
            x, y = ([mp.mpf(v) for v in rows[n].tolist()] for rows in (one, two))
            square1, square2 = (sum(v * v for v in row) + eps for row in (x, y))
            dot = sum(a * b for a, b in zip(x, y, strict=True))
            cosine = dot / mp.sqrt(square1 * square2)
            wanted = 1 - cosine if target == 1 else max(cosine, 0)
            assert abs(values[n].item() - wanted) <= 4 * torch.finfo(dtype).eps
            pull = -1 if target == 1 else int(cosine >= 0)
            for k in range(2):
                slope = pull * (y[k] / mp.sqrt(square1 * square2) - cosine * x[k] / square1)
                size = abs(y[k]) / mp.sqrt(square1 * square2) + abs(cosine * x[k]) / square1
                error = abs(slopes[0][n, k].item() - slope)
                assert error <= 32 * torch.finfo(dtype).eps * size + 1e-45


def test_rows_too_long_are_made_shorter_in_a_batch_of_vmap_as_well() -> None:
    loss = functional("cosine_embedding")
    one = torch.tensor([[[1e30, 2e30], [1.0, 2.0]], [[0.5, 1.0], [3e38, 0.0]]])
    two = torch.tensor([[[1.0, 2.0], [2.0, -1.0]], [[-1e25, 5e24], [1.0, 0.0]]])
    label = torch.ones(2, 2)
    apart = torch.func.vmap(lambda a, b, t: loss(a, b, t, reduction="none"))(one, two, label)
    assert torch.allclose(apart, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_small_weight_takes_back_what_twice_a_difference_would_overflow_by(
    dtype: torch.dtype,
) -> None:
    largest, least = torch.finfo(dtype).max, torch.finfo(dtype).tiny
    x, t = torch.tensor([0.75 * largest], dtype=dtype), torch.tensor([0.0], dtype=dtype)
    loss = functional("mse")
    for weight in (0.0, least):
        given = torch.tensor([weight], dtype=dtype)
        slopes = gradients(lambda a, b, w=given: loss(a, b, weight=w, reduction="none"), x, t)
        slope = 2 * (0.75 * largest * weight)
        assert [g.item() for g in slopes] == pytest.approx([slope, -slope], rel=1e-6)
