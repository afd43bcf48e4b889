"""Upstream gradients, second backwards, second derivatives and transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hvp
from torch.func import grad, jvp, vmap

from tests.compile.made import Compiled

pytestmark = pytest.mark.usefixtures("graphs")


@pytest.fixture(params=["mean", "none"])
def pair(request: pytest.FixtureRequest) -> tuple[Compiled, Callable[..., Tensor]]:
    """A loss, and its eager twin; the gradients come with the value, or after it."""
    loss = Compiled("dice")

    def ours(x: Tensor) -> Tensor:
        return loss.functional(x, loss.drawn.tensors["target"], reduction=request.param)

    def theirs(x: Tensor) -> Tensor:
        return loss.drawn.functional(x, loss.drawn.tensors["target"], reduction=request.param)

    loss.ours, loss.theirs = ours, theirs  # type: ignore[attr-defined]
    return loss, ours


def scores(loss: Compiled) -> Tensor:
    return loss.drawn.tensors["input"].clone().requires_grad_()


def test_upstream_gradients(pair: Any) -> None:
    """Whatever came before, the gradient is the upstream one times that of 1."""
    loss, ours = pair
    x = scores(loss)
    y = loss.theirs(x)
    (unit,) = torch.autograd.grad(y, x, torch.ones_like(y))
    for scale in (1.0, 0.5, 0.5, 1.0, -3.0, 0.0, 1e30, 1e-30, 65536.0, 1.0):
        value = ours(x)
        (found,) = torch.autograd.grad(value, x, torch.full_like(value, scale))
        torch.testing.assert_close(found, scale * unit, rtol=1e-12, atol=0)
    value = ours(x)
    (found,) = torch.autograd.grad(value, x, torch.full_like(value, torch.nan))
    assert found.isnan().all()
    value = ours(x)
    (found,) = torch.autograd.grad(value, x, torch.ones_like(value))
    torch.testing.assert_close(found, unit, rtol=1e-12, atol=0)
    loss.check_compiled()


def test_loss_scaling_in_half_precision() -> None:
    """A gradient that is too small for float16 is not first rounded to 0 and then scaled up."""
    loss = Compiled("mse")
    x = torch.full((4096,), 1e-3, dtype=torch.float16, requires_grad=True)
    for _ in range(2):
        value = loss.functional(x, torch.zeros_like(x))
        (found,) = torch.autograd.grad(value, x, torch.full_like(value, 8192.0))
        torch.testing.assert_close(found, torch.full_like(x, 2 * 1e-3 / 4096 * 8192))


def test_accumulation(pair: Any) -> None:
    """What a leaf accumulates into is its own, also when the graph is kept."""
    loss, ours = pair
    x, twin = scores(loss), scores(loss)
    value, expected = ours(x), loss.theirs(twin)
    for scale in (0.5, 1.0, 2.0):
        value.backward(torch.full_like(value, scale), retain_graph=True)
        expected.backward(torch.full_like(expected, scale), retain_graph=True)
        torch.testing.assert_close(x.grad, twin.grad)


def test_changed_inputs_are_noticed(pair: Any) -> None:
    loss, ours = pair
    leaf = scores(loss)
    x = leaf * 1
    value = ours(x)
    with torch.no_grad():
        x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_second_derivatives(pair: Any) -> None:
    loss, ours = pair
    x = loss.drawn.tensors["input"]
    along = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape)
    torch.testing.assert_close(
        hvp(lambda v: ours(v).sum(), x, along), hvp(lambda v: loss.theirs(v).sum(), x, along)
    )
    # Through the upstream gradient as well.
    results = []
    for function in (ours, loss.theirs):
        leaf, weight = scores(loss), torch.tensor(0.7, dtype=x.dtype, requires_grad=True)
        (first,) = torch.autograd.grad((weight * function(leaf)).sum(), leaf, create_graph=True)
        results.append(torch.autograd.grad((first * along).sum(), (leaf, weight)))
    torch.testing.assert_close(*results)
    loss.check_compiled()


def test_batched_gradients(pair: Any) -> None:
    """As `torch.autograd.functional.jacobian(vectorize=True)` asks for them."""
    loss, ours = pair
    results = []
    for function in (ours, loss.theirs):
        leaf = scores(loss)
        value = function(leaf)
        batch = torch.stack([torch.full_like(value, s) for s in (1.0, 0.5, -2.0)])
        results.append(torch.autograd.grad(value, leaf, batch, is_grads_batched=True))
    torch.testing.assert_close(*results)
    loss.check_compiled()


def test_transforms(pair: Any) -> None:
    loss, ours = pair
    x = loss.drawn.tensors["input"]
    many = torch.stack([x, 2 * x])
    for transformed in (
        lambda f: grad(lambda v: f(v).sum())(x),
        lambda f: vmap(f)(many),
        lambda f: vmap(grad(lambda v: f(v).sum()))(many),
        lambda f: jvp(f, (x,), (torch.ones_like(x),)),
        lambda f: torch.autograd.functional.jvp(f, x, torch.ones_like(x)),
    ):
        torch.testing.assert_close(transformed(ours), transformed(loss.theirs))


def test_forward_mode(pair: Any) -> None:
    loss, ours = pair
    x = loss.drawn.tensors["input"]
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        found = forward_ad.unpack_dual(ours(dual))
        wanted = forward_ad.unpack_dual(loss.theirs(dual))
    torch.testing.assert_close((found.primal, found.tangent), (wanted.primal, wanted.tangent))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(pair: Any, mode: Any) -> None:
    loss, ours = pair
    with mode():
        value = ours(scores(loss))
    assert not value.requires_grad
    torch.testing.assert_close(value, loss.theirs(scores(loss)).detach())
    loss.check_compiled()


def test_no_gradient_of_constants(pair: Any) -> None:
    loss, ours = pair
    assert not ours(loss.drawn.tensors["input"]).requires_grad
