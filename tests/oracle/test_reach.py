"""How far the samples of a generated test reach: lengths, thresholds, powers."""

from __future__ import annotations

import pytest

from lossgen.spec import LossSpec
from lossgen.testcases import cases
from lossgen.testoptions import alternatives
from lossgen.testsamples import samples
from tests.oracle.loading import shipped, written


def rows(body: str, options: str = "") -> LossSpec:
    """A loss of two tensors of rows."""
    head = f"@loss()\ndef rows(a: Embedding[n, d], b: Embedding[n, d]{options}):\n"
    return written(f'{head}    "Doc."\n    return {body}\n', "rows")


def manners(spec: LossSpec) -> set[str]:
    return {row.manner for row in cases(spec)}


@pytest.mark.parametrize(
    ("body", "tried"),
    [
        ("Sum(a[n, d] / norm(a[n, d], d) * b[n, d], d)", {"a"}),
        ("Max(0, norm(a[n, d] - b[n, d], d) - 1)", {"a", "b"}),
        # A product of two lengths overflows where the quotient does not.
        ("Sum(a[n, d] * b[n, d], d) / (norm(a[n, d], d) * norm(b[n, d], d))", set()),
        ("exp(norm(a[n, d], d)) + Sum(b[n, d], d)", set()),
        ("Sum(a[n, d] - b[n, d], d)", set()),
    ],
)
def test_lengths_beyond_the_range_of_squares(body: str, tried: set[str]) -> None:
    spec = rows(body)
    found = {row.name for row in samples(spec) if row.measured} if manners(spec) >= {"long"} else {}
    assert set(found) == tried


def test_a_norm_that_an_option_turns_off_is_not_tried() -> None:
    body = "where(flat, Sum(a[n, d] - b[n, d], d), norm(a[n, d] - b[n, d], d))"
    found = [row for row in cases(rows(body, ", *, flat: Flag = False")) if row.manner == "long"]
    assert found
    assert not any(row.options.get("flat") for row in found)


def test_both_sides_of_a_threshold() -> None:
    extremes = samples(shipped("binary_cross_entropy"))[0].extremes
    assert sum(0.7e-12 < p * (1 - p) < 1e-12 for p in extremes) == 1
    assert sum(1e-12 < p * (1 - p) < 1.4e-12 for p in extremes) == 1
    text = '@loss()\ndef far(input: Real[e]):\n    "Doc."\n    return where(input[e] > 500, 0, 1)\n'
    extremes = samples(written(text, "far"))[0].extremes
    assert {round(x / 500, 1) for x in extremes if x > 100} == {0.8, 1.3}


def test_powers_on_either_side_of_one() -> None:
    tried = alternatives(shipped("focal_tversky"))["gamma"]
    assert any(1 / x < 1 for x in tried)
    assert any(1 / x > 1 for x in tried)
    assert any(0 < x < 1 for x in alternatives(shipped("sigmoid_focal"))["gamma"])
