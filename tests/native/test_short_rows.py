"""Rows of few classes, of which vectors take many at once, and rows long enough for vectors."""

from __future__ import annotations

import os
import shutil

import pytest
import torch
from torch import Tensor

from tests.native.kernels import functional, load, only_kernels, without_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
LABELLED = ("cross_entropy", "generalized_cross_entropy", "poly1_cross_entropy", "softmax_focal")
NAMES = (*LABELLED, "distillation_jsd", "multilabel_soft_margin")
# Rows, images whose classes are neighbours in memory, one row, more rows than a block; on either
# side of the bound.
SHAPES = ((7, 3), (9, 31), (9, 33), (2, 3, 5, 7), (3, 40, 2, 3), (1, 2), (1, 4, 1, 3), (1031, 2))


def inputs(name: str, shape: tuple[int, ...], gaps: bool) -> tuple[Tensor, Tensor]:
    """Scores with their classes last in memory; with gaps between rows, too."""
    generator = torch.Generator().manual_seed(sum(shape))

    def scores() -> Tensor:
        room = torch.randn(2 * shape[0], *shape[2:], shape[1], generator=generator)
        rows = room[::2] if gaps else room[: shape[0]]
        return rows.double().movedim(-1, 1)

    if name in LABELLED:
        places = (shape[0], *shape[2:])
        return scores(), torch.randint(0, shape[1], places, generator=generator)
    other = scores()
    return scores(), other if name == "distillation_jsd" else (other > 0).double()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_as_in_plain_torch(name: str, shape: tuple[int, ...]) -> None:
    if name not in LABELLED and len(shape) > 2:
        pytest.skip("its classes are the last axis")
    weight = torch.randn(shape[0], *shape[2:], dtype=torch.float64)
    for gaps in (False, True):
        lead, target = inputs(name, shape, gaps)
        results = []
        for context in (only_kernels, without_kernels):
            x = lead.detach().requires_grad_()
            with context(load(name)):
                items = functional(name)(x, target, reduction="none")
                (apart,) = torch.autograd.grad((items * weight).sum(), x)
                mean = functional(name)(x, target)
                results.append((items, apart, mean, *torch.autograd.grad(mean, x)))
        torch.testing.assert_close(*results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_squares_of_numbers_of_any_width(dtype: torch.dtype) -> None:
    """More rows than a block, and squares that overlap in both of their directions."""
    generator = torch.Generator().manual_seed(0)
    with only_kernels(load("cross_entropy")):
        for classes in (5, 9, 16, 19):
            rows = torch.randn(150, classes, generator=generator).to(dtype)
            target = torch.randint(0, classes, (150,), generator=generator)
            found, wanted = rows.clone().requires_grad_(), rows.double().requires_grad_()
            functional("cross_entropy")(found, target, reduction="sum").backward()
            torch.nn.functional.cross_entropy(wanted, target, reduction="sum").backward()
            assert wanted.grad is not None
            torch.testing.assert_close(found.grad, wanted.grad.to(dtype))
