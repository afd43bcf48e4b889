"""The closed-form backward inside autograd: second order, repeats, batches, single inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from tests import generated_modules
from tests.machinery.sampling import Sample, bound, close, expected, gradients, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)


def test_there_are_generated_losses() -> None:
    assert len(NAMES) >= 40


def weights_like(tensor: Tensor, seed: int = 1) -> Tensor:
    """Fixed random numbers of a tensor's shape."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)


def second_order(drawn: Sample, closed_form: bool) -> list[Tensor]:
    """The gradient of a random projection of the gradient."""
    leaves = list(drawn.leaves().values())
    names = list(drawn.tensors)
    function = drawn.functional if closed_form else drawn.plain
    value = function(**dict(zip(names, leaves, strict=True)))
    inputs = [leaf for leaf in leaves if leaf.requires_grad]
    first = gradients(value, inputs, create_graph=True)
    projection = sum((grad * weights_like(grad)).sum() for grad in first)
    assert isinstance(projection, Tensor)
    if not projection.requires_grad:
        return [torch.zeros_like(leaf) for leaf in inputs]
    return gradients(projection, inputs)


@pytest.mark.parametrize("optional", [True, False])
@each_loss
def test_value_and_gradient_equal_the_plain_function(name: str, optional: bool) -> None:
    drawn = sample(name, optional)
    leaves = drawn.leaves()
    value = drawn.functional(**leaves)
    ours = gradients(value, [leaves[key] for key in drawn.floats])
    close((value.detach(), ours), expected(drawn))


@pytest.mark.parametrize("optional", [True, False])
@each_loss
def test_second_order_equals_the_plain_function(name: str, optional: bool) -> None:
    drawn = sample(name, optional)
    close(second_order(drawn, closed_form=True), second_order(drawn, closed_form=False))


@each_loss
def test_backward_may_be_repeated(name: str) -> None:
    drawn = sample(name)
    leaves = drawn.leaves()
    inputs = [leaves[key] for key in drawn.floats]
    value = drawn.functional(**leaves, reduction="none")
    upstream = weights_like(value)
    held = upstream.clone()
    first = [grad.clone() for grad in gradients(value, inputs, upstream, retain_graph=True)]
    differentiable = gradients(value, inputs, upstream, create_graph=True)
    again = gradients(value, inputs, upstream)
    assert torch.equal(upstream, held)
    for one, two, three in zip(first, again, differentiable, strict=True):
        assert torch.equal(one, two)
        close(three.detach(), one)


@each_loss
def test_batched_upstream_gradients(name: str) -> None:
    drawn = sample(name)
    leaves = drawn.leaves()
    inputs = [leaves[key] for key in drawn.floats]
    value = drawn.functional(**leaves, reduction="none")
    rows = torch.stack([weights_like(value, seed) for seed in (2, 3, 4)])
    batched = gradients(value, inputs, rows, retain_graph=True, is_grads_batched=True)
    single = [gradients(value, inputs, row, retain_graph=True) for row in rows]
    for ours, theirs in zip(batched, zip(*single, strict=True), strict=True):
        wanted = torch.stack(theirs)
        close(ours.expand_as(wanted), wanted)


@each_loss
def test_each_input_may_be_differentiated_alone(name: str) -> None:
    drawn = sample(name)
    together = dict(zip(drawn.floats, expected(drawn)[1], strict=True))
    for key in drawn.floats:
        leaves = drawn.leaves([key])
        value = drawn.functional(**leaves)
        if value.requires_grad:
            close(gradients(value, [leaves[key]])[0], together[key])
        else:
            assert not together[key].any()


@each_loss
def test_inputs_are_not_modified(name: str) -> None:
    drawn = sample(name)
    leaves = drawn.leaves()
    versions = {key: leaf._version for key, leaf in leaves.items()}
    drawn.functional(**leaves).backward()
    for key, leaf in leaves.items():
        assert torch.equal(leaf.detach(), drawn.tensors[key])
        assert leaf._version == versions[key]


@pytest.mark.parametrize("reentrant", [True, False])
@each_loss
def test_checkpointing(name: str, reentrant: bool) -> None:
    drawn = sample(name)
    leaves = [drawn.leaves()[key] for key in drawn.floats]
    call = bound(drawn, drawn.functional, drawn.floats)
    value = checkpoint(call, *leaves, use_reentrant=reentrant)
    value.backward()
    kept = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    close(kept, expected(drawn)[1])


def strided(tensor: Tensor) -> Tensor:
    """The same numbers with gaps between them."""
    return tensor.repeat_interleave(2, -1)[..., ::2] if tensor.dim() else tensor


def transposed(tensor: Tensor) -> Tensor:
    """The same numbers, the first and last axis swapped in memory."""
    return tensor.transpose(0, -1).contiguous().transpose(0, -1) if tensor.dim() else tensor


def channels_last(tensor: Tensor) -> Tensor:
    """The same numbers, channels innermost in memory where there are four axes."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("layout", [strided, transposed, channels_last])
@each_loss
def test_memory_layouts(name: str, layout: object) -> None:
    assert callable(layout)
    drawn = sample(name)
    leaves = {
        key: layout(tensor.clone()).requires_grad_(key in drawn.floats)
        for key, tensor in drawn.tensors.items()
    }
    value = drawn.functional(**leaves)
    ours = gradients(value, [leaves[key] for key in drawn.floats])
    close((value.detach(), ours), expected(drawn))
