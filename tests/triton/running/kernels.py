"""Kernels, run by Triton's interpreter on the CPU or on a GPU, against the plain torch form.

The generated tests prove that form, and the kernels too, against 50 digits.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.machinery import by_kernel
from tests.machinery.by_kernel import LAYOUTS
from tests.machinery.sampling import Sample, sample
from tests.triton.made import (
    DEVICE,
    KERNELS,
    WITH,
    functional,
    kernel_file,
    load,
    only_kernels,
    without_kernels,
)

both, check = KERNELS.both, KERNELS.check
REDUCTIONS = ("mean", "sum", "none")
# One of each kind: element by element, over rows, over sums; boxes, masks, powers, extremes.
SHARE = ("cross_entropy", "dice", "generalized_dice", "giou", "grpo", "mse", "tversky")
FEW = ("cross_entropy", "dice", "mse")
ALL = [pytest.param(name, marks=[] if name in SHARE else [pytest.mark.slow]) for name in WITH]
LAID_OUT = [
    "cross_entropy",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("dice", "tversky", "mse")),
]
SOME = [pytest.param(name, marks=[] if name in FEW else [pytest.mark.slow]) for name in WITH]


def kernel_keys(drawn: Sample) -> list[str]:
    """The tensors by which its kernels have a gradient."""
    path = kernel_file(drawn.name).__file__
    assert path is not None
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [key for key in drawn.floats if f"d_{key}_ptr" in text]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ALL)
def test_kernels_are_the_plain_form(name: str, reduction: str) -> None:
    drawn = sample(name, optional=reduction != "sum")
    ours, theirs = both(drawn, kernel_keys(drawn), reduction=reduction)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SOME)
def test_kernels_in_every_dtype(name: str, dtype: torch.dtype) -> None:
    drawn = sample(name)
    KERNELS.check_in(drawn, kernel_keys(drawn), dtype)


@pytest.mark.parametrize("name", SOME)
def test_each_gradient_alone(name: str) -> None:
    drawn = sample(name)
    KERNELS.check_each(drawn, kernel_keys(drawn))


def scores(*shape: int, **kind: Any) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(DEVICE, **kind)


def labels(classes: int, *shape: int) -> Tensor:
    return by_kernel.labels(classes, *shape).to(DEVICE)


def leaves_of(drawn: Sample, keys: list[str]) -> dict[str, Tensor]:
    """The sample where kernels run; the named floats require a gradient."""
    return {k: x.to(DEVICE).requires_grad_(k in keys) for k, x in drawn.leaves([]).items()}


def ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float64, device=DEVICE)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAID_OUT)
def test_any_layout(name: str, layout: str) -> None:
    x = LAYOUTS[layout](scores(3, 5, 6, 7))
    target = labels(5, 3, 6, 7) if name == "cross_entropy" else labels(2, 3, 5, 6, 7).double()
    check(name, x, target)
    check(name, x, LAYOUTS["transposed"](target), reduction="none")


def test_what_is_broadcast() -> None:
    check("gaussian_nll", scores(3, 4), scores(4), scores(3, 1).exp())
    check("gaussian_nll", scores(3, 4), scores(3, 4), 0.5)


@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (2, 4, 0), (1, 1), (3, 1500), (2, 3, 2100)])
def test_empty_odd_and_long(shape: tuple[int, ...]) -> None:
    """1500 classes are two blocks of a row; 2100 elements three of a sum."""
    if shape[1]:
        target = labels(shape[1], shape[0], *shape[2:])
        check("cross_entropy", scores(*shape), target, reduction="sum", label_smoothing=0.1)
    check("dice", scores(*shape), ones(*shape), reduction="none")
    check("tversky", scores(*shape), ones(*shape), reduction="sum")
    check("mse", scores(*shape), ones(*shape), reduction="sum")


def test_whole_blocks_of_a_row_at_minus_infinity() -> None:
    x = scores(2, 2100)
    x[0, :1024] = x[1, 1024:] = float("-inf")
    check("cross_entropy", x, torch.tensor([1500, 3], device=DEVICE))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["cross_entropy", "smooth_l1", "tversky"])
def test_not_a_number_and_infinity(name: str, bad: float) -> None:
    x = scores(2, 3, 40)
    x[1, 2, 7] = bad
    target = labels(3, 2, 40) if name == "cross_entropy" else labels(2, 2, 3, 40).double()
    for reduction in ("none", "mean"):
        results = []
        for context in (only_kernels, without_kernels):
            with context(load(name)):
                results.append(functional(name)(x, target, reduction=reduction))
        torch.testing.assert_close(*results, rtol=1e-12, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("label", [5, -1, 1 << 40])
def test_a_label_of_no_class_gives_nan(label: int) -> None:
    """Nothing beside the tensor is read, and nothing waits for the device to say so."""
    target = labels(5, 4)
    target[2] = label
    with only_kernels(load("cross_entropy")):
        value = functional("cross_entropy")(scores(4, 5), target, reduction="none")
    assert value.isnan().tolist() == [False, False, True, False]


def test_ignored_labels_may_be_anything() -> None:
    target = labels(5, 8)
    target[3] = -100
    check("cross_entropy", scores(8, 5), target)
    check("cross_entropy", scores(8, 5), torch.full((8,), -100, device=DEVICE), reduction="sum")


@pytest.mark.parametrize("upstream", [1.0, 0.5, 0.0, float("nan")])
def test_upstream_gradients(upstream: float) -> None:
    x, target = scores(6, 5), labels(5, 6)
    found = []
    for context in (only_kernels, without_kernels):
        lead = x.clone().requires_grad_()
        with context(load("cross_entropy")):
            (functional("cross_entropy")(lead, target) * upstream).backward()
        found.append(lead.grad)
    torch.testing.assert_close(*found, rtol=1e-13, atol=1e-15, equal_nan=True)


def test_nothing_is_read_from_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in forward nor in backward does Python ask for a tensor's value."""

    def refused(self: Tensor) -> Any:
        raise AssertionError("a number is read from the device")

    lead, target = scores(6, 5).requires_grad_(), labels(5, 6)
    functional("cross_entropy")(lead, target).backward()  # the tiles are chosen by time
    for name in ("item", "tolist", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(Tensor, name, refused)
    with only_kernels(load("cross_entropy")):
        functional("cross_entropy")(lead, target).backward()


@pytest.mark.parametrize("name", ["dice", "cross_entropy", "mse"])
def test_second_derivatives(name: str) -> None:
    drawn = sample(name)
    keys = drawn.floats[:1]
    found = []
    for kernels in (True, False):
        leaves = leaves_of(drawn, keys)
        if kernels:
            value = functional(name)(**leaves)
            assert "InTriton" in _history(value)
        else:
            with without_kernels(load(name)):
                value = functional(name)(**leaves)
        (first,) = torch.autograd.grad(value, leaves[keys[0]], create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), leaves[keys[0]])[0])
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-13)


