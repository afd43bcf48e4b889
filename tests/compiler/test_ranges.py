"""What is known of the values of an expression: nothing that does not hold, and enough for rules.

Ranges are held against values: an expression is evaluated at many points of what it reads, and no
value may lie outside the range that is claimed for it.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
import sympy as sp
from mpmath import mp

from lossgen import language, roles
from lossgen.nodes import Letter, Param, Read, word
from lossgen.stabilize import Known, Refused
from lossgen.stabilize.ranges import INF, REAL, UNIT, Range, hull, point
from tests.compiler.exact import evaluate, real

E = Letter("e")
ROLES = {
    "r": roles.Real,
    "p": roles.Positive,
    "u": roles.Probabilities,
    "l": roles.LogProbabilities,
    "o": roles.Positive,
    "f": roles.NonNegative,
}
NAMES: dict[str, Any] = {
    **{word: getattr(language, word) for word in language.__all__},
    **{name: Read(word(name), E) for name in "rpul"},
    **{name: Param(name, **ROLES[name].assumptions) for name in "of"},
}
# A body, and what a rule may ask of it.
CLAIMS = {
    "exp(r)": "positive",
    "sigmoid(r)": "positive",
    "1 - u": "nonnegative",
    "1 + r ** 2": "positive",
    "exp(l)": "positive",
    "p * o": "positive",
    "p + f": "positive",
    "u * p + f": "nonnegative",
    "r ** 2 / o": "nonnegative",
    "1 / p": "positive",
    "l - 1": "negative",
    "-exp(r)": "negative",
    "Abs(r) + o": "positive",
    "Max(r, o)": "positive",
    "clip(r, 0.1, 0.9)": "positive",
    "where(r > 0, p, u)": "nonnegative",
    "sqrt(p) * u": "nonnegative",
    "1 - tanh(r)": "nonnegative",
    "log(1 + p)": "positive",
    "softplus(r) * p ** 2.5": "positive",
    "(1 + u) ** -2": "positive",
    "1 + sin(r)": "nonnegative",
    "p ** f": "positive",
    "2 - u ** 2": "positive",
    "1 - exp(l)": "nonnegative",
    "hypot(r, o)": "positive",
    "1 - erf(r)": "nonnegative",
    "xlogy(u, p) ** 2": "nonnegative",
    "expm1(p)": "positive",
    "cosh(r)": "positive",
}
DOUBTS = {
    "r": "positive",
    "1 - p": "nonnegative",
    "u": "positive",
    "u - u ** 2": "positive",
    "p - f": "nonnegative",
    "r * o": "nonnegative",
    "l": "negative",
    "f": "positive",
    "r ** 3": "nonnegative",
    "log(p)": "nonnegative",
    "Min(p, r)": "positive",
    "1 / r": "nonnegative",
}


def expression(body: str) -> sp.Expr:
    text = body.replace("r > 0", "Compare('>', r, 0)")
    from lossgen.nodes import Compare

    return sp.sympify(eval(text, {**NAMES, "Compare": Compare}))


def drawn(name: str, random: Random) -> float:
    """A value that the name's role admits, its ends among them."""
    role = ROLES[name]
    size = 10 ** random.uniform(-12, 1.3)
    if role.upper == 1:
        return random.choice((0.0, 1.0, random.random()))
    if role.upper == 0:
        return random.choice((0.0, -size))
    if role.lower == 0:
        return size if role.open_lower else random.choice((0.0, size))
    return random.choice((0.0, size, -size))


@pytest.mark.parametrize("body", CLAIMS)
def test_what_rules_ask_is_shown(body: str) -> None:
    getattr(Known(ROLES), CLAIMS[body])(expression(body))


@pytest.mark.parametrize("body", DOUBTS)
def test_what_does_not_hold_is_not_shown(body: str) -> None:
    with pytest.raises(Refused, match="is not known to be"):
        getattr(Known(ROLES), DOUBTS[body])(expression(body))


@pytest.mark.parametrize("body", [*CLAIMS, *DOUBTS])
def test_no_value_lies_outside_its_range(body: str) -> None:
    expr, random = expression(body), Random(1)
    claimed = Known(ROLES).of(expr)
    with mp.workdps(500):
        for _ in range(200):
            values = {name: mp.mpf(drawn(name, random)) for name in ROLES}
            try:
                found = real(evaluate(expr, lambda n, _, v=values: v[n], {E: 0}, 4, values))
            except ZeroDivisionError:
                continue
            if found is None:
                continue
            assert claimed.low <= found <= claimed.high, values
            assert not (claimed.low_open and found == claimed.low), values
            assert not (claimed.high_open and found == claimed.high), values


def test_products_know_which_ends_are_left_out() -> None:
    positive, unit = Range(0, INF, True, True), Range(0, 1)
    assert positive * unit == Range(0, INF, False, True)
    assert positive * positive == positive
    assert (positive * -positive).negative
    assert (REAL * unit) == REAL
    assert Range(-2, 3).square() == Range(0, 9)
    assert Range(2, 4).reciprocal() == Range(0.25, 0.5)
    assert not REAL.reciprocal().nonzero


def test_a_hull_holds_both() -> None:
    assert hull((point(0.0), Range(1, 2, True, False))) == Range(0, 2)
    assert hull((UNIT, Range(0, 1, True, True))) == UNIT


def test_what_underflows_is_still_above_zero() -> None:
    tiny = Range(1e-300, 1e-300)
    assert (tiny * tiny).positive
    assert Range(-math.inf, -1e5).through(math.exp, 0.0, INF).positive
