"""What a kernel needs beside its inputs: the gradient, and nothing that grows with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lossgen.bench.memory import kept, peak
from tests.native.kernels import functional, load, only_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
SLACK = 1 << 12  # the loss itself, and what a call's few numbers take

CASES: dict[str, Callable[[], tuple[Tensor, ...]]] = {
    "mse": lambda: (torch.randn(1 << 20), torch.randn(1 << 20)),
    "cross_entropy": lambda: (torch.randn(4, 8, 1 << 15), torch.randint(0, 8, (4, 1 << 15))),
    "dice": lambda: (torch.randn(4, 8, 1 << 15), torch.rand(4, 8, 1 << 15)),
    "triplet_margin": lambda: tuple(torch.randn(1 << 14, 64) for _ in range(3)),
}


@pytest.mark.parametrize("upstream", [1.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_all(name: str, upstream: float) -> None:
    lead, *rest = CASES[name]()
    lead.requires_grad_()

    def step() -> None:
        lead.grad = None
        torch.autograd.backward(functional(name)(lead, *rest), torch.tensor(upstream))

    with only_kernels(load(name)):
        step()
        most = peak(step, {"input": lead}, "cpu")
    assert lead.nbytes <= most <= lead.nbytes + SLACK


@pytest.mark.parametrize("name", CASES)
def test_an_unreduced_loss_keeps_its_inputs_alone(name: str) -> None:
    lead, *rest = CASES[name]()
    lead.requires_grad_()
    given = {str(k): x for k, x in enumerate((lead, *rest))}

    def form(**tensors: Tensor) -> Tensor:
        return functional(name)(*tensors.values(), reduction="none")

    with only_kernels(load(name)):
        assert kept(form, given) == 0


LARGE = {"mse": (9_000_001,), "cross_entropy": (2, 19, 300, 800), "softmax_focal": (500_000, 17)}


@pytest.mark.parametrize("name", LARGE)
def test_large_gradients_are_those_of_their_parts(name: str) -> None:
    """New memory for them is asked of the system by the kernel."""
    shape = LARGE[name]
    lead = torch.randn(shape)
    places = (shape[0], *shape[2:])
    target = torch.randn(shape) if len(shape) == 1 else torch.randint(0, shape[1], places)
    half = shape[0] // 2

    def gradient(x: Tensor, y: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(functional(name)(x, y, reduction="sum"), x)
        return found

    with only_kernels(load(name)):
        whole = gradient(lead, target)
        parts = [gradient(lead[k], target[k]) for k in (slice(half), slice(half, None))]
    assert whole.nbytes > 1 << 25
    assert torch.equal(whole, torch.cat(parts))
