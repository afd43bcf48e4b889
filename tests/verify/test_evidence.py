"""Arithmetic with symbols, torch's operations in it, and what a report says was shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lossgen
from lossgen.verify.evidence.arrays import array
from lossgen.verify.evidence.element import Undecided
from lossgen.verify.evidence.field import Symbols
from lossgen.verify.evidence.operations import rules
from lossgen.verify.truth import mp
from tests.verify import losses

COSTLY = ("torch.compile", "large tensors")


def algebra() -> Symbols:
    return Symbols(time.process_time() + 20, 24)


@pytest.mark.parametrize(
    "identity",
    [
        lambda a, x, y: a.log(a.exp(x)) - x,
        lambda a, x, y: a.exp(a.log(1 + x * x)) - 1 - x * x,
        lambda a, x, y: a.exp(x + 2 * y) - a.exp(x) * a.exp(y) ** 2,
        lambda a, x, y: a.log(a.exp(x) / (1 + a.exp(x))) + a.log(1 + a.exp(-x)),
        lambda a, x, y: x + a.log(1 + a.exp(y - x)) - a.log(a.exp(x) + a.exp(y)),
        lambda a, x, y: a.tanh(x) - 2 / (1 + a.exp(-2 * x)) + 1,
        lambda a, x, y: a.log(a.mpf(6)) - a.log(a.mpf(2)) - a.log(a.mpf(3)),
        lambda a, x, y: a.sqrt((1 + x * x) ** 2 * 4) - 2 * (1 + x * x),
        lambda a, x, y: a.sqrt(1 + x * x) ** 2 - 1 - x * x,
        lambda a, x, y: a.exp(x / 3) ** 3 - a.exp(x / 3) * a.exp(2 * x / 3),
    ],
)
def test_equal_formulas_are_equal_with_symbols(identity: Callable[..., Any]) -> None:
    a = algebra()
    assert a.is_zero(identity(a, a.symbol(0.75), a.symbol(-1.25)))


@pytest.mark.parametrize(
    "difference",
    [
        lambda a, x, y: a.exp(x + y) - a.exp(x) - a.exp(y),
        lambda a, x, y: a.log(1 + a.exp(x)) - x,
        lambda a, x, y: a.sqrt(x * x + y * y) - x - y,
        lambda a, x, y: a.log(x * x + 1) - a.log(x * x + 2),
        lambda a, x, y: x * (1 + a.mpf(2.0**-60)) - x,
    ],
)
def test_other_formulas_are_not(difference: Callable[..., Any]) -> None:
    a = algebra()
    assert not a.is_zero(difference(a, a.symbol(0.75), a.symbol(-1.25)))


def test_comparisons_are_decided_by_the_sample_and_remembered() -> None:
    a = algebra()
    x, y = a.symbol(0.75), a.symbol(-1.25)
    assert x > y
    assert abs(y).exact == (-y).exact
    assert a.branches == [True, False]
    assert a.mpf(1) < a.mpf(2)  # between numbers nothing is assumed
    assert len(a.branches) == 2


def test_it_ends_when_the_time_is_up() -> None:
    a = Symbols(time.process_time() - 1, 8)
    with pytest.raises(Undecided, match="no time left"):
        a.symbol(1.0) + 1


X = torch.tensor([[0.5, -1.25, 2.0], [0.25, 3.0, -0.75]], dtype=torch.float64)
Y = torch.tensor([[1.5, 0.25, -1.0], [2.0, -0.5, 1.25]], dtype=torch.float64)
I = torch.tensor([[2, 0, 1], [1, 1, 0]])  # noqa: E741


@pytest.mark.parametrize(
    ("name", "call", "args"),
    [
        ("mean", lambda: X.mean(1, keepdim=True), (X, [1], True)),
        ("sum", lambda: X.sum(0), (X, [0])),
        ("amax", lambda: X.amax(1), (X, [1])),
        ("_log_softmax", lambda: X.log_softmax(1), (X, 1, False)),
        ("_softmax", lambda: X.softmax(0), (X, 0, False)),
        ("gather", lambda: X.gather(1, I), (X, 1, I)),
        ("scatter", lambda: X.scatter(1, I[:, :1], 7.0), (X, 1, I[:, :1], 7.0)),
        ("scatter_add", lambda: X.scatter_add(1, I, Y), (X, 1, I, Y)),
        ("index_select", lambda: X.index_select(1, I[0]), (X, 1, I[0])),
        ("slice", lambda: X[:, 1:9], (X, 1, 1, 9)),
        ("clamp", lambda: X.clamp(-0.5, 1.0), (X, -0.5, 1.0)),
        ("where", lambda: torch.where(X > Y, X, Y), (X > Y, X, Y)),
        ("pow", lambda: X**3, (X, 3)),
        ("sigmoid", lambda: X.sigmoid(), (X,)),
        ("log1p", lambda: X.abs().log1p(), (X.abs(),)),
        ("mm", lambda: X @ Y.T, (X, Y.T)),
        ("sub", lambda: torch.sub(X, Y, alpha=2), (X, Y, 2)),
        ("linalg_vector_norm", lambda: X.norm(dim=1), (X, 2, [1])),
        ("permute", lambda: X.permute(1, 0), (X, [1, 0])),
        ("cat", lambda: torch.cat([X, Y], 1), ([X, Y], 1)),
        ("lgamma", lambda: X.abs().lgamma(), (X.abs(),)),
        ("var", lambda: X.var(0, keepdim=True), (X, [0], 1, True)),
        ("var", lambda: X.var(1, unbiased=False), (X, [1], 0)),
        ("isnan", lambda: X.isnan().double(), (X,)),
    ],
)
def test_operations_are_torchs(
    name: str, call: Callable[[], Tensor], args: tuple[Any, ...]
) -> None:
    def exact(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], Tensor):
            return [exact(v) for v in value]
        if not isinstance(value, Tensor):
            return value
        flat = [mp.mpf(v) if isinstance(v, float) else v for v in value.flatten().tolist()]
        made = np.empty(value.shape, dtype=object)
        for place, v in zip(np.ndindex(*value.shape), flat, strict=True):
            made[place] = v
        return made

    got = array(rules(mp)[name](*map(exact, args)))
    want = call()
    assert got.shape == tuple(want.shape)
    numbers = torch.tensor([float(v) for v in got.flatten()], dtype=torch.float64)
    torch.testing.assert_close(numbers, want.flatten(), rtol=1e-14, atol=1e-15)


def shown(code: Any, formula: str, **how: Any) -> tuple[str, ...]:
    evidence: tuple[str, ...] = lossgen.verify(code, formula, skip=COSTLY, **how).evidence
    return evidence


def test_a_proof_with_symbols_is_called_exact() -> None:
    first, second = shown(losses.right, "mse")
    assert first.startswith("exactly: value and gradient equal the formula as expressions in 4")
    assert second.startswith("to 50 digits")


def test_a_rounded_constant_is_told_from_another_formula() -> None:
    def with_constant(input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2 + 0.1 - 0.3 + 0.2).mean()

    (first, *_) = shown(with_constant, "mse")
    assert first.startswith("to 1")
    assert "rounded" in first


def test_a_small_epsilon_is_told() -> None:
    def guarded(input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2 / (1 + 1e-9)).mean()

    (first, *_) = shown(guarded, "mse")
    assert "such as an epsilon" in first


def test_what_cannot_be_traced_falls_back_to_numbers() -> None:
    def through_numpy(input: Tensor, target: Tensor) -> Tensor:
        scale = float(np.ones(1)[0])
        weight = torch.from_numpy(np.ones(input.shape)) if input.numel() > 0 else scale
        return ((input - target) ** 2 * torch.special.i0(0 * input) * weight).mean()

    (first, *_) = shown(through_numpy, "mse")
    assert first.startswith("in numbers: ")
