"""The softplus of both signs of a score: one exponential, and the slopes of either, at 0 too."""

from __future__ import annotations

from pathlib import Path

import mpmath
import pytest
import torch
from torch.func import grad, jacfwd, jacrev

from lossgen.pipeline import render_losses
from lossgen.spec import read_spec
from tests.machinery.importing import imported

TEXT = '''from lossgen.language import *

@loss()
def both_signs(x: Logits[n], y: Probabilities[n]):
    """Both signs of a score."""
    return y[n]*softplus(-x[n])**2 + (1 - y[n])*softplus(x[n])
'''
SCORES = [-800.0, -90.0, -1.0, -1e-9, -0.0, 0.0, 1e-9, 1.0, 40.0, 90.0, 800.0]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    (rendered,) = render_losses([read_spec(TEXT, "both_signs", "specs/both_signs.py")])
    path: Path = tmp_path_factory.mktemp("softplus") / "both_signs.py"
    path.write_text(rendered.module, encoding="utf-8")
    forward = rendered.module.partition("torch.autograd.Function")[2].partition("def backward")[0]
    assert forward.count("_softplus_tail(") == 1
    assert "F.softplus(" not in forward
    return imported("both_signs", path)


@pytest.mark.parametrize("label", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("score", SCORES)
def test_value_and_two_derivatives(module, score: float, label: float) -> None:  # type: ignore[no-untyped-def]
    x = torch.tensor([score], dtype=torch.float64)
    y = torch.tensor([label], dtype=torch.float64)

    def loss(x: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = module.both_signs_loss(x, y, reduction="sum")
        return value

    with mpmath.workdps(400):  # softplus(-800) is 0 beside softplus(800) with fewer

        def exact(s: mpmath.mpf) -> mpmath.mpf:
            down, up = (mpmath.log1p(mpmath.exp(k * s)) for k in (-1, 1))
            return label * down**2 + (1 - label) * up

        expected = [float(mpmath.diff(exact, score, k)) for k in range(3)]
    for value, right in (
        (loss(x), expected[0]),
        (grad(loss)(x), expected[1]),
        (jacfwd(loss)(x), expected[1]),
    ):
        assert value.item() == pytest.approx(right, rel=4e-15, abs=1e-300)
    # torch differentiates its sigmoid as p*(1 - p), whose second factor is rounded at 1.
    for value in (jacfwd(jacrev(loss))(x), jacrev(jacrev(loss))(x)):
        assert value.item() == pytest.approx(expected[2], rel=4e-15, abs=1e-16)
