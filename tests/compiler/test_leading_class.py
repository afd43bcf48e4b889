"""Where one class leads, what a softmax gives and gets is exact to rounding.

A probability that rounds to 1 has a logarithm near 0 and a gradient that is minus what the others
get: both lie below the rounding of the parts that they are the difference of. Compiled, run in
float32 and held against the formula in many digits.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mpmath import mp
from torch import Tensor

from lossgen.nodes import Letter
from lossgen.pipeline import module_source
from lossgen.spec import LossSpec
from tests.compiler.catalogue import spec_of
from tests.compiler.exact import evaluate

N, C = Letter("n"), Letter("c")
CLASSES = 4
GAPS = (0.0, 1.0, 5.0, 17.0, 30.0, 80.0)
# The last class but one ties with the first; or all follow it at a distance.
ROWS = [(0.0, -gap, -gap - 0.5, -gap) for gap in GAPS] + [(0.5, -gap, 0.5, -gap) for gap in GAPS]
FACTORS = (1.0, 0.25, -0.5, 2.0)
EPS = 2.0**-23
BODIES = {
    "a sum of probabilities": "Sum(softmax(x[n, c], c) * y[n, c], c)",
    "probabilities over their size": (
        "p = softmax(x[n, c], c); Sum(p * y[n, c], c) / Sum(p**2 + y[n, c] ** 2, c)"
    ),
    "soft labels": "-Sum(y[n, c] * log_softmax(x[n, c], c), c)",
    "probabilities and their logarithms": (
        "p = softmax(x[n, c], c); Sum(p * y[n, c] + y[n, c] * log_softmax(x[n, c], c), c)"
    ),
    "scaled scores": "Sum(y[n, c] * log_softmax(x[n, c] / 3, c), c)",
}


def run(loss: LossSpec, rows: list[tuple[float, ...]], factors: Tensor) -> tuple[Tensor, Tensor]:
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    x = torch.tensor(rows, requires_grad=True)
    value = namespace[loss.functional_name](x, factors, reduction="none")
    (slope,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), slope


def slopes(loss: LossSpec, row: tuple[float, ...], factors: tuple[float, ...]) -> list[Any]:
    """The gradient of one row's item by differences, in 300 digits."""
    step = mp.mpf(10) ** -100

    def value(k: int, move: Any) -> Any:
        def read(name: str, at: tuple[int, ...]) -> Any:
            if name == "y":
                return mp.mpf(factors[at[-1]])
            return mp.mpf(row[at[-1]]) + (move if at[-1] == k else 0)

        return evaluate(loss.item, read, {N: 0}, CLASSES)

    return [(value(k, step) - value(k, -step)) / (2 * step) for k in range(CLASSES)]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_leading_class_gets_what_the_others_lose(body: str) -> None:
    loss = spec_of(body, "x: Logits[n, c], y: Real[n, c]")
    _, found = run(loss, ROWS, torch.tensor([FACTORS] * len(ROWS)))
    with mp.workdps(300):
        for row, mine in zip(ROWS, found.tolist(), strict=True):
            exact = slopes(loss, row, FACTORS)
            # What the others get may cancel; and they are as exact as the slope of a quotient.
            terms = [max(abs(e), sum(map(abs, exact)) / 2) for e in exact]
            errors = [
                float(abs(a - e) / t / EPS) for a, e, t in zip(mine, exact, terms, strict=True)
            ]
            assert max(errors) <= 16, (row, mine, list(map(float, exact)), errors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_logarithm_of_a_probability_near_one_is_exact(dtype: torch.dtype) -> None:
    loss = spec_of("log_softmax(x[n, c], c)", "x: Logits[n, c]")
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    found = namespace[loss.functional_name](torch.tensor(ROWS, dtype=dtype), reduction="none")
    with mp.workdps(300):
        for row, mine in zip(ROWS, found.tolist(), strict=True):
            total = mp.log(mp.fsum(mp.exp(mp.mpf(x)) for x in row))
            for x, a in zip(row, mine, strict=True):
                exact = mp.mpf(x) - total
                assert abs(a - exact) <= 8 * torch.finfo(dtype).eps * abs(exact), (row, a, exact)
