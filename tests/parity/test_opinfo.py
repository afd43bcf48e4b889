"""Every OpInfo sample of torch's own losses: value, all gradients, and their numerical checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from tests import generated_modules
from tests.parity.compare import first_differences
from tests.parity.kinks import LABELS, off_kinks
from tests.parity.losses import LOSSES, Case, torch_outcome
from tests.parity.samples import REFUSED, accepted, cases, error_calls

Check = Callable[..., bool]


@pytest.mark.parametrize("loss", LOSSES)
def test_value_and_every_gradient_equal_torch(loss: str) -> None:
    found = first_differences(accepted(loss))
    assert not found, "\n".join(found)


def test_refused_samples_exist() -> None:
    known = [f"{loss}: {case.name}" for loss in LOSSES for case in cases(loss)]
    assert set(known) >= REFUSED
    assert len(known) >= 867  # torch 2.13 has so many: an emptied database must not pass


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_undocumented_broadcasting_is_refused(name: str) -> None:
    loss = name.partition(":")[0]
    (case,) = (case for case in cases(loss) if f"{loss}: {case.name}" == name)
    with pytest.raises(ValueError, match=loss) as caught:
        generated_modules.functional(loss)(**case.tensors, **case.options)
    for tensor in case.tensors.values():
        if tensor.shape != case.tensors[next(iter(case.tensors))].shape:
            assert str(list(tensor.shape)) in str(caught.value)
            break


@pytest.mark.parametrize("loss", LOSSES)
def test_torchs_error_samples_are_errors(loss: str) -> None:
    function = generated_modules.functional(loss)
    taken = [call for call, args, options in error_calls(loss) if _accepts(function, args, options)]
    assert not taken


def _accepts(function: Callable[..., Tensor], args: tuple[Any, ...], options: Any) -> bool:
    try:
        function(*args, **options)
    except (ValueError, TypeError, IndexError, RuntimeError):
        return False
    return True


def smooth(loss: str) -> list[Case]:
    """The accepted samples moved off their kinks; finite differences need finite inputs."""
    return [
        off_kinks(case)
        for case in accepted(loss)
        if all(bool(torch.isfinite(case.tensors[key]).all()) for key in case.floats)
    ]


def run_check(case: Case, check: Check, *, fast_mode: bool) -> str | None:
    """One numerical check of one case; what it says where it fails."""
    keys = [key for key in torch_outcome(case).gradients if (case.loss, key) not in LABELS]
    function = generated_modules.functional(case.loss)
    leaves = [case.tensors[key].detach().clone().requires_grad_() for key in keys]

    def call(*values: Tensor) -> Tensor:
        result: Tensor = function(
            **{**case.tensors, **dict(zip(keys, values, strict=True))}, **case.options
        )
        return result

    try:
        check(call, leaves, fast_mode=fast_mode)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return f"{case.loss}: {case.name}: {error}"
    return None


def failures(chosen: Iterable[Case], *, fast_mode: bool) -> list[str]:
    """What gradcheck and gradgradcheck find wrong with the cases."""
    return [
        line
        for case in chosen
        for check in (gradcheck, gradgradcheck)
        if (line := run_check(case, check, fast_mode=fast_mode)) is not None
    ]


@pytest.mark.parametrize("loss", LOSSES)
def test_numerical_derivatives_of_some_samples(loss: str) -> None:
    every = smooth(loss)
    found = failures(every[:: max(1, len(every) // 20)], fast_mode=True)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_numerical_derivatives_of_all_samples(loss: str) -> None:
    found = failures(smooth(loss), fast_mode=False)
    assert not found, "\n".join(found)
