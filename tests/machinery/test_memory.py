"""What the closed-form backward keeps, and how large its intermediate tensors grow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from tests import generated_modules
from tests.machinery.sampling import Sample, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)
# Losses over pairs of rows: their similarities are matrix products.
PAIRED = [
    name
    for name in ("info_nce", "clip", "siglip", "nt_xent", "supcon", "multi_similarity", "arcface")
    if name in NAMES
]


def kept_bytes(drawn: Sample, closed_form: bool) -> int:
    """Bytes that a forward keeps for its backward, beside the inputs themselves."""
    leaves = drawn.leaves()
    ours = {leaf.untyped_storage().data_ptr() for leaf in leaves.values()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in ours:
            # Held here, so that no later tensor takes the same address.
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        value = (drawn.functional if closed_form else drawn.plain)(**leaves)
    assert value.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@each_loss
def test_no_more_is_kept_than_by_autograd(name: str) -> None:
    drawn = sample(name)
    # A reduction may keep its divisor, one number.
    assert kept_bytes(drawn, closed_form=True) <= kept_bytes(drawn, closed_form=False) + 8


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, (tuple, list)) else [result]
        for tensor in made:
            # A view or an expansion takes no memory of its own.
            if isinstance(tensor, Tensor):
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.elements = max(self.elements, size)
        return result


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_are_products_of_matrices(name: str) -> None:
    small = sample(name)
    rows, features = 48, 32
    generator = torch.Generator().manual_seed(1)
    tensors = {
        key: torch.randn(rows, features, generator=generator, dtype=torch.float64)
        if tensor.dim() == 2
        else tensor.repeat(rows // 4)
        if tensor.dim()
        else tensor
        for key, tensor in small.tensors.items()
    }
    drawn = replace(small, tensors=tensors)
    for closed_form in (True, False):
        leaves = drawn.leaves()
        with Largest() as largest:
            (drawn.functional if closed_form else drawn.plain)(**leaves).backward()
        assert largest.elements <= rows * rows


class Named(TorchDispatchMode):
    """Notes the operations that make something, and how much of it."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not result._is_view():
            self.made.append((func.overloadpacket.__name__, result.numel()))
        return result


def test_a_sum_takes_a_product_in() -> None:
    """``exp(input) - input * target`` goes over the elements twice, not three times."""
    drawn = sample("poisson_nll", optional=False)
    leaves = drawn.leaves()
    with torch.no_grad(), Named() as named:
        drawn.functional(**leaves)
    whole = leaves["input"].numel()
    steps = [x for x, size in named.made if size == whole and x != "_to_copy"]
    assert steps == ["exp", "addcmul"]


@pytest.mark.parametrize("name", ["l1", "mse", "nll", "cross_entropy"])
def test_no_zeros_for_weights_that_are_absent(name: str) -> None:
    """Without weights nothing reads the gradient of what their sum divides by."""
    drawn = sample(name, optional=False)
    leaves = drawn.leaves()
    value = drawn.functional(**leaves)
    with Named() as named:
        value.backward()
    assert ("new_zeros", 1) not in named.made
