"""Losses that are finite where a part of them is not: their values and slopes there are finite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import render_losses
from tests.compiler.catalogue import spec_of
from tests.machinery.importing import imported

LOSSES = {
    "min_snr": ("snr = a[e] / (1 - a[e]); Min(snr, 5) / snr", "a: Probabilities[e]"),
    "min_snr_of_velocity": (
        "snr = a[e]**2 / (1 - a[e]**2); Min(snr, 5) / (snr + 1)",
        "a: Probabilities[e]",
    ),
    "log_odds": (
        "odds = a[e] - log1p(-exp(a[e])); other = b[e] - log1p(-exp(b[e]));"
        "-log_sigmoid(odds - other)",
        "a: LogProbabilities[e], b: LogProbabilities[e]",
    ),
    "zero_inflated": ("softplus(a[e] + b[e]) - softplus(a[e])", "a: Real[e], b: Real[e]"),
}
Form = Callable[..., Tensor]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    folder: Path = tmp_path_factory.mktemp("limited")
    specs = [spec_of(body, arguments, name) for name, (body, arguments) in LOSSES.items()]
    found = {}
    for rendered, name in zip(render_losses(specs), LOSSES, strict=True):
        path = folder / f"{name}.py"
        path.write_text(rendered.module, encoding="utf-8")
        found[name] = imported(f"limited_{name}", path)
    return found


@pytest.fixture(params=["function", "functional"])
def form(request: pytest.FixtureRequest, modules: dict[str, ModuleType]) -> Callable[[str], Form]:
    ending = "" if request.param == "function" else "_loss"
    return lambda name: getattr(modules[name], name + ending)


def derivatives(loss: Form, *numbers: float, dtype: torch.dtype) -> tuple[list[float], list[float]]:
    """The value and the gradients, and the second derivatives of the gradients' sum."""
    leaves = [torch.tensor([x], dtype=dtype, requires_grad=True) for x in numbers]
    value = loss(*leaves).sum()
    first = torch.autograd.grad(value, leaves, create_graph=True)
    second = torch.autograd.grad(sum(x.sum() for x in first), leaves, allow_unused=True)
    return [value.item(), *(x.item() for x in first)], [
        0.0 if x is None else x.item() for x in second
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_by_a_ratio_that_is_infinite(
    form: Callable[[str], Form], dtype: torch.dtype
) -> None:
    """min(snr, 5)/snr is 1, then 5*(1 - a)/a; over snr + 1 it is min(a**2, 5*(1 - a**2))."""
    cases = {
        "min_snr": ((0.0, [1.0, 0.0], [0.0]), (1.0, [0.0, -5.0], [10.0])),
        "min_snr_of_velocity": ((0.0, [0.0, 0.0], [2.0]), (1.0, [0.0, -10.0], [-10.0])),
    }
    for name, ends in cases.items():
        for at, first, second in ends:
            assert derivatives(form(name), at, dtype=dtype) == (first, second), (name, at)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_odds_of_what_is_certain(form: Callable[[str], Form], dtype: torch.dtype) -> None:
    """Of probability 1 the log-odds are infinite, and of slope 0."""
    assert derivatives(form("log_odds"), 0.0, -1.0, dtype=dtype) == ([0.0, 0.0, 0.0], [0.0, 0.0])
    value, *slopes = derivatives(form("log_odds"), -1.0, 0.0, dtype=dtype)[0]
    # The slope of the odds against which there is nothing to be said, 1/(1 - exp(-1)).
    assert value == torch.inf
    assert slopes == pytest.approx([-1.5819767068693265, 1.0], rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_little_is_added_keeps_its_digits(
    form: Callable[[str], Form], dtype: torch.dtype
) -> None:
    """softplus(u - 10) - softplus(-10) is sigmoid(-10)*u, its slope that of the sigmoid times u."""
    sigmoid, step = 4.539786870243440e-05, 2.0**-40
    first, _ = derivatives(form("zero_inflated"), -10.0, step, dtype=dtype)
    expected = [sigmoid * step, sigmoid * (1 - sigmoid) * step, sigmoid]
    assert first == pytest.approx(expected, rel=4 * torch.finfo(dtype).eps + 1e-12)
