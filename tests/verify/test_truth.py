"""The truth, against arithmetic that shares nothing with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lossgen.accuracy.cases import Case, Filled
from lossgen.accuracy.formats import FLOAT64
from lossgen.accuracy.settings import Setting
from lossgen.accuracy.solving import solve
from lossgen.library import Library
from lossgen.paths import shipped
from lossgen.spec import LossSpec
from lossgen.verify.api import pose
from lossgen.verify.caller import predicted
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.target import Target
from lossgen.verify.truth import Undefined, evaluate, mp
from lossgen.verify.truth.exact import axis_sizes, curvature
from tests.accuracy.specs import elementwise

LIBRARY = Library([shipped("specs")])
STEP = mp.mpf(10) ** -40
# Those of one number that exist below 0.
WORDS = (
    *("exp", "expm1", "log1mexp", "sigmoid", "log_sigmoid", "softplus", "tanh", "cosh", "log_cosh"),
    *("sin", "cos", "atan", "erf", "erfc", "sign", "Abs", "stop_gradient"),
)


def loaded(name: str) -> LossSpec:
    return LIBRARY.load(name)


def anything(spec: LossSpec) -> Point:
    """An ordinary point of a formula, with every option away from its default."""
    target = Target("anything", "function", lambda **given: None, (), open=True, known=False)
    names = {a.name: a.name for a in spec.arguments}
    (point, *_) = first_points(pose(spec, target, map=names))
    return point


def test_dice_by_hand() -> None:
    point = Point({"input": np.zeros((1, 1, 1)), "target": np.ones((1, 1, 1))}, {"smooth": 1.0})
    exact = evaluate(loaded("dice"), point)
    # p = 1/2: 1 - (2*1/2 + 1)/(3/2 + 1) = 1/5; dp/dx = 1/4;
    # d/dp [1 - (2p + 1)/(p + 2)] = -3/(p + 2)**2 = -12/25.
    assert abs(exact.value("mean")[0] - mp.mpf(1) / 5) < mp.mpf(10) ** -100
    assert abs(exact.gradient("mean")["input"][0] + mp.mpf(3) / 25) < mp.mpf(10) ** -100


def test_cross_entropy_by_hand() -> None:
    point = Point(
        {"input": np.array([[0.0, 0.0, 0.0]])[:, :, None], "target": np.array([[1]])},
        {"ignore_index": -100, "label_smoothing": 0.0},
    )
    exact = evaluate(loaded("cross_entropy"), point)
    assert abs(exact.value("mean")[0] - mp.log(3)) < mp.mpf(10) ** -100
    third = mp.mpf(1) / 3
    want = [third, third - 1, third]
    got = exact.gradient("mean")["input"]
    assert all(abs(a - b) < mp.mpf(10) ** -100 for a, b in zip(got, want, strict=True))


def moved(spec: LossSpec, point: Point, name: str, place: int, step: object) -> object:
    shift = {name: [mp.mpf(0)] * point.tensors[name].size}
    shift[name][place] = step
    return evaluate(spec, point, shift).value("sum")[0]


@pytest.mark.parametrize("name", LIBRARY.names())
def test_every_gradient_is_the_limit_of_its_differences(name: str) -> None:
    """Central differences of exact values, with a step of 1e-40: some 70 digits agree."""
    spec = loaded(name)
    point = anything(spec)
    try:
        gradient = evaluate(spec, point).gradient("sum")
    except Undefined:
        pytest.skip("no value here")
    if any(word in str(spec.item) for word in ("StopGradient", "StraightThrough")):
        pytest.skip("its gradient is stated, not derived")
    for tensor in point.floats[:2]:
        for place in range(0, point.tensors[tensor].size, 5):
            up, down = (moved(spec, point, tensor, place, s * STEP) for s in (1, -1))
            slope = (up - down) / (2 * STEP)  # type: ignore[operator]
            assert abs(slope - gradient[tensor][place]) <= mp.mpf(10) ** -50 * (1 + abs(slope))


@pytest.mark.parametrize("name", LIBRARY.names())
def test_two_evaluators_that_share_no_arithmetic_agree(name: str) -> None:
    """This one at 120 digits, and the one of lossgen.accuracy, which takes digits as it needs."""
    spec = loaded(name)
    both_evaluators_agree(spec, anything(spec))


@pytest.mark.parametrize("word", WORDS)
def test_the_two_agree_on_every_word(word: str) -> None:
    spec = elementwise(
        f"{word}(input[e]) + target[e]", "input: LogProbabilities[e], target: Real[e]"
    )
    point = Point({k: np.array([-0.75, -30.0]) for k in ("input", "target")}, {})
    both_evaluators_agree(spec, point)


def both_evaluators_agree(spec: LossSpec, point: Point) -> None:
    for tensor in spec.tensors:
        if tensor.broadcast and tensor.name in point.tensors:
            full = point.tensors[spec.tensors[0].name].shape
            wide = np.broadcast_to(point.tensors[tensor.name], full).copy()
            point = point.with_tensor(tensor.name, wide)
    shapes = {k: x.shape for k, x in point.tensors.items()}
    sizes = {str(axis.name): size for axis, size in axis_sizes(spec, shapes).items()}
    sizes |= {x: int(x) for t in spec.tensors for a in t.axes if (x := str(a.name)).isdigit()}
    flat = {k: tuple(sizes[str(a.name)] for a in spec.tensor(k).axes) for k in point.tensors}
    filled = {k: Filled(tuple(x.flatten().tolist()), flat[k]) for k, x in point.tensors.items()}
    case = Case(spec, Setting(point.options, frozenset(), ""), filled, sizes, ("",))
    other = solve(case, FLOAT64)
    exact = evaluate(spec, point)
    pairs = list(zip(exact.value("none"), other.items, strict=True))
    for tensor, slopes in exact.gradient("sum").items():
        pairs += zip(slopes, other.slopes[tensor], strict=True)
    for mine, bounded in pairs:
        here, there = mp.mpf(mine), mp.mpf(bounded.value)
        assert abs(here - there) <= mp.mpf(10) ** -40 * (1 + abs(here))


def test_curvature_of_a_square_and_none_at_a_kink() -> None:
    point = Point({"input": np.array([1.0, 3.0]), "target": np.array([0.0, 1.0])}, {})
    direction = {"input": np.array([1.0, -2.0])}
    found = curvature(loaded("mse"), point, direction, "sum")
    assert found is not None
    assert [float(x) for x in found["input"]] == [2.0, -4.0]
    tie = Point({"input": np.array([1.0]), "target": np.array([1.0])}, {})
    assert curvature(loaded("l1"), tie, {"input": np.array([1.0])}, "sum") is None


def test_a_mean_over_nothing_is_undefined() -> None:
    point = Point(
        {"input": np.zeros((1, 2, 1)), "target": np.full((1, 1), -100)},
        {"ignore_index": -100, "label_smoothing": 0.0},
    )
    with pytest.raises(Undefined):
        evaluate(loaded("cross_entropy"), point).value("mean")


def test_labels_are_given_and_predictions_are_not() -> None:
    assert predicted(loaded("dice")) == {"input"}
    assert predicted(loaded("triplet_margin")) == {"anchor", "positive", "negative"}


def test_the_truth_shares_nothing_with_the_compiler() -> None:
    import lossgen.verify.truth as package

    folder = Path(package.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    for module in ("stabilize", "program", "lower", "differentiate", "derivatives ", "backends"):
        assert f"from lossgen.{module}" not in text
