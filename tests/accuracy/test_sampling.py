"""Points: the same for the same seed, inside their domains, and all that was asked for."""

import math

import pytest

from lossgen.accuracy import axes_cases, rows
from lossgen.accuracy.cases import pointwise
from lossgen.accuracy.formats import BFLOAT16, FLOAT32, FLOAT64, FORMATS, Format
from lossgen.accuracy.points import extremes
from lossgen.accuracy.settings import settings
from lossgen.roles import ROLES, Real
from tests.accuracy.specs import PAIR, ROWS, SCORE, default, elementwise
from tests.compiler.catalogue import NAMES, compiled

SMALL = elementwise("(input[e] - target[e])**2")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_extremes_are_those_that_were_asked_for(form: Format) -> None:
    found = extremes(Real, form)
    sizes = (form.smallest, form.tiny, 1e-4, 1.0, 17.0, 20.0, 88.0, 89.0, 104.0, 1e4, form.largest)
    for size in (0.0, *sizes):
        assert form.rounded(size) in found
        assert -form.rounded(size) in found


@pytest.mark.parametrize("name", [n for n, role in ROLES.items() if role.kind == "real"])
def test_extremes_lie_in_the_domain(name: str) -> None:
    role = ROLES[name]
    for number in extremes(role, FLOAT32):
        assert FLOAT32.rounded(number) == number
        assert role.lower is None or number >= role.lower
        assert role.upper is None or number <= role.upper
        assert not (role.open_lower and number == role.lower)


def test_points_depend_on_the_seed_alone() -> None:
    first, again, other = (
        rows.sampled(SMALL, default(SMALL), FLOAT32, seed, 200) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    kinked = elementwise("Abs(input[e] - target[e])")
    assert rows.on_kinks(kinked, default(kinked), FLOAT32, 1, 2) == rows.on_kinks(
        kinked, default(kinked), FLOAT32, 1, 2
    )


def test_every_kind_of_point_is_there() -> None:
    points = rows.sampled(SMALL, default(SMALL), FLOAT32, 0, 400)
    assert {label for label, _ in points} == {
        "extremes",
        "tie",
        "tie ± 1 ulp",
        "confident",
        "ordinal",
        "ordinary",
    }
    assert 400 <= len(points) <= 520
    ties = [p for label, p in points if label == "tie"]
    assert all(p[0] == p[1] for p in ties)
    near = [p for label, p in points if label == "tie ± 1 ulp"]
    assert {FLOAT32.ordinal(a) - FLOAT32.ordinal(b) for (a,), (b,) in near} == {1, -1}


def test_ordinal_points_spread_over_all_exponents() -> None:
    points = rows.sampled(SMALL, default(SMALL), FLOAT64, 0, 800)
    exponents = [math.frexp(p[0][0])[1] for label, p in points if label == "ordinal" and p[0][0]]
    assert min(exponents) < -700
    assert max(exponents) > 700


def test_confident_scores_reach_a_hundred() -> None:
    spec = elementwise(
        "softplus(input[e]) - target[e]*input[e]", "input: Logits[e], target: Probabilities[e]"
    )
    points = rows.sampled(spec, default(spec), FLOAT32, 0, 400)
    confident = [p for label, p in points if label == "confident"]
    scores = [p[0][0] for p in confident]
    assert min(scores) == -100
    assert max(scores) == 100
    assert {0.0, 1.0, 0.5} <= {p[1][0] for p in confident}


@pytest.mark.parametrize(
    ("body", "sides"),
    [
        ("Abs(input[e] - target[e])", lambda x, t: x - t),
        ("Max(0, 1 - input[e])*target[e]", lambda x, t: 1 - x),
        ("where(input[e]*2 < target[e], 1, input[e])", lambda x, t: 2 * x - t),
        ("clip(input[e], -2, 0.5) + target[e]", lambda x, t: (x + 2) * (x - 0.5)),
    ],
)
def test_kinks_are_met_and_passed_on_both_sides(body: str, sides: object) -> None:
    assert callable(sides)
    spec = elementwise(body)
    points = rows.on_kinks(spec, default(spec), FLOAT64, 0, 3)
    values = [sides(x, t) for _, ((x,), (t,)) in points]
    assert min(values) < 0 < max(values)
    assert 0 in values
    for _, ((x,), (t,)) in points:
        assert abs(sides(x, t)) <= 8 * math.ulp(max(1.0, abs(x), abs(t)))


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_over_an_axis_is_told_from_an_elementwise_one(name: str) -> None:
    spec = compiled(name).spec
    expected = name in {
        *("asymmetric", "barron", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        *("charbonnier", "ciou", "dpo", "gaussian_nll", "giou", "hinge_embedding", "huber"),
        *("kl_div", "l1", "log_cosh", "margin_ranking", "mse", "poisson_nll", "quantile"),
        *("sigmoid_focal", "smooth_l1", "soft_margin", "wing"),
    }
    assert bool(pointwise(spec)) is expected


def test_cases_over_an_axis_are_long_and_short_and_empty_of_labels() -> None:
    spec = elementwise("-at(log_softmax(input[n, c], c), c=target[n])", ROWS)
    cases = list(axes_cases.cases(spec, default(spec), FLOAT32, 0, 1, 1000))
    assert {case.sizes["c"] for case in cases} >= {1, 10, 100, 1000}
    assert {case.labels[0].partition(",")[0] for case in cases} >= {*axes_cases.PATTERNS}
    again = axes_cases.cases(spec, default(spec), FLOAT32, 0, 1, 1000)
    assert [case.tensors for case in again] == [case.tensors for case in cases]
    for case in cases:
        assert all(0 <= x < case.sizes["c"] for x in case.tensors["target"].flat)
    gaps = [
        max(flat) - min(flat)
        for flat in (c.tensors["input"].flat for c in cases if c.labels[0].startswith("confident"))
    ]
    assert max(gaps) > 50


def test_an_ignored_label_and_nothing_but_ignored_labels_are_met() -> None:
    spec = compiled("cross_entropy").spec
    cases = list(axes_cases.cases(spec, default(spec), FLOAT32, 0, 2, 10))
    labels = [case.tensors["target"].flat for case in cases]
    assert any(-100 in flat and set(flat) != {-100} for flat in labels)
    assert any(set(flat) == {-100} for flat in labels)


def test_boxes_keep_their_corners_in_order() -> None:
    spec = compiled("giou").spec
    points = rows.sampled(spec, default(spec), BFLOAT16, 0, 100)
    points += rows.on_kinks(spec, default(spec), FLOAT32, 0, 4)
    for _, point in points:
        for x1, y1, x2, y2 in point:
            assert x1 < x2
            assert y1 < y2


def test_settings_take_each_switch_both_ways() -> None:
    found = settings(compiled("barron").spec)
    assert [s.options["alpha"] for s in found] == [1.0, -math.inf, 2.0, 0.0]
    found = settings(compiled("cross_entropy").spec)
    assert [(sorted(s.present), s.options["label_smoothing"]) for s in found] == [
        ([], 0.0),
        (["weight"], 0.0),
        ([], 0.5),
    ]
    assert [str(s) for s in settings(elementwise("exp(input[e])", SCORE))] == [""]
    assert PAIR
