"""Exponentials of a difference that is none unless an option gives its other side."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import source
from lossgen.spec import load_spec
from tests.machinery.importing import imported
from tests.native.kernels import only_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")

POLICY = """
from lossgen.language import Mask, Real, exp, given, loss, n, stop_gradient, where


@loss()
def {name}(x: Real[n], y: Real[n], mask: Mask[n] = None, old: Real[n] = None):
    \"\"\"The ratio of a policy to that of the start.\"\"\"
    start = where(given(old), old[n], stop_gradient(x[n]))
    return where(mask[n], exp({difference}) * y[n], 0)
"""
DIFFERENCES = {"gained": "x[n] - start", "lost": "start - x[n]"}
SIGNS = {"gained": 1, "lost": -1}


@pytest.fixture(scope="module", params=DIFFERENCES)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ModuleType, str]:
    folder, name = tmp_path_factory.mktemp("unmoved"), str(request.param)
    path = folder / f"{name}.py"
    path.write_text(POLICY.format(name=name, difference=DIFFERENCES[name]), encoding="utf-8")
    found = source(load_spec(path), (), "c")
    assert found.kernels is not None, found.note
    path = folder / f"made_{name}.py"
    path.write_text(found.module, encoding="utf-8")
    path.with_suffix(".c").write_text(found.kernels, encoding="utf-8")
    return name, imported(f"unmoved_{name}", path), found.kernels


def test_it_is_computed_where_there_is_a_start(made: tuple[str, ModuleType, str]) -> None:
    *_, text = made
    assert "GIVEN_OLD ? exp_loss : (x_here - x_here) + 1" in text


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_exponential(
    moved: bool, masked: bool, made: tuple[str, ModuleType, str]
) -> None:
    name, module, _ = made
    function: Callable[..., Tensor] = getattr(module, f"{name}_loss")
    ends = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 3e38, -3e38, 1e-45])
    x = torch.cat((torch.randn(40), ends)).requires_grad_()
    y, old = torch.randn(48), torch.randn(48) if moved else None
    mask = (torch.arange(48) % 3 > 0) if masked else None
    start = x.detach() if old is None else old
    difference = SIGNS[name] * (x - start)
    if mask is not None:
        difference = torch.where(mask, difference, 0)
    wanted = torch.exp(difference) * y
    wanted = wanted if mask is None else torch.where(mask, wanted, 0)
    with only_kernels(module):
        found = function(x, y, mask=mask, old=old, reduction="none")
        slopes = torch.autograd.grad(found.sum(), x)[0]
    torch.testing.assert_close(found, wanted, equal_nan=True)
    sane = wanted.isfinite()
    exact = torch.autograd.grad(wanted[sane].sum(), x)[0]
    torch.testing.assert_close(slopes[sane], exact[sane])
