"""Formulas drawn at random (``benchmarks/drawn.py``): those that were found wrong, and new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.drawn import faults
from benchmarks.drawn_checks import refuted
from benchmarks.drawn_formulas import draws
from benchmarks.drawn_worlds import WORLDS
from lossgen.errors import LossgenError
from lossgen.pipeline import source
from tests.oracle.loading import generated_test, written

_DEAR = {"test_compiled", "test_vmap_over_one_operand", "test_forward_mode", "test_class_agrees"}
# What was found, in its shortest form.
FOUND = {
    "a sum masked by an option": (
        "x: Real[n, t], *, flag: Flag = False",
        "cos(Sum(x[n, t], t, where=flag))",
    ),
    "a branch without the letter that is summed over": (
        "x: Real[n, t], u: Real[n], *, flag: Flag = False",
        "Sum(where(flag, x[n, t], u[n]), t)",
    ),
    "a letter that only an absent mask has": (
        "x: Real[n, t], mask: Mask[n, t] = None",
        "Sum(tanh(x[n, t + 1] - x[n, t]), m, where=mask[n, m])",
    ),
    "fewer items than elements": ("x: Real[n, t]", "3*tanh(x[n, t + 1] - x[n, t])"),
    "fewer items than weights": (
        "x: Real[n, t]",
        "averaged((x[n, t + 1] - x[n, t])**2, over=1 + x[n, t]**2)",
    ),
    "axes in an order that no tensor has": (
        "q: Real[c], target: ClassIndex[n, s]",
        "where(target[n, s] != 1, q[c], 0)",
    ),
    "one number, as an option may be": (
        "x: Real[n, t], *, flag: Flag = False",
        "where(flag, x[n, t], -2)",
    ),
    "a softmax over the samples": ("u: Real[n]", "log_softmax(u[n], n)"),
    "a softmax over the positions": ("x: Real[n, c, s]", "tanh(log_softmax(x[n, c, s], s))"),
    "a number before the tensors": ("a: Learnable, x: Real[n, t]", "Sum(tanh(a*x[n, t]), t)"),
    "a mean that divides by a constant": ("u: Real[n]", "averaged(u[n], over=2)"),
    "bounds that are tensors": ("x: Real[e], y: Positive[e]", "clip(x[e], -y[e], y[e])*x[e]"),
    "a tensor as one of the bounds": ("x: Real[e], y: Positive[e]", "clip(x[e], y[e], 2)"),
    "options held within bounds": (
        "x: Real[e], *, a: Positive = 0.7, g: NonNegative = 2.0",
        "clip(a, 0, g)*xlogy(a, g + 1)*tanh(x[e])",
    ),
    "a condition beside the opposite of an option": (
        "x: Real[e], *, flag: Flag = False",
        "where(x[e] > 0 or not flag, x[e]**3, x[e])",
    ),
    "a whole exponent": ("x: Real[e], *, k: Integer = 2", "x[e]**k*x[e]"),
    "a step that an option turns off": (
        "x: Real[e], *, flag: Flag = False",
        "(x[e] > 0)*flag*x[e]",
    ),
    "a number to a power": ("x: Real[e], *, g: NonNegative = 2.0", "g**x[e]"),
    "a label beside every class": (
        "x: Logits[n, c], target: ClassIndex[n]",
        "Sum(where(c != target[n], Max(0, 1 + x[n, c] - x[n, target[n]]), 0), c)",
    ),
    "a class read at another for each": (
        "x: Logits[n, c], target: ClassIndex[n, c]",
        "(x[n, target[n, c]] - x[n, c])**2",
    ),
    "a condition with the slope of what it asks about": (
        "x: Real[n, c], p: Probabilities[n, c]",
        "Sum(straight_through(p[n, c] > 0.5, gradient_of=p[n, c])*x[n, c], c)",
    ),
    "the root of a square": ("x: Real[e]", "sqrt(x[e]**2)*x[e] + (x[e]**2)**1.5"),
    "an option held constant": ("x: Real[e], *, k: Integer = 2", "stop_gradient(k/2)*sin(x[e])"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_drawing_found(name: str, tmp_path: Path) -> None:
    arguments, item = FOUND[name]
    spec = written(f'@loss()\ndef found({arguments}):\n    "A loss."\n    return {item}\n', "found")
    test = generated_test(spec, tmp_path, module=source(spec, (), "eager").module)
    assert list(refuted(test, _DEAR)) == []


# Of these a test asks too much, or an axis is that of an optional mask alone.
_OPEN = {("rows", 0), ("labels", 0), ("pairs", 2), ("pairs", 3)}
_DRAWN = [
    pytest.param(world, seed, marks=[pytest.mark.xfail] if (world, seed) in _OPEN else [])
    for world in WORLDS
    for seed in range(4)
]


@pytest.mark.slow
@pytest.mark.parametrize(("world", "seed"), _DRAWN)
def test_formulas_drawn_anew(world: str, seed: int, tmp_path: Path) -> None:
    draw = draws(seed, world, depth=2)
    spec = None
    while spec is None:
        formula = draw.formula()
        try:
            spec = formula.spec("drawn")
            source(spec, (), "eager")
        except LossgenError:  # terms that cancel, an argument without use
            spec = None
    wrong = [x for x in faults(spec, formula, tmp_path) if " EXTREME " not in x]
    assert wrong == [], formula.text("drawn")
