"""The generated code says a thing once, and has no line that only passes a value on."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from lossgen.backends.torch_folded import folded
from lossgen.backends.torch_numbers import Numbers
from lossgen.pipeline import render_losses
from tests.compiler.catalogue import spec_of

OVERLAP = "x: Real[n, d], y: Real[n, d], *, smooth: Positive = 1.0"
DICE = (
    "hit = Sum(x[n, d]*y[n, d], d); mass = Sum(x[n, d]**2 + y[n, d]**2, d); "
    "1 - (2*hit + smooth)/(mass + smooth)"
)
UNIT = (
    "def unit(z):\n        length = norm(z, d)\n        return where(length > 0, z/length, 0)\n    "
)
PAIRS = (
    "left = unit(x[n, d]); right = unit(y[n, d])"
    "; sim = Sum(at(left, n=i)*at(right, n=j), d)/smooth"
    "; logsumexp(sim, j)/2 + logsumexp(at(sim, i=j, j=i), j)/2 - at(sim, j=i)"
)


def module(body: str, arguments: str = OVERLAP) -> str:
    (rendered,) = render_losses([spec_of(body, arguments, "made")])
    return rendered.module


def function(text: str, name: str) -> str:
    """The first function of a name, from its head to the next."""
    return re.split(r"\n(?= *def |class )", text.split(f"def {name}(", 1)[1])[0]


def test_what_is_divided_by_twice_has_a_name() -> None:
    backward = function(module(DICE), "backward")
    assert "denominator = mass + smooth  # [N]" in backward
    assert "/ denominator / denominator" in backward
    assert backward.count("mass + smooth") == 1


def test_pairs_say_once_where_rows_stand_and_are_named_alike() -> None:
    text = module(UNIT + PAIRS)
    plain = function(text, "made")
    assert plain.count("torch.arange") == 1
    assert "left_length = " in plain
    assert "right_length = " in plain
    assert "sim = (left @ right.T) / smooth  # [N, N]" in plain


def test_a_likelihood_has_the_name_that_it_is_given() -> None:
    text = module(
        "-at(log_softmax(x[n, c], c), c=y[n])", arguments="x: Real[n, c], y: ClassIndex[n]"
    )
    assert "loss, slope = _nll_and_slope(x, y, 1)" in text
    assert "loss = nll" not in text


def test_a_factor_that_may_be_absent_stands_alone() -> None:
    text = module(
        "weight[e]*sqrt(1 + x[e]**2)*exp(-(x[e]*y[e])**2)*(1 + tanh(x[e])*tanh(y[e]))",
        arguments="x: Real[e], y: Real[e], weight: Weight[broadcast(e)] = None",
    )
    assert "    if weight is not None:\n        loss = loss * weight\n" in text


def test_what_allows_a_step_in_place_stands_above_it() -> None:
    lines = function(module(UNIT + PAIRS), "backward").splitlines()
    (at,) = (k for k, x in enumerate(lines) if "In place only" in x)
    assert any(re.search(r"\.\w+_\(", x) for x in lines[at + 1 : at + 6])


@pytest.mark.parametrize(
    ("number", "shown"),
    [("5e11", "5e11"), ("1.5e12", "1.5e12"), ("1000.0", "1000.0"), ("0.25", "0.25")],
)
def test_a_large_number_is_written_short(number: str, shown: str) -> None:
    assert Numbers().doprint(sp.Float(number)) == shown


def test_a_folded_value_is_enclosed_where_it_binds_loosely() -> None:
    assert folded("total / 2", {"total": "x.sum(-1)"}) == "x.sum(-1) / 2"
    assert folded("dot / 2 + dots", {"dot": "a @ b.T"}) == "(a @ b.T) / 2 + dots"
    assert folded("_amax(dot, 0)", {"dot": "a @ b.T"}) == "_amax(a @ b.T, 0)"
    assert folded("dot * dot", {"dot": "a @ b.T"}) == ""


def test_what_is_folded_into_a_folded_value_has_its_line() -> None:
    # The sum is the maximum's alone, and the maximum the loss's.
    body = "2*Amax(Sum(x[n, d]*y[n, c], n), d)"
    plain = function(module(body, "x: Real[n, d], y: Real[n, c]"), "made")
    assert "    max_x = _amax(x.T @ y, 0)  # [C]\n    loss = 2 * max_x  # [C]" in plain
