"""The functional forms under torch.func: forward and reverse mode, nested, batched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from tests import generated_modules
from tests.machinery.sampling import Sample, bound, close, expected, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)
each_variant = pytest.mark.parametrize("optional", [True, False])


def inputs(drawn: Sample) -> tuple[Tensor, ...]:
    return tuple(drawn.tensors[key] for key in drawn.floats)


def positions(drawn: Sample) -> tuple[int, ...]:
    return tuple(range(len(drawn.floats)))


def tangents(drawn: Sample) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in inputs(drawn))


@each_variant
@each_loss
def test_grad_and_vjp(name: str, optional: bool) -> None:
    drawn = sample(name, optional)
    call = bound(drawn, drawn.functional, drawn.floats)
    value, wanted = expected(drawn)
    close(grad(call, positions(drawn))(*inputs(drawn)), tuple(wanted))
    ours, pull = vjp(call, *inputs(drawn))
    close(ours, value)
    close(pull(torch.full_like(value, 2.0)), tuple(2 * gradient for gradient in wanted))


@each_variant
@each_loss
def test_jvp(name: str, optional: bool) -> None:
    drawn = sample(name, optional)
    along = tangents(drawn)
    value, wanted = expected(drawn)
    call = bound(drawn, drawn.functional, drawn.floats)
    slope = sum((g * v).sum() for g, v in zip(wanted, along, strict=True))
    close(jvp(call, inputs(drawn), along), (value, slope))
    # One tangent alone: the others are absent, not zero.
    first = bound(drawn, drawn.functional, drawn.floats[:1])
    close(jvp(first, inputs(drawn)[:1], along[:1])[1], (wanted[0] * along[0]).sum())


@each_loss
def test_jacobians(name: str) -> None:
    drawn = sample(name)
    call = bound(drawn, drawn.functional, drawn.floats, reduction="none")
    reverse = jacrev(call, positions(drawn))(*inputs(drawn))
    forward = jacfwd(call, positions(drawn))(*inputs(drawn))
    leaves = drawn.leaves()
    value = drawn.functional(**leaves, reduction="none")
    rows = [
        torch.autograd.grad(
            item, [leaves[key] for key in drawn.floats], retain_graph=True, materialize_grads=True
        )
        for item in value.reshape(-1)
    ]
    for k in positions(drawn):
        wanted = torch.stack([row[k] for row in rows]).reshape(reverse[k].shape)
        close(reverse[k], wanted)
        close(forward[k], wanted)


# jacfwd of jacfwd is left out: torch itself drops the second order of every custom
# autograd.Function there, without an error.
@each_variant
@each_loss
def test_hessian(name: str, optional: bool) -> None:
    drawn = sample(name, optional)
    at = positions(drawn)
    call, plain = (bound(drawn, f, drawn.floats) for f in (drawn.functional, drawn.plain))
    wanted = jacrev(jacrev(plain, at), at)(*inputs(drawn))
    close(hessian(call, at)(*inputs(drawn)), wanted)
    close(jacrev(jacrev(call, at), at)(*inputs(drawn)), wanted)


def batch(tensor: Tensor) -> Tensor:
    """Three tensors of the same role: the rows of one, in three orders."""
    if tensor.dim() == 0:
        return torch.stack([tensor, tensor, tensor])
    return torch.stack([tensor.roll(shift, 0) for shift in range(3)])


@each_loss
def test_vmap_with_one_operand_batched(name: str) -> None:
    drawn = sample(name)
    for key in drawn.tensors:
        rows = batch(drawn.tensors[key])
        for options in ({}, {"reduction": "none"}):
            call = bound(drawn, drawn.functional, [key], **options)
            close(vmap(call)(rows), torch.stack([call(row) for row in rows]))
        inner = bound(drawn, drawn.functional, [key])
        if key in drawn.floats:
            moved = rows.movedim(0, -1)
            ours = vmap(grad(inner), in_dims=-1)(moved)
            close(ours, torch.stack([grad(inner)(row) for row in rows]))


@each_loss
def test_vmap_with_every_operand_batched(name: str) -> None:
    drawn = sample(name)
    names = list(drawn.tensors)
    rows = [batch(tensor) for tensor in drawn.tensors.values()]
    call = bound(drawn, drawn.functional, names)
    ours = vmap(call)(*rows)
    close(ours, torch.stack([call(*row) for row in zip(*rows, strict=True)]))
