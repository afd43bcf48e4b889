"""What the first pass leaves in the memory of the gradient for the second keeps its digits."""

from __future__ import annotations

import pytest
import torch

from tests.native.kernels import functional, load, only_kernels
from tests.native.maths import COMPILER

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_confident_probability_keeps_what_it_lacks_of_one(dtype: torch.dtype) -> None:
    input = torch.tensor([[[40.0, 30.0, -30.0, 1.0, -80.0]]], dtype=dtype, requires_grad=True)
    target = torch.tensor([[[1.0, 0.0, 1.0, 1.0, 0.0]]], dtype=dtype)
    with only_kernels(load("dice")):
        loss = functional("dice")(input, target, smooth=1.0)
        (found,) = torch.autograd.grad(loss, input)
    x, t = input.detach().double(), target.double()
    p, rest = torch.sigmoid(x), torch.sigmoid(-x)
    mass = p.sum() + t.sum() + 1
    slope = (2 * (p * t).sum() + 1) / mass**2 - 2 * t / mass
    close = 1e-2 if dtype is torch.bfloat16 else 1e-6
    torch.testing.assert_close(found.double(), slope * p * rest, rtol=close, atol=0)


@pytest.mark.parametrize("name", ["dice", "tversky"])
def test_a_gradient_is_the_same_whether_another_is_wanted(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    input = torch.randn(2, 5, 300, generator=generator)
    target = torch.rand(2, 5, 300, generator=generator)
    wanted = []
    for needs in ((True, True), (False, True), (True, False)):
        leaves = [
            x.clone().requires_grad_(need) for x, need in zip((input, target), needs, strict=True)
        ]
        with only_kernels(load(name)):
            functional(name)(*leaves).backward()
        wanted.append([x.grad for x in leaves])
    both, last, first = wanted
    torch.testing.assert_close(last[1], both[1], rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(first[0], both[0], rtol=0, atol=0)
