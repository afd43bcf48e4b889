"""Kernels in C of formulas that ``benchmarks/drawn.py`` found wrong, beside plain torch."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks.drawn_checks import built, drawn_calls, kernel
from benchmarks.drawn_formulas import Formula
from benchmarks.drawn_worlds import WORLDS
from tests.native.maths import COMPILER

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
FOUND = {
    "a condition beside a flag": (
        "elements",
        "x: Real[e], *, flag: Flag = False",
        "where(x[e] > 0 and flag, x[e]**3, x[e])",
    ),
    "items of a softmax over a middle axis": (
        "maps",
        "x: Real[n, c, s]",
        "log_softmax(x[n, c, s], c)",
    ),
    "another letter than the axis'": ("pairs", "u: Real[n]", "tanh(u[i])"),
    "one of two gradients": (
        "maps",
        "p: Probabilities[n, c, s], q: Real[c]",
        "Sum(p[n, c, s]*q[c], c, s)/(1 + Sum(p[n, c, s], c, s))",
    ),
    "a number before the tensors": ("steps", "a: Learnable, x: Real[n, t]", "Sum(a*x[n, t], t)"),
}


_QUICK = ("a condition beside a flag", "items of a softmax over a middle axis")


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=[] if x in _QUICK else [pytest.mark.slow]) for x in FOUND]
)
def test_what_drawing_found(name: str, tmp_path: Path) -> None:
    world, arguments, item = FOUND[name]
    formula = Formula(WORLDS[world], arguments, f"return {item}")
    spec = formula.spec("found")
    module = built(spec, tmp_path, "c")
    assert module is not None
    plain = getattr(module, spec.function_name)
    for call in (*drawn_calls(spec, formula, Random(1)),)[:2]:
        assert [x for x in kernel(spec, call, plain, module, Random(1)) if x] == []
    assert module._why_not() is None
