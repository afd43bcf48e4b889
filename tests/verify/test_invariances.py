"""What formulas imply about order and size, and code that only breaks on long tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import lossgen
from lossgen.library import Library
from lossgen.nodes import Letter
from lossgen.paths import shipped
from lossgen.spec import LossSpec
from lossgen.symmetry import alike, separable
from lossgen.verify.api import pose
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.save import saved
from lossgen.verify.slicing import extents, reordered, taken
from lossgen.verify.target import Target
from lossgen.verify.truth import Undefined, evaluate, mp
from lossgen.verify.truth.exact import divisors
from tests.verify import large

LIBRARY = Library([shipped("specs")])
NAMES = LIBRARY.names()
COSTLY = ("torch.compile", "large tensors")
EQUAL = mp.mpf(10) ** -90


def plain(spec: LossSpec) -> Point:
    target = Target("anything", "function", lambda **given: None, (), open=True, known=False)
    names = {a.name: a.name for a in spec.arguments}
    return next(first_points(pose(spec, target, map=names)))


def label(axis: Letter) -> str:
    return f"{axis.name}0" if axis.name in "se" else str(axis.name)


def value(spec: LossSpec, point: Point, reduction: str) -> Any:
    return evaluate(spec, point).value(reduction)[0]


def near(a: Any, b: Any) -> bool:
    return bool(abs(a - b) <= EQUAL * (1 + abs(a)))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_to_be_alike_is_so_in_a_hundred_digits(name: str) -> None:
    spec = LIBRARY.load(name)
    point = plain(spec)
    found = alike(spec)
    assert found, "no axis at all"
    for one in found.values():
        free = one.free(point.options, extents(spec, point)[label(one.axis)])
        order = list(range(extents(spec, point)[label(one.axis)]))
        for place, position in zip(free, [*free[1:], *free[:1]], strict=True):
            order[place] = position
        other = reordered(spec, point, label(one.axis), order, one.holders)
        for reduction in ("sum", "mean", *(k for k, _ in spec.divisors)):
            assert near(value(spec, point, reduction), value(spec, other, reduction)), one


@pytest.mark.parametrize(
    ("name", "axis"),
    [("total_variation", "h"), ("total_variation", "w"), ("multilabel_margin", "c")],
)
def test_an_order_that_counts_is_not_claimed_to_be_free(name: str, axis: str) -> None:
    spec = LIBRARY.load(name)
    point = plain(spec)
    assert axis not in alike(spec)
    size = extents(spec, point)[axis]
    other = reordered(spec, point, axis, [*range(1, size), 0], ())
    assert not near(value(spec, point, "sum"), value(spec, other, "sum"))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_adds_up_exactly_where_the_formula_says_so(name: str) -> None:
    spec = LIBRARY.load(name)
    lead = spec.tensors[0].axes[0]
    point = plain(spec)
    size = extents(spec, point)[label(lead)]
    parts = [taken(spec, point, label(lead), x) for x in (range(1), range(1, size))]
    whole = value(spec, point, "sum")
    try:
        together = sum(value(spec, p, "sum") for p in parts)
    except (Undefined, ZeroDivisionError):
        assert not separable(spec, lead)
        return
    assert near(whole, together) == separable(spec, lead)
    below = [divisors(spec, p)["mean"] for p in parts]
    if separable(spec, lead) and all(below):
        mean = sum(d * value(spec, p, "mean") for d, p in zip(below, parts, strict=True))
        assert near(value(spec, point, "mean"), mean / divisors(spec, point)["mean"])


def test_classes_that_a_formula_names_stay_in_their_place() -> None:
    found = alike(LIBRARY.load("cross_entropy"))["c"]
    point = Point({"target": np.zeros(1, dtype=np.int64)}, {"ignore_index": 2})
    assert found.holders == {"target"}
    assert found.free(point.options, 4) == [1, 3]


FAULTS: Mapping[str, tuple[str, str]] = {
    "mse_mean_of_blocks": ("mse", "permuted positions"),
    "mse_whole_blocks": ("mse", "permuted positions"),
    "mse_weighted_by_place": ("mse", "permuted positions"),
    "table_ends": ("mse", "permuted positions"),
    "dice_first_pixels": ("dice", "permuted positions"),
    "info_nce_within_blocks": ("info_nce", "permuted positions"),
    "cross_entropy_ignored_by_block": ("cross_entropy", "permuted positions"),
    "cross_entropy_first_classes": ("cross_entropy", "permuted classes"),
    "mse_capped_divisor": ("mse", "split batch"),
    "mse_hardest": ("mse", "split batch"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_long_tensors_are_found_by_no_other_check(name: str) -> None:
    formula, check = FAULTS[name]
    code = f"tests.verify.large:{name}"
    report = lossgen.verify(code, formula, skip=COSTLY)
    assert report.verdict == "does not hold", report
    assert [c.name for c in report.checks if c.status == "fails"] == [check]
    skip = (*COSTLY, "permuted positions", "permuted classes", "split batch")
    assert lossgen.verify(code, formula, skip=skip).holds
    if name == "table_ends":
        return
    scope: dict[str, Any] = {}
    exec(compile(saved(report), "saved.py", "exec"), scope)
    (test,) = [found for key, found in scope.items() if key.startswith("test_")]
    with pytest.raises(AssertionError):
        test()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mse_in_blocks", "mse"),
        ("cross_entropy_in_blocks", "cross_entropy"),
        ("info_nce_in_blocks", "info_nce"),
    ],
)
def test_what_works_in_blocks_and_adds_up_holds(name: str, formula: str) -> None:
    report = lossgen.verify(getattr(large, name), formula, skip=COSTLY)
    assert report.holds, report
    rows = {c.name: c.status for c in report.checks}
    assert rows["permuted positions"] == "holds"
    assert rows["split batch"] == ("skipped" if formula == "info_nce" else "holds")


def test_the_smallest_length_that_shows_it_is_found() -> None:
    example = lossgen.verify(large.mse_whole_blocks, "mse", skip=COSTLY).counterexample
    assert example is not None
    assert example.tensors["target"] == [[0.0]] * large.BLOCK + [[1.0]]
