"""What overflows in a branch that is not taken: its slopes are those of the branch that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, jacrev

from tests.compiler.catalogue import spec_of
from tests.machinery.importing import generated

# A formula, and what it is at one place, of which Python takes one branch.
LOSSES: dict[str, tuple[str, Callable[..., Any]]] = {
    "either": (
        "where(x[e] > 1 or y[e] < 0, x[e]**2 * y[e], exp(x[e]))",
        lambda x, y, m: x**2 * y if x > 1 or y < 0 else x.exp(),
    ),
    "both": (
        "where(x[e] < 1 and y[e] >= 0, exp(x[e]), x[e]**2 * y[e])",
        lambda x, y, m: x.exp() if x < 1 and y >= 0 else x**2 * y,
    ),
    "marked": (
        "where(m[e], x[e] * y[e], expm1(x[e]))",
        lambda x, y, m: x * y if m else x.expm1(),
    ),
    "compared": (
        "where(y[e] < 2, y[e]**2 * x[e], exp(-x[e]))",
        lambda x, y, m: y**2 * x if y < 2 else (-x).exp(),
    ),
    "named": (
        "a = exp(x[e] * y[e]); where(m[e], x[e], a * y[e])",
        lambda x, y, m: x if m else (x * y).exp() * y,
    ),
    "twice_named": (
        "a = exp(x[e]); b = a * y[e]; where(m[e], x[e]**2, b + b**2)",
        lambda x, y, m: x**2 if m else x.exp() * y + (x.exp() * y) ** 2,
    ),
    "tower": (
        "where(m[e], x[e] * y[e], exp(exp(x[e])) * y[e])",
        lambda x, y, m: x * y if m else x.exp().exp() * y,
    ),
    "nested": (
        "where(m[e], x[e] * y[e], where(y[e] > 0, exp(x[e]), exp(-x[e])))",
        lambda x, y, m: x * y if m else x.exp() if y > 0 else (-x).exp(),
    ),
}
# Where m is 0, both exponentials are in range.
POINTS = [
    (300.0, 1.5, 1), (-300.0, 1.5, 1), (0.5, 0.75, 1), (100.0, -1.0, 1),
    (0.5, 0.75, 0), (-1.5, 2.5, 0),
]  # fmt: skip
ORDERS: dict[str, Callable[..., Any]] = {
    "first": grad,
    "second": lambda f: jacrev(jacrev(f)),
}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    pair = "x: Real[e], y: Real[e]"
    specs = [
        spec_of(body, f"{pair}, m: Binary[e]" if "m[e]" in body else pair, name)
        for name, (body, _) in LOSSES.items()
    ]
    return generated(specs, tmp_path_factory.mktemp("untaken"), "untaken")


@pytest.mark.parametrize("style", ["function", "functional"])
@pytest.mark.parametrize("name", LOSSES)
def test_slopes_are_those_of_the_branch_taken(
    modules: dict[str, ModuleType], name: str, style: str
) -> None:
    form: Callable[..., Tensor] = getattr(modules[name], name + "_loss" * (style != "function"))
    body, taken = LOSSES[name]
    for x, y, m in POINTS:
        exact = torch.tensor([x, y], dtype=torch.float64)

        def reference(point: Tensor, m: int = m) -> Tensor:
            value: Tensor = taken(point[0], point[1], m)
            return value

        def loss(point: Tensor, m: int = m) -> Tensor:
            mask = (torch.tensor([m]),) if "m[e]" in body else ()
            return form(point[:1], point[1:], *mask)

        if not math.isfinite(reference(exact.float())):
            continue  # the branch that is taken is out of range itself
        for order, derivative in ORDERS.items():
            expected, got = derivative(reference)(exact), derivative(loss)(exact.float())
            assert got.double().numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-30), (
                f"{order} derivative at x = {x}, y = {y}, m = {m}"
            )


@pytest.mark.parametrize("part", ["log(x[n])", "1/x[n]", "x[n]**(-0.5)", "sqrt(x[n])"])
def test_a_part_that_a_sum_reads_is_safe_where_no_branch_needs_it(
    part: str, tmp_path: Path
) -> None:
    name = "reads_a_part"
    body = f"q = {part} * y[n, c]; where(x[n] > 0, Sum(q * y[n, c], c), 3)"
    specs = [spec_of(body, "x: NonNegative[n], y: Real[n, c]", name)]
    module = generated(specs, tmp_path, "untaken")[name]
    x, y = torch.tensor([0.0]), torch.tensor([[0.5, -2.0]])
    for form in (getattr(module, name), getattr(module, f"{name}_loss")):
        assert form(x, y).item() == 3
        for argnums in (0, 1):
            slope = grad(form, argnums)(x, y)
            assert not slope.any(), (form.__name__, argnums, slope)
