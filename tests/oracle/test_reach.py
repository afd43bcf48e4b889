"""How far the samples of a generated test reach: lengths, thresholds, powers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossgen.spec import LossSpec
from lossgen.testcases import cases
from lossgen.testoptions import alternatives
from lossgen.testsamples import samples
from lossgen.testscores import class_dimension
from tests.oracle.loading import generated_test, shipped, written


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
    text = '@loss()\ndef far(input: Real[e]):\n    "Doc."\n    return where(input[e] > 500, 0, input[e])\n'
    extremes = samples(written(text, "far"))[0].extremes
    assert {round(x / 500, 1) for x in extremes if x > 100} == {0.8, 1.3}


def test_powers_on_either_side_of_one() -> None:
    tried = alternatives(shipped("focal_tversky"))["gamma"]
    assert any(1 / x < 1 for x in tried)
    assert any(1 / x > 1 for x in tried)
    assert any(0 < x < 1 for x in alternatives(shipped("sigmoid_focal"))["gamma"])


@pytest.mark.parametrize(
    ("item", "dimensions"),
    [
        ("Sum(softmax(a[n, c], c) * log_softmax(b[n, c], c), c)", [1, 1]),
        ("logsumexp(a[n, c] / t, c) + Sum(sigmoid(b[n, c]), c)", [1, None]),
        # Far below 0 there is no root: only scores themselves are made so, not what is made of them.
        ("logsumexp(sqrt(a[n, c]), c) + Sum(b[n, c], c)", [None, None]),
    ],
)
def test_scores_of_classes_are_told_by_their_softmax(
    item: str, dimensions: list[int | None]
) -> None:
    spec = written(
        "@loss()\ndef scored(a: Logits[n, c], b: Logits[n, c], *, t: Positive = 1.0):\n"
        f'    "Doc."\n    return {item} + t\n',
        "scored",
    )
    assert [class_dimension(spec, t) for t in spec.tensors] == dimensions


def test_one_class_leads_in_all_scores(tmp_path: Path) -> None:
    """Confident in both: a row's leading class is 0, the others lie far below; two tie once."""
    test = generated_test(shipped("distillation_jsd"), tmp_path)
    confident = [case for case in test.CASES.values() if case.manner == "confident"]
    usual = test.DEFAULTS["beta"]
    assert {0.0, usual, 1.0} <= {case.options.get("beta", usual) for case in confident}
    for case in confident:
        student, teacher = (test.sampled(case, 0)[k] for k in ("student", "teacher"))
        leads = [scores == 0 for scores in (student, teacher)]
        assert [sorted(x.sum(-1).tolist()) for x in leads] == [[1] * (len(student) - 1) + [2]] * 2
        assert (leads[0] & leads[1]).any(-1).all()
        assert (leads[0] & leads[1]).any(0).all()
        assert not leads[0].equal(leads[1])
        assert all(
            (x[~lead] < -16).all() for x, lead in zip((student, teacher), leads, strict=True)
        )


def test_a_logarithm_of_a_sum_with_an_option_comes_near_0() -> None:
    spec = shipped("poisson_nll")
    near = [row for row in cases(spec) if row.options.get("eps") == 1.0]
    flags = {(row.options["log_input"], row.options["full"]) for row in near}
    assert flags == {(a, b) for a in (False, True) for b in (False, True)}
    assert {row.manner for row in near} == {"extreme"}
    lost = [x for x in samples(spec)[0].extremes if x and 1 + abs(x) < 1 + 2.0**-24]
    assert any(x > 0 for x in lost)
    assert any(x < 0 for x in lost)
