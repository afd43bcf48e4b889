"""Scores that differ by less than their softmax shows: its shares tie where the scores do not."""

from __future__ import annotations

import pytest
import torch

from tests import generated_modules

NAMES = ("cross_entropy", "generalized_cross_entropy", "poly1_cross_entropy", "softmax_focal")
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def near_ties(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores far below the last digit of 1, and labels."""
    draw = torch.Generator().manual_seed(0)
    steps = torch.randint(0, 9, (64, 5), generator=draw)
    scores = 0.1 * torch.finfo(dtype).eps * steps.to(dtype)
    return scores.requires_grad_(), torch.randint(0, 5, (64,), generator=draw)


@DTYPES
def test_the_slope_is_the_softmax_less_the_label(dtype: torch.dtype) -> None:
    scores, label = near_ties(dtype)
    loss = generated_modules.load("cross_entropy").cross_entropy(scores, label)
    (found,) = torch.autograd.grad(loss, scores)
    # All shares are 1/5 to the last digit.
    wanted = (0.2 - torch.nn.functional.one_hot(label, 5).double()) / 64
    torch.testing.assert_close(found, wanted.to(dtype), rtol=8 * torch.finfo(dtype).eps, atol=0)


@DTYPES
@pytest.mark.parametrize("name", NAMES)
def test_autograd_finds_the_closed_form(name: str, dtype: torch.dtype) -> None:
    scores, label = near_ties(dtype)
    plain = getattr(generated_modules.load(name), name)
    found, wanted = (
        torch.autograd.grad(form(scores, label), scores)[0]
        for form in (plain, generated_modules.functional(name))
    )
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(found, wanted, rtol=16 * eps, atol=eps * wanted.abs().max().item())
