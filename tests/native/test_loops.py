"""What kernels leave out of their innermost loops."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from lossgen.backends.c.conditions import whole_code
from lossgen.nodes import Param
from lossgen.pipeline import source
from lossgen.spec import load_spec
from tests.machinery.sampling import SPECS

GAMMA = Param("gamma")


@pytest.mark.parametrize(
    ("exponent", "code"),
    [
        (GAMMA, "WHOLE_GAMMA"),
        (GAMMA - 1, "(WHOLE_GAMMA > 0 ? WHOLE_GAMMA - 1 : -1)"),
        (GAMMA - 2, "(WHOLE_GAMMA > 1 ? WHOLE_GAMMA - 2 : -1)"),
        (GAMMA + 1, "-1"),
        (2 * GAMMA, "-1"),
        (1 / GAMMA, "-1"),
        (GAMMA - Param("alpha"), "-1"),
        (GAMMA - sp.Rational(1, 2), "-1"),
    ],
)
def test_what_is_known_of_an_exponent(exponent: sp.Expr, code: str) -> None:
    assert whole_code(exponent) == code


def loops(name: str) -> list[str]:
    """The text of every loop that is to become vector code."""
    text = source(load_spec(SPECS / f"{name}.py"), (), "c").kernels
    assert text is not None
    body = text[text.index("\nint ") :]
    found = re.findall(r"#pragma omp simd[^\n]*\n( *)for [^\n]*\n(.*?)\n\1\}", body, re.DOTALL)
    assert found
    return [lines for _, lines in found]


def test_a_label_is_checked_once_for_each_row() -> None:
    """A check that may fail, in the loop, would keep it scalar."""
    assert not any("in_range" in loop for loop in loops("multi_margin"))


def test_what_belongs_to_a_class_is_not_computed_for_each_element() -> None:
    assert not any("real_power" in loop for loop in loops("focal_tversky"))