def _history(value: Tensor) -> str:
    assert value.grad_fn is not None
    return type(value.grad_fn).__name__


def test_gradients_that_kernels_do_not_give() -> None:
    """The class weights' gradient is a sum over all elements: plain torch computes all."""
    drawn = sample("cross_entropy", optional=True)
    keys = [key for key in drawn.floats if key not in kernel_keys(drawn)]
    assert keys == ["weight"]
    found = []
    for context in (None, without_kernels):
        leaves = leaves_of(drawn, drawn.floats)
        if context is None:
            value = functional("cross_entropy")(**leaves)
        else:
            with context(load("cross_entropy")):
                value = functional("cross_entropy")(**leaves)
        value.backward()
        found.append([leaves[key].grad for key in drawn.floats])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


def test_in_place_changes_are_noticed() -> None:
    moved = scores(6, 5).requires_grad_() * 1
    value = functional("cross_entropy")(moved, labels(5, 6), reduction="none")
    moved.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_options_are_not_rounded() -> None:
    """An option reaches a kernel in double: 0.1 in float32 would be wrong by 1e-9."""
    check("smooth_l1", scores(4, 5), scores(4, 5).flip(0), beta=0.1)
    check("dice", scores(2, 3, 9), ones(2, 3, 9), smooth=0.1)


def test_another_tile_gives_the_same_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles are tried in turn: what a small one wrote must not be added to a large one's sums."""
    import triton

    kernel = kernel_file("mse")._mse_value_kernel
    tried = []

    def timed(call: Any, **options: Any) -> list[float]:
        call()
        tried.append(kernel.nargs["count"])
        return [1.0 / len(tried)] * 3  # the last is the fastest

    tiles = [triton.Config({"TILE": tile}, num_warps=4) for tile in (1024, 4096)]
    monkeypatch.setattr(kernel, "configs", tiles)
    monkeypatch.setitem(vars(kernel), "do_bench", timed)
    x = scores(5000)
    with monkeypatch.context() as inner:
        inner.setattr(load("mse"), "_triton_kernels", lambda: kernel_file("mse"))
        check("mse", x, torch.zeros_like(x), reduction="sum")
    assert len(tried) == 2
    assert kernel.best_config.kwargs["TILE"] == 4096


def test_more_elements_than_32_bits_count() -> None:
    """A strided view that spans more than 2**31 elements, of which it has few."""
    try:
        base = torch.empty((1 << 31) + 64, dtype=torch.float16, device=DEVICE)
    except RuntimeError:
        pytest.skip("no memory for it")
    rows = base.as_strided((2, 4), ((1 << 31) + 16, 1))
    rows.copy_(scores(2, 4))
    module, types = load("cross_entropy"), kernel_file("cross_entropy")._types
    assert types(rows)["INDEX"] != types(rows.clone())["INDEX"]
    with only_kernels(module):
        ours = functional("cross_entropy")(rows, labels(4, 2))
    with without_kernels(module):
        theirs = functional("cross_entropy")(rows.clone(), labels(4, 2))
    torch.testing.assert_close(ours, theirs)
