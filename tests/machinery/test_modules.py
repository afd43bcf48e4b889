"""The class forms: copies, pickles, state dictionaries, parameters and buffers."""

from __future__ import annotations

import copy
import inspect
import io
import pickle

import pytest
import torch
from torch import nn

from tests import generated_modules
from tests.machinery.sampling import Sample, close, expected, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)


def build(drawn: Sample) -> nn.Module:
    """The class form with every tensor it takes when it is built."""
    made: nn.Module = getattr(drawn.module, drawn.spec.class_name)(**drawn.constructor()).double()
    return made


@each_loss
def test_value_equals_the_plain_function(name: str) -> None:
    drawn = sample(name)
    close(build(drawn)(**drawn.forward()).detach(), expected(drawn)[0])


@each_loss
def test_tensors_are_held_as_parameters_or_buffers(name: str) -> None:
    drawn = sample(name)
    module = build(drawn)
    learnable = {t.name for t in drawn.spec.tensors if t.role.learnable}
    held = dict(module.named_parameters()) | dict(module.named_buffers())
    assert set(dict(module.named_parameters())) == learnable & set(drawn.constructor())
    assert set(held) == set(drawn.constructor())
    for key, tensor in drawn.constructor().items():
        assert torch.equal(held[key], tensor)


@each_loss
def test_copies_give_the_same(name: str) -> None:
    drawn = sample(name)
    module = build(drawn)
    wanted = module(**drawn.forward())
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(**drawn.forward()), wanted)
        assert repr(twin) == repr(module)


@each_loss
def test_state_dictionary_round_trip(name: str) -> None:
    drawn = sample(name)
    module = build(drawn)
    stream = io.BytesIO()
    torch.save(module.state_dict(), stream)
    stream.seek(0)
    other = build(Sample(name, drawn.spec, {k: t * 2 for k, t in drawn.tensors.items()}))
    other.load_state_dict(torch.load(stream, weights_only=True))
    assert torch.equal(other(**drawn.forward()), module(**drawn.forward()))


@each_loss
def test_dtype_conversion_reaches_held_tensors(name: str) -> None:
    module = build(sample(name)).float()
    held = [*module.parameters(), *module.buffers()]
    assert all(tensor.dtype == torch.float32 for tensor in held if tensor.is_floating_point())


@each_loss
def test_the_meta_device_gives_a_shape(name: str) -> None:
    drawn = sample(name)
    module = build(drawn).to("meta")
    result = module(**{k: x.to("meta") for k, x in drawn.forward().items()})
    assert result.is_meta
    assert result.shape == ()


@each_loss
def test_repr_lists_every_option(name: str) -> None:
    drawn = sample(name)
    module = build(drawn)
    for key in inspect.signature(type(module)).parameters:
        if key not in {*drawn.spec.refused, *drawn.constructor()}:
            assert f"{key}=" in repr(module)
