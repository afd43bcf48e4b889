"""Counts, labels and positions in arithmetic: torch would make them float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import module_source
from tests.compiler.catalogue import spec_of

X = torch.tensor([[0.25, -1.5, 0.75], [-0.5, -2.0, -0.125]], dtype=torch.float64)
Y = torch.tensor([2, 0])
PLACE = torch.arange(3.0, dtype=torch.float64)
MANY = torch.tensor([2.0, 0.0], dtype=torch.float64)
RANK = torch.tensor([[2.0, 3.0, 1.0], [2.0, 3.0, 1.0]], dtype=torch.float64)
MANY_TEXT = "Count(x[n, c] > 0, c)"
SPELLINGS = {
    "at(2*x[n, c], c=Min(y[n] + 1, size(c) - 1))": 2 * torch.stack([X[0, 2], X[1, 1]]),
    "Sum(x[n, c]/log(2 + c), c)": (X / torch.log(2 + PLACE)).sum(1),
    "Sum((c + 1)/size(c)*x[n, c], c)": ((PLACE + 1) / 3 * X).sum(1),
    "Sum(c/3, c, where=c <= y[n]) + x[n, 0]": torch.tensor([1.0, 0.0]).double() + X[:, 0],
    "Sum(exp(-0.3*Abs(c - y[n]))*x[n, c], c)": (
        torch.exp(-0.3 * (PLACE - Y[:, None]).abs()) * X
    ).sum(1),
    "x[n, 0]*sqrt(y[n] + 1)": X[:, 0] * torch.sqrt(Y.double() + 1),
    f"x[n, 0]/(1 + {MANY_TEXT})**0.3 + 0.9**{MANY_TEXT}": X[:, 0] / (1 + MANY) ** 0.3 + 0.9**MANY,
    f"clip({MANY_TEXT}, 0.3, 1.7) + x[n, 0]": MANY.clamp(0.3, 1.7) + X[:, 0],
    "Sum(x[n, c]/stop_gradient(log(2 + Count(x[n, j] > x[n, c], j))), c)": (
        X / torch.log(1 + RANK)
    ).sum(1),
}


@pytest.mark.parametrize("body", SPELLINGS)
@pytest.mark.parametrize("style", ["function_name", "functional_name"])
def test_no_digits_are_lost(body: str, style: str) -> None:
    loss = spec_of(body, "x: Real[n, c], y: ClassIndex[n]" if "y[n]" in body else "x: Real[n, c]")
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    arguments = (X.clone().requires_grad_(), *([Y] if "y[n]" in body else []))
    value: Tensor = namespace[getattr(loss, style)](*arguments)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, SPELLINGS[body].mean(), rtol=1e-15, atol=1e-15)
    value.backward()


def test_a_choice_that_is_printed_as_a_number_is_not_cast_again() -> None:
    body = "t = where(c == y[n], 1, 0); Sum((0.9*t + 0.1*(1 - t))*x[n, c], c)"
    text = module_source(spec_of(body, "x: Real[n, c], y: ClassIndex[n]"))
    assert "(t.to(" not in text
    assert "t.to(x.dtype)" not in text
