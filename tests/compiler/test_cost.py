"""What the generated code costs: no array larger than it must be, no backward out of proportion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossgen.nodes import walk
from lossgen.pipeline import module_source
from lossgen.program import Program
from lossgen.spec import LossSpec
from tests.compiler.catalogue import NAMES, formulas, spec_of, written

ROWS, WIDTH = 17, 23
PAIR = "x: Embedding[n, d], y: Embedding[n, d]"
CROSS = "at(x[n, d], n=i) * at(y[n, d], n=j)"
PAIRWISE = {
    "inner products": f"Sum({CROSS}, d) ** 2",
    "a mean": f"Mean({CROSS}, d) ** 2",
    "an option in front": f"Sum(2.5 * {CROSS}, d)",
    "the factors turned round": "Sum(at(y[n, d], n=j) * at(x[n, d], n=i), d)",
    "functions of the rows": "Sum(exp(at(x[n, d], n=i)) * sigmoid(at(y[n, d], n=j)), d)",
    "three factors": f"Sum({CROSS} * at(y[n, d], n=i), d)",
    "cosines": (
        "a = x[n, d] / norm(x[n, d], d); b = y[n, d] / norm(y[n, d], d);"
        "sim = Sum(at(a, n=i) * at(b, n=j), d); logsumexp(sim, j) - at(sim, j=i)"
    ),
    "cosines in one line": (
        "Sum(at(x[n, d] / norm(x[n, d], d), n=i) * at(y[n, d] / norm(y[n, d], d), n=j), d)"
    ),
    "a sum over pairs": f"sim = Sum({CROSS}, d); Sum(sim ** 2, j, where=i != j)",
    "a covariance": (
        "a = x[n, d] - Mean(x[n, d], n); cov = Sum(at(a, d=k) * at(a, d=m), n) / size(n);"
        "Sum(cov ** 2, m, where=k != m) * Mean(y[n, d] ** 2, n, d)"
    ),
}

BILINEAR = "x: Embedding[n, d], y: Embedding[n, m], w: Real[d, m]"


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for x in tree_leaves(out):
            if isinstance(x, torch.Tensor):
                # An expanded view takes no memory of its own.
                self.numel = max(self.numel, x.untyped_storage().nbytes() // x.element_size())
        return out


def largest_array(loss: LossSpec, style: str, *tensors: torch.Tensor) -> int:
    """The largest array made by a generated loss and its backward, in elements."""
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), f"{loss.name}.py", "exec"), namespace)
    function = namespace[loss.function_name if style == "function" else loss.functional_name]
    with Largest() as largest:
        function(*tensors).backward()
    assert all(x.grad is not None and torch.isfinite(x.grad).all() for x in tensors)
    return largest.numel


def random(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("name", PAIRWISE)
@pytest.mark.parametrize("style", ["function", "functional"])
def test_pairs_of_rows_never_meet_all_at_once(name: str, style: str) -> None:
    loss = spec_of(PAIRWISE[name], PAIR, "pairwise")
    x, y = random(ROWS, WIDTH), random(ROWS, WIDTH)
    assert largest_array(loss, style, x, y) <= max(ROWS, WIDTH) ** 2


@pytest.mark.parametrize("style", ["function", "functional"])
def test_a_bilinear_form_is_two_products(style: str) -> None:
    body = "Sum(at(x[n, d], n=i) * w[d, m] * at(y[n, m], n=j), d, m)"
    loss = spec_of(body, BILINEAR, "bilinear")
    x, y, w = random(ROWS, WIDTH), random(ROWS, WIDTH + 2), random(WIDTH, WIDTH + 2)
    assert largest_array(loss, style, x, y, w) <= (WIDTH + 2) ** 2


def made(program: Program) -> int:
    return len(program.statements)


def nodes(program: Program) -> int:
    """Operations over all statements, those under switches included."""
    return sum(
        sum(1 for node in walk(expr) if node.args)
        for x in program.statements
        for expr in x.expressions()
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_is_in_proportion_to_the_forward(name: str) -> None:
    for loss in formulas(name):
        again = {x.name for x in loss.forward.statements}
        own = [x for x in loss.backward.program.statements if x.name not in again]
        assert len(own) <= 2 * made(loss.forward) + 2 * len(loss.backward.gradients)
        assert nodes(loss.backward.program) <= 8 * nodes(loss.forward) + 20


def test_a_chain_of_steps_costs_a_chain_of_steps() -> None:
    """Statement by statement: the size of the backward grows as that of the forward, not faster."""

    def size(steps: int) -> int:
        parts = ["u0 = x[n, d]"]
        parts += [f"u{k} = sigmoid(u{k - 1}) * exp(u{k - 1})" for k in range(1, steps + 1)]
        return nodes(written("; ".join([*parts, f"u{steps}"])).backward.program)

    short, long = size(4), size(12)
    assert long <= 3.2 * short
