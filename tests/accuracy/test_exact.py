"""The exact side: values, slopes and bounds, against arithmetic that shares nothing with it."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from mpmath import mp

from lossgen.accuracy import axes_cases, rows
from lossgen.accuracy.cases import Case, Filled
from lossgen.accuracy.formats import FLOAT32, FLOAT64
from lossgen.accuracy.settings import settings
from lossgen.accuracy.solving import Exact, precision, solve
from lossgen.accuracy.tape import log2, plus
from lossgen.nodes import Letter
from lossgen.subscripts import result_letters
from tests.accuracy.specs import PAIR, ROWS, SCORE, default, elementwise
from tests.compiler import exact as plain
from tests.compiler.catalogue import compiled

# Without optional tensors and counting reductions, which the plain evaluator does not know.
LOSSES = (
    *("arcface", "asymmetric", "barlow_twins", "batch_dice", "charbonnier", "ciou", "clip"),
    *("cosine_embedding", "dice", "dpo", "focal_tversky", "generalized_cross_entropy"),
    *("generalized_dice", "giou", "info_nce", "jaccard", "log_cosh", "nt_xent"),
    *(
        "poly1_cross_entropy",
        "sigmoid_focal",
        "siglip",
        "triplet_margin",
        "tversky",
        "vicreg",
        "wing",
    ),
)


def at(body: str, *numbers: float, arguments: str = PAIR) -> Exact:
    """One point of an elementwise loss."""
    spec = elementwise(body, arguments)
    return solve(rows.case(spec, default(spec), [("", tuple((x,) for x in numbers))]), FLOAT64)


def slope(body: str, *numbers: float, arguments: str = PAIR) -> float:
    """The gradient by the input there."""
    return float(at(body, *numbers, arguments=arguments).slopes["input"][0].value)


def cube(name: str, size: int, pattern: str) -> Case:
    """A case whose axes are all of one size, as the plain evaluator wants them."""
    spec = compiled(name).spec
    names = {axis.name for t in spec.tensors for axis in t.axes if not axis.name.isdigit()}
    sizes = dict.fromkeys(sorted(names), size)
    if any(t.role.name == "Boxes" for t in spec.tensors):
        points = rows.sampled(spec, default(spec), FLOAT64, 5, 7)
        return rows.case(spec, default(spec), points[:size])
    return axes_cases.one(spec, default(spec), FLOAT64, random.Random(5), sizes, pattern)


def items(case: Case, size: int, moved: tuple[str, int, Any] | None = None) -> Any:
    """The sum of the items by the plain evaluator, one element moved."""
    flats = {name: list(filled.flat) for name, filled in case.tensors.items()}
    if moved:
        name, place, step = moved
        flats[name][place] = mp.mpf(flats[name][place]) + step

    def read(name: str, position: tuple[int, ...]) -> Any:
        place = 0
        for index, length in zip(position, case.tensors[name].shape, strict=True):
            place = place * length + index
        return mp.mpf(flats[name][place])

    letters = result_letters(case.spec)
    places: list[dict[Letter, int]] = [{}]
    for letter in letters:
        places = [{**p, letter: k} for p in places for k in range(size)]
    options = case.setting.options
    return mp.fsum(plain.evaluate(case.spec.item, read, p, size, options) for p in places)


@pytest.mark.parametrize("pattern", ["ordinary", "confident"])
@pytest.mark.parametrize("name", LOSSES)
def test_values_and_slopes_are_those_of_plain_arithmetic(name: str, pattern: str) -> None:
    case = cube(name, 2, pattern)
    found = solve(case, FLOAT64)
    with mp.workdps(plain.DIGITS):
        here = items(case, 2)
        total = mp.fsum(x.value for x in found.items)
        assert abs(total - here) <= 1e-40 * max(abs(here), mp.mpf(10) ** -300)
        step = mp.mpf(10) ** -200
        for tensor, slopes in found.slopes.items():
            place = len(slopes) // 2
            ahead, behind = (items(case, 2, (tensor, place, sign * step)) for sign in (1, -1))
            if name == "ciou":
                continue  # a factor is held constant: no derivative of the value
            difference = (ahead - behind) / (2 * step)
            assert abs(slopes[place].value - difference) <= 1e-40 * max(1, abs(difference))


@pytest.mark.parametrize(
    ("body", "numbers", "expected"),
    [
        ("Abs(input[e] - target[e])", (1.5, 1.5), 0),
        ("Max(0, input[e] - target[e])", (2.0, 2.0), 0),
        ("Max(0, input[e] - target[e], tie=1)", (2.0, 2.0), 1),
        ("Max(input[e], target[e])", (2.0, 2.0), 0.5),
        ("Min(input[e], target[e])", (2.0, 2.0), 0.5),
        ("Max(input[e], target[e], tie=1)", (2.0, 2.0), 1),
        ("clip(input[e], 0, 1) + target[e]", (1.0, 0.0), 1),
        ("clip(input[e], 0, 1) + target[e]", (1.5, 0.0), 0),
        ("xlogy(input[e], input[e]) + target[e]", (0.0, 0.0), 0),
        ("xlogy(input[e], target[e])", (0.0, 2.0), math.log(2)),
        ("xlogy(input[e], target[e])", (0.0, 0.0), 0),
        ("stop_gradient(input[e])*target[e]", (3.0, 2.0), 0),
        ("straight_through(input[e]**2, gradient_of=5*input[e]) + target[e]", (3.0, 2.0), 5),
        ("Abs(input[e])**1.5 + target[e]", (0.0, 2.0), 0),
    ],
)
def test_slopes_at_ties_and_singular_points_are_the_stated_ones(
    body: str, numbers: tuple[float, ...], expected: float
) -> None:
    assert slope(body, *numbers) == pytest.approx(expected)


def test_the_norm_of_nothing_has_slope_zero() -> None:
    spec = elementwise("norm(input[n, d], d)", "input: Embedding[n, d]")
    case = Case(spec, default(spec), {"input": Filled((0.0, 0.0), (1, 2))}, {"n": 1, "d": 2}, ("",))
    found = solve(case, FLOAT64)
    assert [float(s.value) for s in found.slopes["input"]] == [0, 0]
    assert found.singular


@pytest.mark.parametrize("number", [1e-30, 1e-200, 30.0, 700.0, 1e300])
def test_digits_are_taken_until_there_are_enough(number: float) -> None:
    found = at("log(cosh(input[e] - target[e]))", number, 0.0)
    with mp.workdps(700):
        expected = mp.log1p(2 * mp.sinh(mp.mpf(number) / 2) ** 2) if number < 1 else number
        if 1 < number < 100:
            expected = mp.log(mp.cosh(number))
        expected = expected if number < 100 else number - mp.log(2)
        assert abs(found.items[0].value - expected) <= FLOAT64.ulp(expected) / 1000


def test_nothing_that_need_not_cancel_counts_as_cancelling() -> None:
    # A difference of two numbers of the format is one rounding, however near they are.
    assert at("(input[e] - target[e])**2", 1.0, 1 + 2.0**-50).items[0].excess == -math.inf
    # A probability less a label cancels, whoever computes it.
    found = at("softplus(input[e]) - target[e]*input[e]", 1.1, 0.75).slopes["input"][0]
    assert plus(log2(found.value), found.excess) == pytest.approx(math.log2(1.5), abs=0.01)
    # The leading class of a softmax does not: its slope is the sum of the others.
    spec = elementwise("-at(log_softmax(input[n, c], c), c=target[n])", ROWS)
    tensors = {"input": Filled((0.0, 20.0, -3.0), (1, 3)), "target": Filled((1,), (1,))}
    case = Case(spec, default(spec), tensors, {"n": 1, "c": 3}, ("",))
    leading = solve(case, FLOAT32).slopes["input"][1]
    assert float(leading.value) == pytest.approx(-2.1637724e-9)
    assert leading.excess < log2(leading.value) - 20


def test_decisions_that_rounding_could_turn_are_counted() -> None:
    assert at("Max(0, input[e] - target[e])", 1.0, 1 + 2.0**-52).doubtful == 0
    assert at("Max(0, exp(input[e]) - exp(target[e]))", 1.0, 1 + 2.0**-52).doubtful == 1
    # 0.1 is no float32, so a margin of 0.1 is met only to rounding.
    spec = elementwise("Max(0, 0.1 - input[e])", SCORE)
    near = rows.case(spec, default(spec), [("", ((FLOAT32.rounded(0.1),),))])
    assert solve(near, FLOAT32).doubtful == 1
    assert solve(near, FLOAT64).doubtful == 0


def test_the_reduced_loss_divides_by_what_the_spec_says() -> None:
    spec = compiled("l1").spec
    setting = axes_cases_setting(spec)
    tensors = {
        "input": Filled((1.0, 5.0), (2,)),
        "target": Filled((0.0, 1.0), (2,)),
        "weight": Filled((1.0, 3.0), (2,)),
    }
    found = solve(Case(spec, setting, tensors, {"e": 2}, ("", ""), "e"), FLOAT64)
    assert float(found.reduced.value) == (1 + 3 * 4) / 4
    assert float(found.reduced_slopes["weight"][1].value) == (4 - 13 / 4) / 4


def axes_cases_setting(spec: Any) -> Any:
    """The setting with the weight."""
    return settings(spec)[1]


def test_the_working_precision_is_left_as_it_was() -> None:
    before = mp.prec
    with precision(77):
        assert mp.prec == 77
    at("exp(input[e]) + target[e]", 1.0, 2.0)
    assert mp.prec == before


def test_what_is_no_number_has_no_slope() -> None:
    found = at("(input[e] - 1)/(target[e] - 1) + input[e]", 1.0, 1.0)
    assert mp.isnan(found.items[0].value)
    assert mp.isnan(found.slopes["input"][0].value)


@pytest.mark.parametrize(
    ("body", "value"),
    [("tanh(input[e]/exp(input[e]))", -1.0), ("exp(input[e]/exp(input[e]))", 0.0)],
)
def test_an_exponent_of_more_digits_than_there_are_is_infinite(body: str, value: float) -> None:
    (item,) = at(body, -1.7e308, arguments=SCORE).items
    assert float(item.value) == value
