"""Choices of elements as gates: the value and slopes of ``torch.where``, at ties as elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import render_losses
from lossgen.spec import read_spec
from tests.machinery.importing import imported

# Formulas in the language, and by torch.where; the gates that the first is to have.
CHOICES: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor], set[str]]] = {
    "above": (
        "where(x[e] > y[e], x[e]*y[e], exp(x[e]))",
        lambda x, y: torch.where(x > y, x * y, x.exp()),
        {"_chosen(", "_positive("},
    ),
    "at_least": (
        "where(x[e] >= y[e], x[e]**2*y[e], 3)",
        lambda x, y: torch.where(x >= y, x.square() * y, 3),
        {"_chosen(", "_not_negative("},
    ),
    "below": (
        "where(x[e] < 1, 2, x[e]*y[e])",
        lambda x, y: torch.where(x < 1, 2, x * y),
        {"_chosen(", "_not_negative("},
    ),
    "unlike": (
        "where(y[e] != 1 and x[e] > 0, x[e]*y[e], 0)",
        lambda x, y: torch.where((y != 1) & (x > 0), x * y, 0),
        set(),  # a mask that the backward reads again is kept as one
    ),
    "largest": (
        "Max(x[e], 2*y[e], tie=0)",
        lambda x, y: torch.where(x > 2 * y, x, 2 * y),
        {"_chosen(", "_positive("},
    ),
    "overflowing": (
        "where(x[e] > 0, y[e], exp(-1000*x[e]) * x[e])",
        lambda x, y: torch.where(x > 0, y, (-1000 * x.clamp(max=0)).exp() * x),
        {"_positive("},
    ),
}
# Every pair, so that each comparison meets both sides and the tie.
GRID = torch.tensor([-2.0, -0.5, 0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
PAIRS = torch.cartesian_prod(GRID, GRID)


@pytest.mark.parametrize("name", CHOICES)
def test_the_same_as_where(name: str, tmp_path: Path) -> None:
    body, where, gates = CHOICES[name]
    spec = read_spec(
        "from lossgen.language import *\n\n@loss()\n"
        f'def {name}(x: Real[e], y: Real[e]):\n    """A choice."""\n    return {body}\n',
        name,
        f"specs/{name}.py",
    )
    (rendered,) = render_losses([spec])
    path = tmp_path / f"{name}.py"
    path.write_text(rendered.module, encoding="utf-8")
    function = getattr(imported(f"gates_{name}", path), f"{name}_loss")
    assert {gate for gate in gates if rendered.module.count(gate) < 2} == set()

    x, y = PAIRS.T
    points = x.clone().requires_grad_(), y.clone().requires_grad_()
    found, exact = function(*points, reduction="none"), where(*points)
    assert torch.equal(found.detach().nan_to_num(7.0), exact.detach().nan_to_num(7.0))
    finite = exact.isfinite()
    ours = torch.autograd.grad(found.sum(), points, allow_unused=True)
    theirs = torch.autograd.grad(exact[finite].sum(), points, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a[finite], b[finite], rtol=1e-14, atol=0)
