"""Precisions: halves compute in single precision, autocast gives float32, gradients keep dtypes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests import generated_modules
from tests.language.reading import functions, spec_text
from tests.machinery.sampling import Sample, expected, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)
each_half = pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])


def cast(drawn: Sample, dtypes: dict[str, torch.dtype]) -> dict[str, Tensor]:
    """Leaves in the given dtypes; integer and Boolean tensors as they are."""
    return {
        key: tensor.to(dtypes[key]).requires_grad_() if key in dtypes else tensor
        for key, tensor in drawn.tensors.items()
    }


def run(drawn: Sample, leaves: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    value = drawn.functional(**leaves)
    value.backward()
    grads = {key: leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}
    return value.detach(), grads


@each_half
@each_loss
def test_halves_compute_in_single_precision(name: str, half: torch.dtype) -> None:
    drawn = sample(name)
    value, grads = run(drawn, cast(drawn, dict.fromkeys(drawn.floats, half)))
    rounded = Sample(name, drawn.spec, {k: _through(t, half) for k, t in drawn.tensors.items()})
    wanted, wanted_grads = run(rounded, cast(rounded, dict.fromkeys(drawn.floats, torch.float32)))
    assert value.dtype == half
    assert torch.equal(value, wanted.to(half))
    assert grads.keys() == wanted_grads.keys()
    for key, gradient in grads.items():
        assert gradient.dtype == half
        assert torch.equal(gradient, wanted_grads[key].to(half)), key


def _through(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype).to(tensor.dtype) if tensor.is_floating_point() else tensor


@each_loss
def test_mixed_precisions_promote_and_gradients_keep_their_own(name: str) -> None:
    drawn = sample(name)
    for k, key in enumerate(drawn.floats):
        dtypes = dict.fromkeys(drawn.floats, torch.float32) | {key: torch.bfloat16}
        value, grads = run(drawn, cast(drawn, dtypes))
        assert value.dtype == (torch.float32 if len(drawn.floats) > 1 else torch.bfloat16)
        for other, gradient in grads.items():
            assert gradient.dtype == dtypes[other], (k, other)


@each_half
@each_loss
def test_autocast_gives_float32(name: str, half: torch.dtype) -> None:
    drawn = sample(name)
    for dtypes in (
        dict.fromkeys(drawn.floats, half),
        dict.fromkeys(drawn.floats, torch.float32),
    ):
        leaves = cast(drawn, dtypes)
        with torch.autocast("cpu", dtype=half):
            value = drawn.functional(**leaves)
        value.backward()
        assert value.dtype == torch.float32
        for key, leaf in leaves.items():
            assert leaf.grad is None or leaf.grad.dtype == dtypes[key]
        if dtypes[drawn.floats[0]] == torch.float32:
            torch.testing.assert_close(value.double(), expected(drawn)[0], rtol=2e-5, atol=2e-6)


@each_loss
def test_gradient_scaler(name: str) -> None:
    drawn = sample(name)
    leaves = [drawn.leaves()[key].detach().float().requires_grad_() for key in drawn.floats]
    optimizer = torch.optim.SGD(leaves, lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    values = dict(zip(drawn.floats, leaves, strict=True))
    scaler.scale(drawn.functional(**{**drawn.tensors, **values})).backward()
    scaler.unscale_(optimizer)
    for leaf, wanted in zip(leaves, expected(drawn)[1], strict=True):
        grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        torch.testing.assert_close(grad.double(), wanted, rtol=2e-4, atol=2e-6)
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**12  # no overflow was seen


def test_a_lone_target_is_floating_point() -> None:
    made = functions(spec_text("return target[e] ** 2", "target: Real[e]"))["tried_loss"]
    with pytest.raises(TypeError, match="target must be floating point"):
        made(torch.tensor([1, 2]))
