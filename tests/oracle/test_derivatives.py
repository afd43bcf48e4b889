"""The chain rule over parts against SymPy's derivative of the whole expression, and the tie rules."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sympy as sp

from tests.oracle.loading import generated_test, written

POOLED = """
@loss()
def pooled(input: Real[n, d], target: Positive[n, d], *, power: Positive = 1.5):
    "A name inside a name, a mean over the batch, and a logarithm of a sum of exponentials."
    centred = input[n, d] - Mean(input[n, d], n)
    score = centred * target[n, d] ** power
    return logsumexp(score, d) / Sum(target[n, d], d)
"""
TIED = """
@loss()
def tied(input: Real[e], target: Real[e]):
    "Every kink once."
    first = Max(0, input[e] - target[e]) + 2 * Max(0, input[e] - target[e], tie=1)
    second = 4 * Max(input[e], target[e]) + 8 * Min(input[e], target[e], tie=0.25)
    return first + second + 16 * Abs(input[e] - target[e]) + 32 * clip(input[e], target[e], 9)
"""


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generated_test(written(POOLED, "pooled"), tmp_path_factory.mktemp("pooled"))


def _expanded(
    test: ModuleType, exact: Any, reduction: str
) -> tuple[Any, list[Any], dict[Any, Any]]:
    """The objective as one expression in the elements: no parts, no chain rule."""
    elements = [x for symbols in exact.symbols.values() for x in symbols]
    # The same formula over plain symbols, with every part inlined.
    test_part, test_named = test.part, test.named
    values = {x: sp.Float(str(test.KNOWN[x].value), 60) for x in elements}
    try:
        test.part = lambda function: function
        test.named = sp.sympify
        arguments = {
            k: test.Elements(symbols, tuple(exact.tensors[k].shape))
            for k, symbols in exact.symbols.items()
        }
        items, _, _ = test.formula(**arguments, power=sp.Rational(3, 2))
    finally:
        test.part, test.named = test_part, test_named
    weights = map(sp.Rational, test.upstream(len(items) if reduction == "none" else 1).tolist())
    if reduction == "none":
        objective = sum(g * x for g, x in zip(weights, items.values(), strict=True))
    else:
        objective = next(weights) * sum(items.values()) / len(items)
    return objective, elements, values


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_chain_rule_is_the_derivative_of_the_whole(pooled: ModuleType, reduction: str) -> None:
    exact = pooled.solved(pooled.CASES["defaults"])
    objective, elements, values = _expanded(pooled, exact, reduction)
    found = [x.value for row in exact.gradient(reduction).values() for x in row]
    assert any(found)
    for element, got in list(zip(elements, found, strict=True))[::2]:
        want = objective.diff(element).evalf(40, subs=values)
        assert abs(sp.Float(str(got), 60) - want) < sp.Float("1e-35")


def test_second_derivative_is_that_of_the_whole(pooled: ModuleType) -> None:
    exact = pooled.solved(pooled.CASES["defaults"])
    objective, elements, values = _expanded(pooled, exact, "mean")
    steps = pooled.directions(exact.tensors)
    along = [sp.Rational(v) for name in exact.symbols for v in steps[name].flatten().tolist()]
    slope = objective.diff(elements[4])
    want = sum(
        v * slope.diff(x) for x, v in zip(elements, along, strict=True) if x in slope.free_symbols
    )
    got = [x.value for row in exact.second("mean").values() for x in row][4]
    assert abs(sp.Float(str(got), 60) - want.evalf(40, subs=values)) < sp.Float("1e-30")


def test_ties_follow_the_spec(tmp_path: Path) -> None:
    """At a tie: 0 of the first hinge, all of the second, a half, a quarter, 0, and 1 within a clip."""
    test = generated_test(written(TIED, "tied"), tmp_path)
    case = next(case for case in test.CASES.values() if case.manner == "ties")
    exact = test.solved(case)
    input, target = (exact.tensors[k].flatten().tolist() for k in ("input", "target"))
    place = next(k for k, (a, b) in enumerate(zip(input, target, strict=True)) if a == b)
    weight = test.upstream(len(input)).tolist()[place]
    slope = exact.gradient("none")["input"][place].value / weight
    assert slope == 0 * 1 + 1 * 2 + 4 / 2 + 8 / 4 + 0 * 16 + 32
