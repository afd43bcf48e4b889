"""A sum up to a position, or from it on, is a cumulative sum and no table of all pairs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import module_source
from tests.compiler.catalogue import spec_of


def up_to(x: Tensor, dim: int) -> Tensor:
    return x.cumsum(dim)


def from_here(x: Tensor, dim: int) -> Tensor:
    return x.flip(dim).cumsum(dim).flip(dim)


def before(x: Tensor, dim: int) -> Tensor:
    return x.cumsum(dim) - x


WRITTEN = {
    "Sum(x[n, d], d, where=d <= k) ** 2": (up_to, "n, d"),
    "Sum(x[n, d], d, where=k >= d) ** 2": (up_to, "n, d"),
    "Sum(exp(x[n, d]), d, where=d <= k) ** 2": (lambda x, dim: up_to(x.exp(), dim), "n, d"),
    "Sum(x[n, d], d, where=d >= k) ** 2": (from_here, "n, d"),
    "Sum(x[n, d], d, where=k <= d) ** 2": (from_here, "n, d"),
    "Sum(x[k, d], k, where=k <= n) ** 2": (up_to, "n, d"),
    "Sum(x[i], i, where=i <= j) ** 2": (up_to, "n"),
    "Sum(x[n, d], d, where=d < k) ** 2": (before, "n, d"),
}


def module(body: str, axes: str) -> tuple[str, dict[str, Any]]:
    text = module_source(spec_of(body, f"x: Real[{axes}]", "running"))
    namespace: dict[str, Any] = {"__name__": "running"}
    exec(text, namespace)
    return text, namespace


@pytest.mark.parametrize("body", WRITTEN)
def test_value_and_gradient_are_those_of_a_cumulative_sum(body: str) -> None:
    rule, axes = WRITTEN[body]
    text, made = module(body, axes)
    assert ("cumsum" in text) == (rule is not before)
    assert ("arange" in text) == (rule is before)
    shape = (4, 5)[: axes.count(",") + 1]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    want = rule(x, 0 if "n)" in body or axes == "n" else -1).square().mean()
    for function in (made["running"], made["running_loss"]):
        got = function(x)
        torch.testing.assert_close(got, want)
        (slope,) = torch.autograd.grad(got, x, retain_graph=True)
        torch.testing.assert_close(slope, torch.autograd.grad(want, x, retain_graph=True)[0])
    assert torch.autograd.gradgradcheck(made["running_loss"], (x,))
