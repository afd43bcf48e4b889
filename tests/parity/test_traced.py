"""The forward alone, differentiated by autograd, against torch: what compile and export trace.

`torch.compile` of `torch.func.grad` and gradients through an exported module differentiate the
forward of an `autograd.Function` and never call its backward, so its conventions must hold there.
"""

from __future__ import annotations

import pytest
import torch

from tests import generated_modules
from tests.parity.compare import first_differences
from tests.parity.grid import grid_cases
from tests.parity.losses import LOSSES
from tests.parity.samples import accepted


def expose_forward(loss: str, patch: pytest.MonkeyPatch) -> None:
    """Let the module of a loss call the forward of its functions directly."""
    for member in vars(generated_modules.load(loss)).values():
        if isinstance(member, type) and issubclass(member, torch.autograd.Function):
            patch.setattr(member, "apply", member.forward)


@pytest.mark.parametrize("loss", LOSSES)
def test_forward_is_differentiable_as_it_stands(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expose_forward(loss, monkeypatch)
    found = first_differences([*grid_cases(loss), *accepted(loss)])
    assert not found, "\n".join(found)
