"""Kernels against the plain torch form, which the generated tests prove against 50 digits."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import source
from lossgen.spec import load_spec
from tests.machinery.by_kernel import LAYOUTS, labels
from tests.machinery.sampling import SPECS, Sample, sample
from tests.native.kernels import (
    COLUMNS,
    KERNELS,
    NAMES,
    PAIRS,
    WITH,
    functional,
    load,
    only_kernels,
    without_kernels,
)

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
both, check = KERNELS.both, KERNELS.check
REDUCTIONS = ("mean", "sum", "none")
# Each compiles a kernel for every switch: a share of every kind runs always, the rest with -m ''.
SHARE = ("cross_entropy", "dice", "generalized_dice", "giou", "grpo", "mse", "triplet_margin")
SOME = [pytest.param(name, marks=[] if name in SHARE else [pytest.mark.slow]) for name in WITH]


@pytest.mark.parametrize("name", NAMES)
def test_each_loss_has_a_kernel(name: str) -> None:
    assert source(load_spec(SPECS / f"{name}.py"), (), "c").kernels is not None


def kernel_keys(drawn: Sample) -> list[str]:
    """The tensors by which its kernel has a gradient."""
    text = load(drawn.name).__file__
    assert text is not None
    with open(text.removesuffix("py") + "c", encoding="utf-8") as file:
        c = file.read()
    return [key for key in drawn.floats if f"d_{key}_out" in c or drawn.name in PAIRS]


@pytest.mark.parametrize(
    ("name", "reduction"),
    [
        pytest.param(
            name, reduction, marks=[] if kind == 0 or name in SHARE else [pytest.mark.slow]
        )
        for name in WITH
        for kind, reduction in enumerate(REDUCTIONS)
    ],
)
def test_a_kernel_is_the_plain_form(name: str, reduction: str) -> None:
    drawn = sample(name, optional=reduction != "sum")
    ours, theirs = both(drawn, kernel_keys(drawn), reduction=reduction)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


OPTIONAL = [n for n in WITH if any(t.optional for t in load_spec(SPECS / f"{n}.py").tensors)]


@pytest.mark.parametrize("name", OPTIONAL)
def test_without_what_is_optional(name: str) -> None:
    drawn = sample(name, optional=False)
    ours, theirs = both(drawn, kernel_keys(drawn))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SOME)
def test_a_kernel_in_every_dtype(name: str, dtype: torch.dtype) -> None:
    drawn = sample(name)
    KERNELS.check_in(drawn, kernel_keys(drawn), dtype, centred=name in COLUMNS)


@pytest.mark.parametrize("name", SOME)
def test_each_gradient_alone(name: str) -> None:
    drawn = sample(name)
    KERNELS.check_each(drawn, kernel_keys(drawn))


@pytest.mark.parametrize("name", SOME)
def test_as_many_threads_give_the_same_bits(name: str) -> None:
    drawn = sample(name)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(both(drawn, kernel_keys(drawn)[:1], torch.float32)[0])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)


def scores(*shape: int, **kind: Any) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(*shape, generator=generator, **kind)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["cross_entropy", "dice", "tversky", "sigmoid_focal", "mse"])
def test_any_layout(name: str, layout: str) -> None:
    x = LAYOUTS[layout](scores(3, 5, 6, 7, dtype=torch.float64))
    target = labels(5, 3, 6, 7) if name == "cross_entropy" else labels(2, 3, 5, 6, 7).double()
    check(name, x, target)
    check(name, x, LAYOUTS["transposed"](target), reduction="none")


@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (2, 4, 0), (1, 1), (7, 300), (2, 3, 2100)])
def test_empty_and_odd_sizes(shape: tuple[int, ...]) -> None:
    if shape[1]:
        target = labels(shape[1], shape[0], *shape[2:])
        check("cross_entropy", scores(*shape, dtype=torch.float64), target, reduction="sum")
    check("dice", scores(*shape, dtype=torch.float64), torch.ones(shape).double(), reduction="none")
    check("mse", scores(*shape, dtype=torch.float64), torch.ones(shape).double(), reduction="sum")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["cross_entropy", "dice", "mse", "smooth_l1", "tversky"])
def test_not_a_number_and_infinity(name: str, bad: float) -> None:
    x = scores(2, 3, 40, dtype=torch.float64)
    x[1, 2, 7] = bad
    target = labels(3, 2, 40) if name == "cross_entropy" else labels(2, 2, 3, 40).double()
    for reduction in ("none", "mean"):
        results = []
        for context in (only_kernels, without_kernels):
            with context(load(name)):
                results.append(functional(name)(x, target, reduction=reduction))
        torch.testing.assert_close(*results, rtol=1e-12, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("label", [5, -1, 1 << 40])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6)])
def test_a_label_of_no_class(label: int, shape: tuple[int, ...]) -> None:
    target = labels(5, shape[0], *shape[2:])
    target.view(-1)[2] = label
    with pytest.raises(IndexError, match=r"cross_entropy_loss: a label is not in \[0, C\)"):
        functional("cross_entropy")(scores(*shape), target)


def test_ignored_labels_may_be_anything() -> None:
    target = labels(5, 8)
    target[3] = -100
    check("cross_entropy", scores(8, 5, dtype=torch.float64), target)


@pytest.mark.parametrize("upstream", [1.0, 0.5, -3.0, 0.0, float("nan")])
def test_upstream_gradients(upstream: float) -> None:
    x, target = scores(6, 5, dtype=torch.float64), labels(5, 6)
    for _ in range(3):  # the guess is wrong at first, and right then
        lead = x.clone().requires_grad_()
        with only_kernels(load("cross_entropy")):
            (functional("cross_entropy")(lead, target) * upstream).backward()
        other = x.clone().requires_grad_()
        with without_kernels(load("cross_entropy")):
            (functional("cross_entropy")(other, target) * upstream).backward()
        torch.testing.assert_close(lead.grad, other.grad, rtol=1e-13, atol=1e-15, equal_nan=True)


def test_a_second_backward_has_a_gradient_of_its_own() -> None:
    lead = scores(6, 5, dtype=torch.float64).requires_grad_()
    value = functional("cross_entropy")(lead, labels(5, 6))
    (first,) = torch.autograd.grad(value, lead, retain_graph=True)
    kept = first.clone()
    first.zero_()  # whoever gets a gradient may change it
    (second,) = torch.autograd.grad(value, lead)
    torch.testing.assert_close(second, kept)


@pytest.mark.parametrize("name", ["dice", "cross_entropy", "mse", "triplet_margin"])
def test_second_derivatives(name: str) -> None:
    drawn = sample(name)
    keys = drawn.floats[:1]
    found = []
    for context in (None, without_kernels):
        leaves = drawn.leaves(keys)
        function = functional(name)
        if context is None:
            value = function(**leaves)
            (first,) = torch.autograd.grad(value, leaves[keys[0]], create_graph=True)
        else:
            with context(load(name)):
                value = function(**leaves)
                (first,) = torch.autograd.grad(value, leaves[keys[0]], create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), leaves[keys[0]])[0])
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_target_that_only_decides_may_ask_for_a_gradient(reduction: str) -> None:
    first, second = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    target = torch.tensor([1.0, -1.0, 1.0, -1.0], requires_grad=True)
    functional("cosine_embedding")(first, second, target, reduction=reduction).sum().backward()
    found = first.grad
    alone = first.detach().clone().requires_grad_()
    plain = torch.nn.functional.cosine_embedding_loss(
        alone, second.detach(), target.detach(), reduction=reduction
    )
    plain.sum().backward()
    torch.testing.assert_close(found, alone.grad)
    assert target.grad is None or not target.grad.any()


def test_in_place_changes_are_noticed() -> None:
    lead = scores(6, 5).requires_grad_()
    moved = lead * 1
    value = functional("cross_entropy")(moved, labels(5, 6), reduction="none")
    moved.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_without_gradients_nothing_is_kept() -> None:
    x = scores(6, 5).requires_grad_()
    with torch.no_grad(), only_kernels(load("cross_entropy")):
        value = functional("cross_entropy")(x, labels(5, 6))
    assert not value.requires_grad


def test_more_elements_than_32_bits_count() -> None:
    """A strided view that spans more than 2**31 elements, of which it has few."""
    base = torch.zeros(1, dtype=torch.float32)
    try:
        base = torch.empty(1 << 31, dtype=torch.int8).view(torch.float32)
    except RuntimeError:
        pytest.skip("no memory for it")
    rows = base.as_strided((2, 4), ((1 << 29) - 8, 1))
    rows.copy_(scores(2, 4))
    with only_kernels(load("cross_entropy")):
        ours = functional("cross_entropy")(rows, labels(4, 2))
    with without_kernels(load("cross_entropy")):
        theirs = functional("cross_entropy")(rows.contiguous(), labels(4, 2))
    torch.testing.assert_close(ours, theirs)


def test_differences_that_tie_do_so_beside_a_constant() -> None:
    """``eps + a - b`` rounds equal differences apart; the slope belongs to both, a half to each."""
    anchor = torch.tensor([[-0.5, 1.0, -0.5, -0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    positive = torch.tensor([[0.0, 1.0, 1.0, 0.5, 1.0]], dtype=torch.float64)
    negative = torch.tensor([[0.5, 1.0, 0.5, 1.0, 0.5]], dtype=torch.float64)
    loss = functional("triplet_margin")(anchor, positive, negative, p=math.inf)
    (found,) = torch.autograd.grad(loss, anchor)
    # The last is farthest from the positive; the last two tie as farthest from the negative.
    torch.testing.assert_close(found, anchor.new_tensor([[0.0, 0.0, 0.0, 0.5, 0.5 - 1.0]]))


@pytest.mark.parametrize("name", WITH)
def test_a_file_has_no_function_that_nothing_calls(name: str) -> None:
    made = source(load_spec(SPECS / f"{name}.py"), (), "c")
    words = Counter(re.findall(r"\w+", made.kernels or ""))
    defined = re.findall(
        r"^(?:static inline|inlined) \w+ (\w+)\(", made.kernels or "", re.MULTILINE
    )
    assert len(defined) > 3
    assert [x for x in {*defined} if words[x] == defined.count(x)] == []
