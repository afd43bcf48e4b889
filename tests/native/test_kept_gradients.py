"""Gradients' memory kept on request: reused where nobody holds it, and only there."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

from tests.native.kernels import functional, load, only_kernels, without_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
MB = 1 << 20


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module that keeps 8 MB, and nothing afterwards."""
    found = load("mse")
    found.keep_gradients(8 * MB)
    try:
        with only_kernels(found):
            yield found
    finally:
        found.keep_gradients(0)


def gradient(seed: int, megabytes: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(megabytes * MB // 4, generator=generator).requires_grad_()
    (found,) = torch.autograd.grad(functional("mse")(x, torch.zeros_like(x)), x)
    torch.testing.assert_close(found, x.detach() * (2 / x.numel()))
    return found


def place(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


def kept(module: ModuleType) -> int:
    return sum(storage.nbytes() for storage in module._Kept.storages)


def test_memory_is_taken_again(module: ModuleType) -> None:
    first = place(gradient(0))
    assert place(gradient(1)) == first
    assert kept(module) == 4 * MB


def test_by_default_nothing_is_kept() -> None:
    gradient(0)
    assert kept(load("mse")) == 0


@pytest.mark.parametrize(
    "hold",
    [lambda x: x, lambda x: x[5:9], lambda x: x.view(2, -1).t(), lambda x: x.numpy()[3:]],
    ids=["itself", "a slice", "a view", "an array"],
)
def test_what_somebody_holds_stays_as_it_is(
    hold: Callable[[Tensor], Tensor], module: ModuleType
) -> None:
    held = hold(gradient(0))
    before = torch.as_tensor(held).clone()
    second, third = gradient(1), gradient(2)
    assert place(second) != place(third)
    assert torch.equal(torch.as_tensor(held), before)
    where = torch.as_tensor(held).untyped_storage().data_ptr()
    assert where not in (place(second), place(third))
    del held, second, third
    gc.collect()
    assert kept(module) <= 8 * MB


def test_a_gradient_of_a_leaf_is_not_copied_and_may_be_kept(module: ModuleType) -> None:
    x = torch.randn(MB).requires_grad_()
    places = []
    for _ in range(3):
        torch.autograd.backward(functional("mse")(x, torch.zeros_like(x)))
        assert x.grad is not None
        places.append(place(x.grad))
        x.grad = None
    assert len(set(places)) == 1
    torch.autograd.backward(functional("mse")(x, torch.zeros_like(x)))
    torch.autograd.backward(functional("mse")(x, torch.zeros_like(x)))  # added up
    assert x.grad is not None
    torch.testing.assert_close(x.grad, x.detach() * (4 / x.numel()))


def test_two_losses_of_one_graph_have_a_gradient_each(module: ModuleType) -> None:
    x, y = torch.randn(MB).requires_grad_(), torch.randn(MB).requires_grad_()
    zero = torch.zeros(MB)
    torch.autograd.backward(functional("mse")(x, zero) + functional("mse")(y, zero))
    assert x.grad is not None
    assert y.grad is not None
    torch.testing.assert_close((x.grad, y.grad), (x.detach() * 2 / MB, y.detach() * 2 / MB))


def test_no_more_than_was_allowed(module: ModuleType) -> None:
    held = [gradient(seed) for seed in range(4)]
    assert kept(module) == 8 * MB
    gradient(9, megabytes=12)  # more than may be kept
    assert kept(module) == 8 * MB
    gradient(9, megabytes=6)
    assert kept(module) == 6 * MB
    assert [place(x) for x in held] == list(dict.fromkeys(place(x) for x in held))
    module.keep_gradients(0)
    assert kept(module) == 0


def test_the_layout_is_that_of_the_input() -> None:
    found = load("cross_entropy")
    found.keep_gradients(64 * MB)
    x = torch.randn(2, 8, 256, 128).contiguous(memory_format=torch.channels_last)
    y = torch.randn(2, 8, 256, 128)  # as many bytes, in another order
    target = torch.randint(0, 8, (2, 256, 128))
    try:
        for lead in (x, y, x, y):
            results = []
            for context in (only_kernels, without_kernels):
                leaf = lead.detach().requires_grad_()
                with context(found):
                    value = functional("cross_entropy")(leaf, target)
                    results.append(torch.autograd.grad(value, leaf)[0])
            torch.testing.assert_close(*results)
        assert len(found._Kept.storages) == 1
    finally:
        found.keep_gradients(0)


# What a loop writes begins and ends anywhere in a line of 64 bytes: one row has 1037 elements,
# one plane 5 * 29, a block of it 128 and 17.
STREAMED: dict[str, tuple[str, tuple[int, ...], torch.memory_format]] = {
    "rows": ("cross_entropy", (7, 1037), torch.contiguous_format),
    "planes": ("cross_entropy", (2, 5, 5, 29), torch.contiguous_format),
    "channels last": ("cross_entropy", (2, 5, 5, 29), torch.channels_last),
    "short rows": ("nll", (301, 3), torch.contiguous_format),
    "sums first": ("generalized_dice", (2, 3, 5, 29), torch.contiguous_format),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", STREAMED.values(), ids=STREAMED)
def test_past_the_caches(
    case: tuple[str, tuple[int, ...], torch.memory_format],
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, shape, layout = case
    found = load(name)
    lead = torch.randn(shape).to(dtype).contiguous(memory_format=layout)
    target = torch.randint(0, shape[1], (shape[0], *shape[2:]))
    if name == "generalized_dice":
        target = torch.nn.functional.one_hot(target, shape[1]).movedim(-1, 1).to(dtype)

    def once() -> Tensor:
        leaf = lead.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(functional(name)(leaf, target), leaf)
        return gradient

    monkeypatch.setattr(found, "_STREAMED", 0)
    found.keep_gradients(64 * MB)
    try:
        with only_kernels(found):
            past = once()
            assert any("-DSTREAMED=1" in key for key in found._Native.loaded)
            found.keep_gradients(0)
            torch.testing.assert_close(past, once(), rtol=0, atol=0)
        with without_kernels(found):
            torch.testing.assert_close(past, once())
    finally:
        found.keep_gradients(0)


def test_small_gradients_stay_in_the_caches(module: ModuleType) -> None:
    assert not module._streamed(torch.empty(MB))  # no larger than 32 MB
    module.keep_gradients(64 * MB)
    assert module._streamed(torch.empty(8 * MB))
    assert not module._streamed(torch.empty(32 * MB))  # more than is kept


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="keep_gradients: most must be at least 0, got -1"):
        load("mse").keep_gradients(-1)
