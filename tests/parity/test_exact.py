"""The exact reference and torch agree where torch is well conditioned: neither judge is biased."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

from tests.parity import exact, scalar
from tests.parity.compare import acceptable, agree
from tests.parity.formulas import FORMULAS
from tests.parity.kinks import off_kinks
from tests.parity.losses import LOSSES, torch_outcome, upstream_of
from tests.parity.samples import accepted
from tests.parity.scalar import Exact


def test_every_loss_has_a_formula() -> None:
    assert set(FORMULAS) == set(LOSSES)


@pytest.mark.parametrize("loss", LOSSES)
def test_reference_equals_torch(loss: str) -> None:
    finite = [
        case
        for case in accepted(loss)
        if all(bool(torch.isfinite(case.tensors[key]).all()) for key in case.floats)
    ]
    for case in finite[:: max(1, len(finite) // 12)]:
        smooth = off_kinks(case)
        theirs = torch_outcome(smooth)
        for ours, value in zip(
            exact.result(smooth).reshape(-1), theirs.value.reshape(-1).tolist(), strict=True
        ):
            assert agree(float(ours.value), value), case.name
        upstream = upstream_of(theirs.value)
        for key, gradient in theirs.gradients.items():
            assert gradient is not None
            for index in range(0, gradient.numel(), max(1, gradient.numel() // 3)):
                slope = exact.derivative(smooth, key, index, upstream)
                assert not slope.kink, case.name
                assert agree(float(slope.value), gradient.reshape(-1)[index].item()), case.name


def test_maximum_marks_a_kink_only_where_slopes_differ() -> None:
    moving, still = Exact(mp.mpf(0), mp.mpf(1)), scalar.lift(0)
    assert scalar.maximum(moving, 0).kink
    assert not scalar.maximum(still, 0).kink
    assert not scalar.maximum(moving + 1, 0).kink


def test_cancellation_is_charged_to_the_terms() -> None:
    one = scalar.lift(1)
    difference = scalar.log(1 + scalar.exp(one * 20)) - one * 20
    assert 20 < difference.noise < 200


def test_judge() -> None:
    reference = Exact(mp.mpf(1), noise=mp.mpf(1))
    assert acceptable(1.0, 1.1, reference)
    assert not acceptable(1.2, 1.1, reference)
    assert acceptable(1.0, math.nan, reference)
    assert not acceptable(1.1, math.nan, reference)
    assert not acceptable(math.nan, 1.1, reference)
    assert not acceptable(1.0, 1.1, Exact(mp.mpf(1), kink=True))
    assert acceptable(1.1, 1.1 + 1e-16, Exact(mp.mpf(1), noise=mp.mpf(1), kink=True))
    assert acceptable(math.inf, math.nan, Exact(mp.inf))
    assert acceptable(0.0, math.nan, Exact(-mp.inf))
    assert not acceptable(100.0, math.inf, Exact(mp.inf))
    assert not acceptable(0.0, math.nan, Exact(mp.nan))
