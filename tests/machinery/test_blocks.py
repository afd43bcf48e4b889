"""Block by block or at once: the same value, the same derivatives of every order and kind."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests import generated_modules
from tests.machinery.sampling import Sample, close, gradients, sample
from tests.machinery.test_autograd import second_order

NAMES = [
    name
    for name in generated_modules.names()
    if "_large(" in inspect.getsource(generated_modules.functional(name))
]
each_loss = pytest.mark.parametrize("name", NAMES)
# Those that go through blocks in half precision alone.
NARROW = [
    name
    for name in NAMES
    if "is not compute and _large(" in inspect.getsource(generated_modules.functional(name))
]


def drawn_for(name: str, *, optional: bool) -> Sample:
    """A sample in a dtype in which the loss goes through blocks."""
    drawn = sample(name, optional)
    if name not in NARROW:
        return drawn
    halved = {k: x.bfloat16() if k in drawn.floats else x for k, x in drawn.tensors.items()}
    return replace(drawn, tensors=halved)


def in_blocks(drawn: Sample, patch: pytest.MonkeyPatch) -> list[int]:
    """From now on a loss takes a row, or an element, at a time; how many, as they are taken."""
    lengths: list[int] = []
    split = torch.split

    def noted(x: Tensor, length: int) -> tuple[Tensor, ...]:
        parts = split(x, length)
        lengths.extend(map(len, parts))
        return parts

    patch.setattr(drawn.module, "_block", lambda: 0)
    patch.setattr(drawn.module, "_MAPPED", 1, raising=False)
    patch.setattr(torch, "split", noted)
    return lengths


def first_order(drawn: Sample, reduction: str) -> tuple[Tensor, list[Tensor]]:
    leaves = drawn.leaves()
    value = drawn.functional(**leaves, reduction=reduction)
    return value.detach(), gradients(value, [leaves[key] for key in drawn.floats])


def test_some_losses_go_through_blocks() -> None:
    assert len(NAMES) >= 30


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@each_loss
def test_value_and_gradient(name: str, reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=False)
    whole = first_order(drawn, reduction)
    lengths = in_blocks(drawn, monkeypatch)
    close(first_order(drawn, reduction), whole)
    assert {*lengths} == {1}


@each_loss
def test_options_and_items(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=True)

    def all_of_it() -> list[object]:
        items = drawn.functional(**drawn.tensors, reduction="none")
        return [*first_order(drawn, "mean"), items]

    whole = all_of_it()
    in_blocks(drawn, monkeypatch)
    close(all_of_it(), whole)


@each_loss
def test_second_derivative(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=False)
    whole = second_order(drawn, closed_form=True)
    assert in_blocks(drawn, monkeypatch) == []
    close(second_order(drawn, closed_form=True), whole)


@each_loss
def test_transforms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=False)
    key = drawn.floats[0]
    x, rest = drawn.tensors[key], {k: v for k, v in drawn.tensors.items() if k != key}
    several = torch.stack([x, x.flip(0)])

    def of_first(x: Tensor) -> Tensor:
        value: Tensor = drawn.functional(**{key: x}, **rest)
        return value

    def derivatives() -> list[Tensor]:
        slope = torch.func.jvp(of_first, (x,), (torch.ones_like(x),))[1]
        return [torch.vmap(torch.func.grad(of_first))(several), slope]

    whole = derivatives()
    assert in_blocks(drawn, monkeypatch) == []
    close(derivatives(), whole)


@each_loss
def test_gaps_in_memory_are_computed_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=False)
    lengths = in_blocks(drawn, monkeypatch)
    drawn.functional(**{k: torch.stack([x, x], -1)[..., 0] for k, x in drawn.tensors.items()})
    assert lengths == []


@pytest.mark.parametrize("name", ["sigmoid_focal", "asymmetric", "kl_div"])
def test_a_sum_keeps_nothing_but_its_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawn_for(name, optional=False)
    in_blocks(drawn, monkeypatch)
    key = drawn.floats[0]
    leaf = drawn.tensors[key].clone().requires_grad_()
    kept: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        value = drawn.functional(**{**drawn.tensors, key: leaf}, reduction="sum")
    given = {leaf.data_ptr(), *(x.data_ptr() for x in drawn.tensors.values())}
    made = [x for x in kept if x.data_ptr() not in given]
    (gradient,) = torch.autograd.grad(value, leaf)
    assert [x.numel() for x in made] == [leaf.numel()]
    torch.testing.assert_close(made[0], gradient.flatten())
