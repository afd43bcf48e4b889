"""What the tests of the catalogue share: compiling a spec, and comparing it with a reference."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import module_source
from lossgen.spec import LossSpec, load_spec

SPECS = Path(__file__).parents[2] / "specs"


@cache
def _spec(name: str) -> LossSpec:
    return load_spec(SPECS / f"{name}.py")


@cache
def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(module_source(_spec(name)), f"{name}.py", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="session")
def functional() -> Callable[[str], Callable[..., Tensor]]:
    """The functional form of a spec of the catalogue, compiled from its file."""
    return lambda name: getattr(_module(name), _spec(name).functional_name)


@pytest.fixture(scope="session")
def plain() -> Callable[[str], Callable[..., Tensor]]:
    """The function-style form: the formula in plain lines."""
    return lambda name: getattr(_module(name), name)


@pytest.fixture(scope="session")
def check(
    functional: Callable[[str], Callable[..., Tensor]],
    plain: Callable[[str], Callable[..., Tensor]],
) -> Callable[..., None]:
    """Compare a spec with a reference: every item, the mean, and the gradient of each input.

    The reference takes the tensors and the options by name and returns the unreduced loss, or that
    with what its mean divides by.
    """

    def compare(
        name: str, reference: Callable[..., Any], tensors: dict[str, Any], **options: Any
    ) -> None:
        def leaves() -> dict[str, Any]:
            return {k: _leaf(v) for k, v in tensors.items()}

        theirs, ours, short = leaves(), leaves(), leaves()
        expected = reference(**theirs, **options)
        items, divisor = expected if isinstance(expected, tuple) else (expected, expected.numel())
        loss = functional(name)
        result = loss(**ours, **options, reduction="none")
        assert result.shape == items.shape
        torch.testing.assert_close(result, items, rtol=1e-10, atol=1e-12)
        mean = items.sum() / divisor
        torch.testing.assert_close(loss(**ours, **options), mean, rtol=1e-10, atol=1e-12)
        value = plain(name)(**short, **options)
        torch.testing.assert_close(value, mean, rtol=1e-10, atol=1e-12)

        upstream = torch.linspace(-1.0, 2.0, items.numel(), dtype=items.dtype).reshape(items.shape)
        (items * upstream).sum().backward(retain_graph=True)
        (result * upstream).sum().backward()
        for key, leaf in theirs.items():
            if _differentiable(leaf):
                _same_gradient(ours[key].grad, leaf.grad, key)
                leaf.grad = None
        mean.backward()
        value.backward()
        for key, leaf in theirs.items():
            if _differentiable(leaf):
                _same_gradient(short[key].grad, leaf.grad, key)

    return compare


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone().requires_grad_(value.is_floating_point())
    return value


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _same_gradient(ours: Tensor | None, theirs: Tensor | None, name: str) -> None:
    shape = ours if ours is not None else theirs
    if shape is None:
        return
    zero = torch.zeros_like(shape)
    torch.testing.assert_close(
        zero if ours is None else ours,
        zero if theirs is None else theirs,
        rtol=1e-9,
        atol=1e-11,
        msg=lambda text: f"gradient of {name}: {text}",
    )
