"""People's own losses in C, which have what the catalogue has not: kernels beside plain torch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lossgen.pipeline import source
from tests.machinery.importing import imported
from tests.native.kernels import only_kernels, without_kernels
from tests.oracle.loading import written

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler"
)
LOSSES = {
    # Statistics of a row and sums of them, which both want the name `sum_mx`.
    "similarity": (
        "x: Real[n, s], y: Real[n, s]",
        "mx, my = Mean(x[n, s], s), Mean(y[n, s], s)\n"
        "    vx, vy = Mean((x[n, s] - mx)**2, s), Mean((y[n, s] - my)**2, s)\n"
        "    both = Mean((x[n, s] - mx)*(y[n, s] - my), s)\n"
        "    top = (2*mx*my + 0.01)*(2*both + 0.03)\n"
        "    return 1 - top/((mx**2 + my**2 + 0.01)*(vx + vy + 0.03))",
    ),
    # A slope that only a word of one's own formulas has.
    "dirichlet": (
        "x: Positive[n, c], y: Positive[n, c]",
        "return Sum(y[n, c]*(digamma(Sum(x[n, c], c)) - digamma(x[n, c])), c)",
    ),
    # Quotients of whole numbers, which in C are whole.
    "positions": (
        "x: Real[n, c], y: Real[n, c]",
        "part = Sum(c/3, c, where=y[n, c] > 0.5)\n"
        "    return Sum(x[n, c]*log(2 + c), c) + part + Sum(c/(c + 1)*x[n, c], c)",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_kernels_are_the_plain_form(name: str, tmp_path: Path) -> None:
    arguments, body = LOSSES[name]
    spec = written(f'@loss()\ndef {name}({arguments}):\n    "A loss."\n    {body}\n', name)
    made = source(spec, (), "c")
    assert made.kernels is not None
    path = tmp_path / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported(f"own_{name}", path)
    draw = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 4, 40, generator=draw, dtype=torch.float64) + 0.1
    found = []
    for context in (only_kernels, without_kernels):
        leaf = x.clone().requires_grad_()
        with context(module):
            value = getattr(module, spec.functional_name)(leaf, y)
            found.append((value.detach(), *torch.autograd.grad(value, leaf)))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)
