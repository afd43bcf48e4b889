"""Where a slope is infinite: no NaN of any order, in any form, and the value as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.func import grad, jacfwd, jacrev, jvp

from tests.compiler.catalogue import spec_of
from tests.machinery.importing import generated

PAIR, ROWS = "x: Real[e], y: Real[e]", "x: Real[n, c], y: Real[n, c]"
# A formula, its arguments, and what it is where x and y are the ends given.
LOSSES: dict[str, tuple[str, str, float, float, float]] = {
    "root_mean_square": ("sqrt(Mean((x[n, c] - y[n, c])**2, c))", ROWS, 0.3, 0.3, 0.0),
    "deviation": ("sqrt(Mean(x[n, c]**2 * y[n, c]**4, c))", ROWS, 0.0, 2.0, 0.0),
    "hellinger": ("(sqrt(x[e]) - sqrt(y[e]))**2", PAIR.replace("Real", "NonNegative"), 0, 0, 0.0),
    "root_of_sum": ("sqrt(x[e]**2 + y[e]**4)", PAIR, 0.0, 0.0, 0.0),
    "half_power": ("(x[e]**2)**0.5 * y[e]", PAIR, 0.0, 3.0, 0.0),
    "small_power": ("abs(x[e] - y[e])**p", f"{PAIR}, *, p: Positive = 0.3", 1.5, 1.5, 0.0),
    "between": ("abs(x[e] - y[e])**p", f"{PAIR}, *, p: Positive = 1.5", 1.5, 1.5, 0.0),
    "whole": ("abs(x[e] - y[e])**p", f"{PAIR}, *, p: Positive = 1", 1.5, 1.5, 0.0),
    "no_power": ("abs(x[e] - y[e])**p", f"{PAIR}, *, p: NonNegative = 0", 1.5, 1.5, 1.0),
    "underflow": ("sigmoid(x[e])**p * y[e]", f"{PAIR}, *, p: Positive = 0.5", -2000.0, 1.0, 0.0),
    "angle": ("acos(clip(x[e]*y[e], -1, 1))", PAIR, 1.0, 1.0, 0.0),
    "obtuse": ("acos(clip(x[e]*y[e], -1, 1))", PAIR, -1.0, 1.0, math.pi),
}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    specs = [spec_of(body, arguments, name) for name, (body, arguments, *_) in LOSSES.items()]
    return generated(specs, tmp_path_factory.mktemp("singular"), "singular")


@pytest.mark.parametrize("style", ["function", "functional"])
@pytest.mark.parametrize("name", LOSSES)
def test_all_slopes_are_numbers(modules: dict[str, ModuleType], name: str, style: str) -> None:
    *_, first, second, value = LOSSES[name]
    shape = (2, 3) if "[n, c]" in LOSSES[name][1] else (3,)
    x = torch.full(shape, float(first), dtype=torch.float64)
    y = torch.full(shape, float(second), dtype=torch.float64)
    form: Callable[..., Tensor] = getattr(modules[name], name + "_loss" * (style != "function"))

    def loss(x: Tensor) -> Tensor:
        return form(x, y)

    assert loss(x).item() == pytest.approx(value, abs=1e-15)
    slopes = {
        "reverse": grad(loss)(x),
        "forward": jvp(loss, (x,), (torch.ones_like(x),))[1],
        "forward over reverse": jacfwd(jacrev(loss))(x),
        "reverse over reverse": jacrev(jacrev(loss))(x),
    }
    assert [k for k, slope in slopes.items() if not slope.isfinite().all()] == []
    if name not in ("half_power", "obtuse", "angle", "underflow"):
        assert not slopes["reverse"].any()
