"""The functional forms under torch.compile and torch.export: one graph, the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad

from tests import generated_modules
from tests.machinery.sampling import Sample, bound, close, expected, gradients, sample

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)
# A formula of each kind: elementwise, classes, gather, pairs of rows, shifts, labels, options.
VARIED = [
    name
    for name in (
        "mse",
        "cross_entropy",
        "dice",
        "info_nce",
        "multilabel_margin",
        "multi_margin",
        "total_variation",
        "supcon",
        "triplet_margin",
        "barron",
    )
    if name in NAMES
]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(function: Callable[..., Any], backend: str = "aot_eager") -> Callable[..., Any]:
    made: Callable[..., Any] = torch.compile(function, backend=backend, fullgraph=True)
    return made


def check_forward_and_backward(drawn: Sample, backend: str) -> None:
    leaves = drawn.leaves()
    value = compiled(drawn.functional, backend)(**leaves)
    ours = gradients(value, [leaves[key] for key in drawn.floats])
    close((value.detach(), ours), expected(drawn))


def check_transformed(drawn: Sample, backend: str) -> None:
    call = bound(drawn, drawn.functional, drawn.floats)
    values = [drawn.tensors[key] for key in drawn.floats]
    ours = compiled(grad(call, tuple(range(len(values)))), backend)(*values)
    close(ours, tuple(expected(drawn)[1]))


@each_loss
def test_forward_and_backward(name: str) -> None:
    check_forward_and_backward(sample(name), "aot_eager")


@pytest.mark.parametrize("name", VARIED)
def test_compiled_grad(name: str) -> None:
    check_transformed(sample(name), "aot_eager")


@pytest.mark.xfail(strict=True, reason="torch.compile takes a Function's backward as a constant")
@pytest.mark.parametrize("name", VARIED[:4])
def test_compiled_second_order(name: str) -> None:
    """The stated limit: first derivatives only. When torch lifts it, this test says so."""
    drawn = sample(name)
    values = [drawn.tensors[drawn.floats[0]]]

    def curvature(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        inner = grad(bound(drawn, function, drawn.floats[:1]))
        made: Callable[..., Tensor] = grad(lambda value: inner(value).square().sum())
        return made

    close(compiled(curvature(drawn.functional))(*values), curvature(drawn.plain)(*values))


@pytest.mark.parametrize("name", VARIED)
def test_sizes_may_vary(name: str) -> None:
    drawn = sample(name, optional=False)
    run = torch.compile(drawn.functional, backend="aot_eager", fullgraph=True, dynamic=True)
    close(run(**drawn.tensors), drawn.plain(**drawn.tensors))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in VARIED])
def test_compiled_grad_of_the_rest(name: str) -> None:
    check_transformed(sample(name), "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_native_code(name: str) -> None:
    check_forward_and_backward(sample(name), "inductor")
    check_transformed(sample(name), "inductor")


class Holder(nn.Module):
    """A module whose forward is one call of a loss."""

    def __init__(self, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, *values: Tensor) -> Tensor:
        return self.call(*values)


@each_loss
def test_export(name: str) -> None:
    drawn = sample(name)
    call = bound(drawn, drawn.functional, list(drawn.tensors))
    program = torch.export.export(Holder(call), tuple(drawn.tensors.values()), strict=False)
    leaves = drawn.leaves()
    value = program.module()(*leaves.values())
    ours = gradients(value, [leaves[key] for key in drawn.floats])
    close((value.detach(), ours), expected(drawn))
