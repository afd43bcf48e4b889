"""Inaccurate code is reported as such, accurate code is not, whatever dtype and style."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpmath import mp
from torch import Tensor
from torch.nn import functional as F

from lossgen.accuracy.formats import BFLOAT16
from lossgen.accuracy.judging import judge_half
from lossgen.accuracy.measuring import DTYPES, Style, measure
from lossgen.accuracy.results import Accuracy, Measured
from lossgen.spec import LossSpec
from tests.accuracy.specs import PAIR, ROWS, SCORE, elementwise

SOFTPLUS = elementwise("softplus(input[e])", SCORE)
SQUARE = elementwise("(input[e] - target[e])**2")
ENTROPY = elementwise("-at(log_softmax(input[n, c], c), c=target[n])", ROWS)


def measured(
    spec: LossSpec,
    loss: Callable[..., Tensor],
    *,
    items: bool = True,
    dtypes: tuple[str, ...] = ("float32",),
    effort: float = 0.15,
) -> Accuracy:
    return measure(spec, [Style("it", loss, {}, items)], effort=effort, dtypes=dtypes)


def row(accuracy: Accuracy, quantity: str, dtype: str = "float32") -> Measured:
    (found,) = (m for m in accuracy.measured if (m.quantity, m.dtype) == (quantity, dtype))
    return found


class Careful(torch.autograd.Function):
    """log(1 + exp(x)) with a slope that is right also where torch's is not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))

    @staticmethod
    def backward(ctx: Any, seed: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        power = torch.exp(-x.abs())
        return seed * torch.where(x > 0, 1 / (1 + power), power / (1 + power))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_careful_loss_holds(dtype: str) -> None:
    found = measured(SOFTPLUS, lambda input: Careful.apply(input), dtypes=(dtype,))
    assert found.holds, found
    assert row(found, "value", dtype).worst <= 2
    assert row(found, "gradient", dtype).worst <= 4
    assert row(found, "value", dtype).verdicts == {"ulp": row(found, "value", dtype).points}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_naive_loss_does_not(dtype: str) -> None:
    found = measured(SOFTPLUS, lambda input: torch.log(1 + torch.exp(input)), dtypes=(dtype,))
    assert not found.holds
    value = row(found, "value", dtype)
    assert value.worst == math.inf
    assert value.p99 > 1e6
    assert value.breaks
    first = value.breaks[0]
    assert first.verdict == "breaks"
    assert first.ordinary
    assert float(first.tensors["input"].strip("[]")) != 0


def test_a_slope_that_is_wrong_in_one_digit_of_six_is_found() -> None:
    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
            ctx.save_for_backward(x, t)
            return (x - t) ** 2

        @staticmethod
        def backward(ctx: Any, seed: Tensor) -> tuple[Tensor, Tensor]:
            x, t = ctx.saved_tensors
            return seed * 2.00001 * (x - t), -seed * 2 * (x - t)

    found = measured(SQUARE, lambda input, target: Off.apply(input, target))
    assert row(found, "value").holds
    assert not row(found, "gradient").holds
    assert row(found, "gradient").breaks[0].what == "input[0]"


def test_nan_in_a_branch_not_taken_is_found_and_so_is_a_second_derivative() -> None:
    spec = elementwise("where(input[e] > 0, sqrt(input[e]), 0) + target[e]")

    def naive(input: Tensor, target: Tensor) -> Tensor:
        return torch.where(input > 0, input.sqrt(), 0.0) + target

    def safe(input: Tensor, target: Tensor) -> Tensor:
        held = torch.where(input > 0, input, 1.0)
        return torch.where(input > 0, held.sqrt(), 0.0) + target

    bad = measured(spec, naive)
    assert row(bad, "gradient").worst == math.inf
    assert row(bad, "second").verdicts["breaks"] > 0
    good = measured(spec, safe)
    assert row(good, "gradient").holds
    assert row(good, "second").holds


def test_the_plain_function_is_judged_by_its_scalar() -> None:
    mean = measured(SQUARE, lambda input, target: ((input - target) ** 2).mean(), items=False)
    assert mean.holds
    total = measured(SQUARE, lambda input, target: (2 * (input - target) ** 2).sum(), items=False)
    assert not total.holds


def test_a_label_that_cancels_is_excused_by_its_terms_and_one_that_need_not_is_not() -> None:
    spec = elementwise(
        "softplus(input[e]) - target[e]*input[e]", "input: Logits[e], target: Probabilities[e]"
    )

    class Less(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, t: Tensor) -> Tensor:
            ctx.save_for_backward(x, t)
            return F.softplus(x) - t * x

        @staticmethod
        def backward(ctx: Any, seed: Tensor) -> tuple[Tensor, None]:
            x, t = ctx.saved_tensors
            return seed * (torch.sigmoid(x) - t), None

    style = Style(
        "it", lambda input, target: Less.apply(input, target), {}, True, frozenset(("input",))
    )
    points = [("", ((x,), (t,))) for x in (0.5, 1.5, -2.0) for t in near_sigmoid(x)]
    found = judged(spec, style, points)
    assert found["gradient"]["terms"] > 0
    assert "breaks" not in found["gradient"]
    # At t = 1 and a large x the same subtraction loses everything, and 1 - sigmoid need not.
    sure = judged(spec, style, [("", ((30.0,), (1.0,)))])
    assert sure["gradient"] == {"avoidable": 1}


def near_sigmoid(x: float) -> list[float]:
    """float32 numbers at and around the sigmoid."""
    middle = torch.sigmoid(torch.tensor(x))
    up = torch.nextafter(middle, torch.tensor(1.0))
    return [middle.item(), up.item()]


def judged(spec: LossSpec, style: Style, points: list[Any]) -> dict[str, dict[str, int]]:
    """How the numbers at given points are judged."""
    from lossgen.accuracy import rows
    from lossgen.accuracy.measuring import judge_case
    from tests.accuracy.specs import default

    case = rows.case(spec, default(spec), points)
    return {m.quantity: dict(m.verdicts) for m in judge_case(case, "float32", [style])}


def test_the_leading_class_of_a_softmax_is_no_excuse() -> None:
    found = measured(
        ENTROPY, lambda input, target: F.cross_entropy(input, target, reduction="none")
    )
    broken = [p for m in found.measured for p in m.breaks if p.how.startswith("confident")]
    assert {p.computed for p in broken} & {0.0, -0.0}

    def careful(input: Tensor, target: Tensor) -> Tensor:
        own = input.gather(1, target[:, None])
        others = (input - own).scatter(1, target[:, None], -torch.inf)
        top = others.amax(1).clamp(min=0)
        return (
            top
            + torch.log(torch.exp(-top) + torch.exp(others - top[:, None]).sum(1)) * (top > 0)
            + torch.log1p(torch.exp(others).sum(1)).nan_to_num() * (top == 0)
        )

    better = measured(ENTROPY, careful)
    assert row(better, "value").sound
    # A gap of 60 is rounded before its exponential is taken: 2**-24 * 60 of the result.
    assert row(better, "value").p99 < 64


def test_halves_are_held_against_the_rounded_float32() -> None:
    def wide(input: Tensor, target: Tensor) -> Tensor:
        return ((input.float() - target.float()) ** 2).to(input.dtype)

    def narrow(input: Tensor, target: Tensor) -> Tensor:
        return torch.exp(torch.log((input - target).abs()) * 2)

    for dtype in ("float16", "bfloat16"):
        assert row(measured(SQUARE, wide, dtypes=(dtype,)), "value", dtype).holds
        assert not row(measured(SQUARE, narrow, dtypes=(dtype,)), "value", dtype).holds


def test_what_raises_is_told_and_does_not_hold() -> None:
    def broken(input: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("not today")

    found = measured(SQUARE, broken)
    assert not found.holds
    assert "RuntimeError: not today" in found.errors[0]


def test_no_items_at_all_must_be_taken() -> None:
    def needs_one(input: Tensor, target: Tensor) -> Tensor:
        return (input - target) ** 2 * (input / input[0])

    found = measured(SQUARE, needs_one)
    assert any("without any item: IndexError" in text for text in found.errors)


def test_a_measurement_repeats_itself() -> None:
    first, again = (measured(SOFTPLUS, F.softplus, dtypes=tuple(DTYPES)) for _ in range(2))
    assert first.measured == again.measured
    assert PAIR


def test_a_gradient_of_zeros_without_storage_is_zeros() -> None:
    spec = elementwise("Abs(input[e] - target[e])")
    found = measured(spec, lambda input, target: F.l1_loss(input, target, reduction="none"))
    assert row(found, "gradient").holds
    assert row(found, "second").worst == 0


def test_code_may_take_either_side_where_rounding_decides() -> None:
    spec = elementwise("Max(0, exp(input[e]) - exp(target[e]))")
    style = Style("it", lambda input, target: F.relu(input.exp() - target.exp()), {}, True)
    up = torch.nextafter(torch.tensor(3.0), torch.tensor(4.0)).item()
    points = [("", ((3.0,), (t,))) for t in (3.0, up)]
    found = judged(spec, style, points)
    assert "breaks" not in found["value"]
    assert "breaks" not in found["gradient"]
    far = judged(spec, style, [("", ((3.0,), (3.5,)))])
    assert far["gradient"] == {"ulp": 2}
    wrong = Style("it", lambda input, target: (input.exp() - target.exp()).abs(), {}, True)
    assert judged(spec, wrong, [("", ((3.0,), (3.5,)))])["gradient"] == {"breaks": 2}


def at(
    spec: LossSpec,
    loss: Callable[..., Tensor],
    *values: float,
    items: bool = True,
    dtype: str = "float32",
) -> Any:
    """What code gives at one point, measured, by quantity."""
    from lossgen.accuracy import rows
    from lossgen.accuracy.measuring import judge_case
    from tests.accuracy.specs import default

    case = rows.case(spec, default(spec), [("", tuple((v,) for v in values))])
    found = judge_case(case, dtype, [Style("it", loss, {}, items)])
    return {m.quantity: m for m in found}


def test_a_difference_that_cancels_counts_in_ulp_of_its_terms() -> None:
    spec = elementwise("exp(input[e]) - target[e]")
    near = torch.exp(torch.tensor(1.0)).item()
    found = at(spec, lambda input, target: torch.exp(input) - target, 1.0, near)["value"]
    assert found.verdicts == {"terms": 1}
    assert found.worst > 1e5
    assert 0 < found.multiple < 1


def test_nan_is_counted_however_many_smaller_errors_there_are() -> None:
    spec = elementwise("input[e] + target[e]")

    def wrong(input: Tensor, target: Tensor) -> Tensor:
        return torch.where(input == 1, math.nan, 1.001 * (input + target))

    found = row(measured(spec, wrong), "value")
    assert found.infinite > 0
    assert not found.finite
    fine = row(measured(spec, lambda input, target: 1.001 * (input + target)), "gradient")
    assert fine.finite
    assert not fine.holds


def test_a_sum_of_second_derivatives_out_of_range_is_not_asked_for() -> None:
    spec = elementwise("target[e]*input[e]**2")

    def squared(input: Tensor, target: Tensor) -> Tensor:
        return target * (input * input)

    # 2*target + 2*input, of which the second is beyond the largest float32.
    assert "breaks" not in at(spec, squared, 3e38, -3e38)["second"].verdicts
    # Infinity where it is in range.
    gone = at(spec, lambda input, target: squared(input, target) / 0, 2.0, 3.0)
    assert gone["second"].verdicts["breaks"] > 0


def test_a_straight_through_gradient_has_no_second_derivative_where_it_leaps() -> None:
    body = "held = straight_through(Max(target[e], 1), gradient_of=target[e]); input[e]/held"

    def straight(input: Tensor, target: Tensor) -> Tensor:
        return input / (target.clamp(min=1).detach() + (target - target.detach()))

    found = at(elementwise(body), lambda input, target: straight(input, target) / 0, 2.0, 0.5)
    assert found["second"].verdicts == {"not judged": 2}


def test_a_weighted_mean_may_overflow_where_its_sum_does() -> None:
    spec = elementwise(
        "averaged(weight[e]*Abs(input[e]), over=weight[e])",
        "input: Real[e], weight: Weight[e]",
    )

    def mean(input: Tensor, weight: Tensor) -> Tensor:
        return (weight * input.abs()).sum() / weight.sum()

    assert at(spec, mean, 1e10, 1e30, items=False)["value"].verdicts == {"terms": 1}
    nothing = at(spec, lambda input, weight: mean(input, weight) / 0, 1e10, 1e20, items=False)
    assert nothing["value"].verdicts == {"breaks": 1}


def test_what_float32_loses_counts_in_half_as_missed() -> None:
    lost = judge_half(math.nan, math.nan, mp.mpf(0), BFLOAT16, native=False)
    assert (lost.ulp, lost.verdict) == (math.inf, "native")
    # Beyond the format's range nothing is missed.
    far = judge_half(math.inf, math.inf, mp.mpf(10) ** 60, BFLOAT16, native=False)
    assert (far.ulp, far.verdict) == (0.0, "not judged")
    near = judge_half(1.0, 1.001, mp.mpf(1), BFLOAT16, native=False)
    assert (near.ulp, near.verdict) == (0.0, "half")


@pytest.mark.parametrize(("noise", "verdict"), [(2.0**-25, "half"), (2.0**-12, "breaks")])
def test_half_may_add_up_in_another_order_what_cancels(noise: float, verdict: str) -> None:
    spec = elementwise("sigmoid(input[e]) - target[e]")

    def loss(input: Tensor, target: Tensor) -> Tensor:
        value = torch.sigmoid(input.float()) - target.float()
        return (value if input.dtype == torch.float32 else value + noise).to(input.dtype)

    found = at(spec, loss, 0.0, 0.5, dtype="bfloat16")
    assert found["value"].verdicts == {verdict: 1}
