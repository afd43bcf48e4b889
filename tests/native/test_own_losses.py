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
    # Functions of numbers alone, and of pi.
    "numbers": (
        "x: Real[e], y: Real[e]",
        "return erf(y[e])*x[e]/sqrt(pi) + softplus(2)*tanh(pi)*y[e] + exp(-y[e]**2/2)/sqrt(2*pi)",
    ),
    # Quotients of whole numbers, which in C are whole.
    "positions": (
        "x: Real[n, c], y: Real[n, c]",
        "part = Sum(c/3, c, where=y[n, c] > 0.5)\n"
        "    return Sum(x[n, c]*log(2 + c), c) + part + Sum(c/(c + 1)*x[n, c], c)",
    ),
    # Similarities of rows among themselves, read along rows and along columns.
    "coding": (
        "x: Real[n, d]",
        "code = Sum(x[i, d]*x[j, d], d)/10\n"
        "    return Sum(at(code, j=i), i) - Sum(code*at(code, i=j, j=i), i, j)/2",
    ),
    # One condition or another, and a third.
    "either": (
        "x: Real[n, c], y: Real[n, c]",
        "inner = Sum(x[n, c]**2, c, where=(x[n, c] > 0.9 or x[n, c] < 0.3) and y[n, c] > 0.5)\n"
        "    few = Count(y[n, k] > x[n, k] or y[n, k] < 0.4, k)\n"
        "    part = Sum(where((x[n, c] > 0.9 or c < 2) and c < few, x[n, c]*y[n, c], x[n, c]), c)\n"
        "    return part + inner*few",
    ),
    # Sums over an axis that the first tensor has not.
    "binned": (
        "x: Real[e], y: Positive[k]",
        "held = 3*stop_gradient(x[e])\n"
        "    return Sum(where(held >= k and held < k + 1, 1/y[k], 0), k)*exp(x[e])",
    ),
    # A row's largest as the loss itself, complete after the loop alone.
    "largest": (
        "x: Real[n, c], y: Real[n, c]",
        "return Amax(sin(x[n, c]) + tanh(y[n, c])*x[n, c], c)",
    ),
    # Sums held constant as factors and divisors, also of options; a sigmoid of an option.
    "held": (
        "x: Real[n], y: Real[n], *, a: Positive = 0.7, b: Positive = 1.9",
        "near = a/sigmoid(b)\n"
        "    kept = where(x[n] < near, near*x[n], x[n]**2)/stop_gradient(y[n] + x[n])\n"
        "    return kept/stop_gradient(a + b) - stop_gradient(a - b)*y[n]",
    ),
    # Items that are many to a row, over which something is summed.
    "centred": (
        "x: Real[n, c], y: Real[n, c]",
        "m = Mean(x[n, c], c)\n    return averaged((x[n, c] - m)**2*y[n, c], over=y[n, c])",
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
    if name == "binned":
        y = y[0, :3]
    if name == "held":
        x, y = x.flatten(), y.flatten()
    found = []
    for context in (only_kernels, without_kernels):
        leaf = x.clone().requires_grad_()
        with context(module):
            value = getattr(module, spec.functional_name)(leaf, *[y][: len(spec.tensors) - 1])
            found.append((value.detach(), *torch.autograd.grad(value, leaf)))
            if name == "centred":
                items = getattr(module, spec.functional_name)(leaf, y, reduction="none")
                slopes = torch.autograd.grad(items, leaf, y + items.detach())
                found[-1] += (items.detach(), *slopes)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


def test_a_mask_first_gives_numbers_as_its_result(tmp_path: Path) -> None:
    text = (
        "@loss()\ndef lengths(mask: Mask[n, t], x: Real[n]):\n    'A loss.'\n"
        "    return softplus(Count(mask[n, t], t) - x[n])\n"
    )
    made = source(written(text, "lengths"), (), "c")
    assert made.kernels is not None
    path = tmp_path / "lengths.py"
    path.write_text(made.module, encoding="utf-8")
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported("own_lengths", path)
    mask, x = torch.arange(12).view(3, 4) % 3 == 0, torch.tensor([0.5, -1.0, 2.0])
    expected = torch.nn.functional.softplus(mask.sum(1) - x)
    with only_kernels(module):
        torch.testing.assert_close(module.lengths_loss(mask, x, reduction="none"), expected)
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(module.lengths_loss(mask, leaf), leaf)
    torch.testing.assert_close(slope, -torch.sigmoid(mask.sum(1) - x) / 3)


def test_a_name_that_a_loop_would_hide_has_no_kernel() -> None:
    body = "return logsumexp(Sum(x[i, d]*x[j, d], d)/c, j) - Sum(x[i, d]**2, d)/c"
    for name, kernels in (("c", False), ("tau", True)):
        text = f"@loss()\ndef own(x: Real[n, d], *, {name}: Positive = 0.5):\n    'A loss.'\n    "
        made = source(written(text + body.replace("/c", f"/{name}") + "\n", "own"), (), "c")
        assert (made.kernels is not None) is kernels
