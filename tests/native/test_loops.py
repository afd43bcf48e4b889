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
    found = loops("multi_margin")
    assert not any("in_range" in loop for loop in found)
    # And is in 32 bits there: in 64 an instruction compares half as many.
    assert not any(re.search(r"c [!=]= target_here", loop) for loop in found)


def test_what_belongs_to_a_class_is_not_computed_for_each_element() -> None:
    assert not any("real_power" in loop for loop in loops("focal_tversky"))


def test_ends_of_an_axis_are_compared_in_32_bits() -> None:
    """In 64 bits an instruction compares half as many."""
    assert not any(re.search(r"start \+ i[ +\d]* [<>]", loop) for loop in loops("total_variation"))


def test_memory_is_asked_for_before_the_loop_that_writes_it() -> None:
    text = source(load_spec(SPECS / "cross_entropy.py"), (), "c").kernels
    assert text is not None
    asked, dear = text.index("written_soon(d_input_out"), text.index("= real_exp_negative(below")
    assert asked < dear < text.index("store(STREAMED ? d_input_row")


def test_a_long_body_is_computed_by_two_loops() -> None:
    """So many instructions in one, and each waits for those before it."""
    first, second = loops("asymmetric")
    assert "real_sigmoid(" in first
    assert "real_sigmoid(" not in second
    assert "real_log(" in second
