"""Rows of which a mask leaves nothing add 0: to the value, to gradients, to second derivatives.

So does the second derivative in the gradient that comes in, where a masked infinity meets a 0.
"""

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

# Of scores x, numbers y and a mask m: a formula, and what it is in torch of a row's kept elements.
LOSSES: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "masked_softmax": (
        "w = where(m[n, c], exp(x[n, c]), 0); Sum(w / Sum(w, c) * y[n, c], c)",
        lambda x, y: x.softmax(0) @ y,
    ),
    "masked_list": (
        "p = exp(y[n, c]) / Sum(exp(y[n, c]), c, where=m[n, c]);"
        "q = exp(x[n, c]) / Sum(exp(x[n, c]), c, where=m[n, c]);"
        "-Sum(p * log(q), c, where=m[n, c])",
        lambda x, y: -(y.softmax(0) @ x.log_softmax(0)),
    ),
    "filled_list": (
        "p = softmax(where(m[n, c], y[n, c], -oo), c); q = where(m[n, c], x[n, c], -oo);"
        "-Sum(p * log_softmax(q, c), c, where=m[n, c])",
        lambda x, y: -(y.softmax(0) @ x.log_softmax(0)),
    ),
    "masked_logsumexp": (
        "lse = logsumexp(x[n, c], c, where=m[n, c]);"
        "Sum(y[n, c] * (lse - x[n, c]), c, where=m[n, c])",
        lambda x, y: -(y @ x.log_softmax(0)),
    ),
    "masked_gap": (
        "top = Amax(x[n, c], c, where=m[n, c]); Sum(y[n, c] * (top - x[n, c]), c, where=m[n, c])",
        lambda x, y: y @ (x.amax() - x),
    ),
    "masked_variance": (
        "mean = Mean(x[n, c], c, where=m[n, c]);"
        "Mean(y[n, c] * (x[n, c] - mean)**2, c, where=m[n, c], empty=0)",
        lambda x, y: (y * (x - x.mean()) ** 2).mean(),
    ),
    "masked_largest": (
        "where(Any(m[n, c], c), Amax(x[n, c] * y[n, c], c, where=m[n, c]), 0)",
        lambda x, y: (x * y).amax(),
    ),
    "masked_share": (
        "w = 1 + y[n, c]**2; Sum(x[n, c] * w / Sum(w, c, where=m[n, c])**2, c, where=m[n, c])",
        lambda x, y: x @ (1 + y**2) / (1 + y**2).sum() ** 2,
    ),
}
MASK = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0], [1, 1, 1, 1]]).bool()


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    folder: Path = tmp_path_factory.mktemp("empty_rows")
    arguments = "x: Real[n, c], y: Real[n, c], m: Mask[n, c]"
    specs = [spec_of(body, arguments, name) for name, (body, _) in LOSSES.items()]
    found = {}
    for rendered, name in zip(render_losses(specs), LOSSES, strict=True):
        path = folder / f"{name}.py"
        path.write_text(rendered.module, encoding="utf-8")
        found[name] = imported(f"empty_rows_{name}", path)
    return found


def derivatives(form: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
    """The value, the gradients, and the gradients of a mixture of these, the upstream's included.

    Elements that are masked out are far from what their row's softmax keeps.
    """
    generator = torch.Generator().manual_seed(3)
    x, y, *others = torch.randn(4, 4, 4, generator=generator, dtype=torch.float64)
    leaves = [torch.where(MASK, z, 800 * z).requires_grad_() for z in (x, y)]
    value = form(*leaves)
    upstream = torch.linspace(0.5, 2.0, value.numel(), dtype=torch.float64)
    upstream = upstream.reshape(value.shape).requires_grad_()
    first = torch.autograd.grad(value, leaves, upstream, create_graph=True)
    mixture = sum((a * b).sum() for a, b in zip(first, others, strict=True))
    return [value, *first, *torch.autograd.grad(mixture, [*leaves, upstream])]


@pytest.mark.parametrize("style", ["function", "functional"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_row_without_elements_adds_nothing(
    modules: dict[str, ModuleType], name: str, style: str
) -> None:
    row = LOSSES[name][1]

    def expected(x: Tensor, y: Tensor) -> Tensor:
        items = [
            row(x[n, MASK[n]], y[n, MASK[n]]) if MASK[n].any() else 0 * x[n].sum() for n in range(4)
        ]
        return torch.stack(items) if style == "functional" else torch.stack(items).mean()

    def form(x: Tensor, y: Tensor) -> Tensor:
        module, options = modules[name], {"reduction": "none"}
        if style == "functional":
            found: Tensor = getattr(module, f"{name}_loss")(x, y, MASK, **options)
        else:
            found = getattr(module, name)(x, y, MASK)
        return found

    for found, true in zip(derivatives(form), derivatives(expected), strict=True):
        torch.testing.assert_close(found, true, rtol=1e-11, atol=1e-12)
