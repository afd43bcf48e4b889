"""An element that a mask leaves out takes no part, however large its exponential is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lossgen.pipeline import module_source
from tests.compiler.catalogue import spec_of

ARGUMENTS = "x: Real[n, c], y: Real[n, c], kept: Mask[n, c]"
ALONE = "x: Real[n, c], kept: Mask[n, c]"
SPELLINGS = {
    "in place": "Sum(exp(x[n, c] - y[n, c]) * y[n, c], c, where=kept[n, c])",
    "less its argument": "Sum(exp(x[n, c]) - x[n, c] - y[n, c], c, where=kept[n, c])",
    "a mean": "Mean(x[n, c] * exp(y[n, c]), c, where=kept[n, c], empty=0)",
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("style", ["function_name", "functional_name"])
def test_what_is_left_out_has_slope_zero(body: str, style: str) -> None:
    loss = spec_of(body, ARGUMENTS)
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    kept = torch.tensor([[True, False, True]])
    found = []
    for far in (0.5, 1000.0):
        inputs = [torch.tensor([[0.25, far, -1.0]]).requires_grad_() for _ in range(2)]
        if "x[n, c] - y" in body:
            inputs[1] = torch.tensor([[0.5, -far, 2.0]]).requires_grad_()
        value = namespace[getattr(loss, style)](*inputs, kept)
        slopes = torch.autograd.grad(value, inputs, create_graph=True)
        total = torch.stack([s.square().sum() for s in slopes]).sum()
        second = torch.autograd.grad(total, inputs, materialize_grads=True)
        found.append((value, *slopes, *second))
    for near, far in zip(*found, strict=True):
        torch.testing.assert_close(far, near, rtol=0, atol=0)
    assert all(x[0, 1] == 0 for x in found[1][1:])


def test_what_cannot_overflow_is_not_masked_twice() -> None:
    text = module_source(spec_of("Sum(exp(-abs(x[n, c])), c, where=kept[n, c])", ALONE))
    assert "torch.where(kept, -" not in text
