"""A place that is there only where a condition holds is not read elsewhere, however it is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lossgen.pipeline import module_source
from tests.compiler.catalogue import spec_of

ARGUMENTS = "x: Logits[n, c], label: ClassIndex[n], *, ignore_index: Integer = -100"
SPELLINGS = {
    "in place": "where(label[n] != ignore_index, x[n, label[n]]**2, 0)",
    "a name": "chosen = x[n, label[n]]; return where(label[n] != ignore_index, chosen**2, 0)",
    "names of names": (
        "p = softmax(x[n, c], c); chosen = at(p, c=label[n]); kept = label[n] != ignore_index; "
        "gap = 1 - chosen; return where(kept, gap + 2*chosen, 0)"
    ),
    "turned round": (
        "loss_at = -at(log_softmax(x[n, c], c), c=label[n]); "
        "return where(label[n] == ignore_index, 0, loss_at)"
    ),
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("style", ["function_name", "functional_name"])
def test_what_is_ignored_is_not_read(body: str, style: str) -> None:
    loss = spec_of(body, ARGUMENTS)
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    function = namespace[getattr(loss, style)]
    x = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -3.0]], dtype=torch.float64).requires_grad_()
    found = []
    for rows, label in ((slice(2), [1, -100]), (slice(1), [1])):
        value = function(x[rows], torch.tensor(label)).sum() * len(label)
        found.append((value, torch.autograd.grad(value, x)[0]))
    (value, slope), (alone, slope_alone) = found
    assert value == alone
    assert torch.equal(slope, slope_alone)
    assert not slope[1].any()
