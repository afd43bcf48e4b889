"""Fewer passes over the elements: shared values, common factors, fused steps, work in place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy.core.parameters import distribute
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.compiled import compile_loss
from lossgen.errors import LossgenError
from lossgen.factoring import factored
from lossgen.keep import cost
from lossgen.nodes import Letter, Param, Read, Where, walk
from lossgen.pipeline import module_source
from lossgen.program import show
from tests.compiler.catalogue import NAMES, formulas, spec_of

E = Letter("e")
A, B, P, Q, X = (Read(Str(name), E) for name in "abpqx")
PAIR = "x: Real[e], y: Real[e]"


def module(body: str, arguments: str, name: str = "made") -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(module_source(spec_of(body, arguments, name)), "made.py", "exec"), namespace)
    return namespace


# --- masks ------------------------------------------------------------------------------------

SIMILAR = "s = Sum(at(x[n, d], n=i) * at(x[n, d], n=j), d); "
TWICE = f"{SIMILAR}logsumexp(s, j, where=i != j) + Sum(exp(-s), j, where=j != i)"
OPPOSITE = f"{SIMILAR}Sum(where(i == j, s**2, exp(-s)), j) + Amax(s, j, where=i != j)"


def twice(own: float, others: list[float]) -> float:
    return math.log(math.fsum(map(math.exp, others))) + math.fsum(math.exp(-s) for s in others)


def opposite(own: float, others: list[float]) -> float:
    return own**2 + math.fsum(math.exp(-s) for s in others) + max(others)


@pytest.mark.parametrize(("body", "item"), [(TWICE, twice), (OPPOSITE, opposite)])
def test_a_diagonal_that_several_ask_for_is_made_once_in_each_function(
    body: str, item: Callable[[float, list[float]], float]
) -> None:
    text = module_source(spec_of(body, "x: Real[n, d]", "made"))
    functions = re.split(r"\n *def ", text)
    assert {f.count("torch.eye(") for f in functions} == {0, 1}
    made = module(body, "x: Real[n, d]")
    x = torch.tensor([[0.5, -1.0], [0.25, 2.0], [1.5, 0.0]], dtype=torch.float64)
    expected = [item(row[i], row[:i] + row[i + 1 :]) for i, row in enumerate((x @ x.T).tolist())]
    assert made["made_loss"](x, reduction="none").tolist() == pytest.approx(expected, rel=1e-12)
    assert made["made"](x).item() == pytest.approx(math.fsum(expected) / 3, rel=1e-12)
    assert torch.autograd.gradcheck(made["made_loss"], (x.requires_grad_(),))


# --- sharing ----------------------------------------------------------------------------------


def test_a_dear_value_that_stands_twice_is_computed_once() -> None:
    loss = compile_loss(spec_of("sigmoid(-x[e]) * y[e] + sigmoid(-x[e]) ** 2", PAIR))
    assert show(loss.forward).splitlines() == [
        "sigmoid_neg_x[e] = sigmoid(-x[e])",
        "loss[e] = sigmoid_neg_x[e]**2 + sigmoid_neg_x[e]*y[e]",
    ]


def test_what_costs_one_pass_is_written_again() -> None:
    loss = compile_loss(spec_of("(1 - x[e]) * exp(1 - x[e])", "x: Real[e]"))
    assert show(loss.forward).splitlines() == ["loss[e] = (1 - x[e])*exp(1 - x[e])"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_dear_is_computed_twice(name: str) -> None:
    for loss in formulas(name):
        seen: dict[sp.Basic, str] = {}
        for x in loss.forward.statements:
            # Elsewhere the same text may stand for another span of the letters.
            for node in walk(x.body) if not x.extents else ():
                dear = isinstance(node, nd.Unary) and cost(node) >= 4
                if dear and nd.free_letters(node) and x.op == "map":
                    assert seen.setdefault(node, x.name) == x.name, (node, x.name)


# --- factoring --------------------------------------------------------------------------------


def test_a_common_factor_is_taken_out_of_a_sum() -> None:
    with distribute(False):
        assert factored(A * P * Q - B * P * Q) == (A - B) * P * Q
        assert factored(A * P + B * P + X) == (A + B) * P + X


def test_a_factor_leaves_a_branch_on_an_option_but_not_one_on_elements() -> None:
    option, element = nd.Compare(">", Param("alpha"), 0), nd.Compare(">", X, 0)
    with distribute(False):
        assert factored(A * P + Where(option, B * P, 0)) == (A + Where(option, B, 0)) * P
        kept = A * P + Where(element, B * P, 0)
        # Where x <= 0, p may be infinite, and 0 times it is no number.
        assert factored(kept) == kept


def test_a_sign_stands_outside_a_choice() -> None:
    condition = nd.Compare(">", X, 0)
    assert factored(Where(condition, -A, -B)) == -Where(condition, A, B)


# --- in place ---------------------------------------------------------------------------------

leaves = st.sampled_from(["x[e]", "y[e]", "0.5", "x[e]", "y[e]"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.sampled_from(
        ["sigmoid({})", "tanh({})", "exp(-({}) ** 2)", "({}) ** 2", "-({})", "Max(0, {})",
         "log_sigmoid({})", "where(x[e] > y[e], {}, 0)", "Abs({})"]
    )  # fmt: skip
    two = st.sampled_from(
        ["({}) + ({})", "({}) - ({})", "({}) * ({})", "({}) / (2 + ({}) ** 2)", "Max({}, {})"]
    )
    return st.one_of(
        st.builds(str.format, one, inner),
        st.builds(lambda f, a, b: f.format(a, b), two, inner, inner),
    )


bodies = st.recursive(leaves, grown, max_leaves=7).filter(lambda b: "x[e]" in b and "y[e]" in b)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(bodies)
def test_whatever_is_overwritten_every_derivative_is_autograds(body: str) -> None:
    """First, batched, repeated and second derivatives, and a Hessian in forward over reverse."""
    try:
        made = module(body, PAIR)
    except LossgenError:  # a formula that the language refuses, such as x - x
        return
    plain, closed = made["made"], made["made_loss"]
    draw = torch.Generator().manual_seed(3)
    x, y = (torch.randn(5, dtype=torch.float64, generator=draw).requires_grad_() for _ in "xy")
    assert torch.equal(plain(x, y), closed(x, y)) or torch.allclose(plain(x, y), closed(x, y))
    if not plain(x, y).requires_grad:
        return
    options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
    weights = torch.randn(3, 5, dtype=torch.float64, generator=draw)

    def gradients(loss: torch.Tensor, weight: torch.Tensor, **more: Any) -> Any:
        return torch.autograd.grad(loss, (x, y), weight, retain_graph=True, **options, **more)

    items = closed(x, y, reduction="none")
    wanted = [torch.autograd.grad(plain(x, y) * 5, (x, y), **options)]
    found = [gradients(items, torch.ones(5, dtype=torch.float64)) for _ in range(2)]
    for got in found:
        torch.testing.assert_close(got, wanted[0], rtol=1e-10, atol=1e-11)
    batched = torch.autograd.grad(
        items, (x, y), weights, is_grads_batched=True, retain_graph=True, allow_unused=True
    )
    for k in range(3):
        single = gradients(items, weights[k])
        for many, one in zip(batched, single, strict=True):
            if many is not None:
                torch.testing.assert_close(many[k], one, rtol=1e-10, atol=1e-11)
    second = [
        torch.func.hessian(f, argnums=(0, 1))(x.detach(), y.detach()) for f in (plain, closed)
    ]
    torch.testing.assert_close(second[1], second[0], rtol=1e-9, atol=1e-10)


def test_no_forward_overwrites_anything() -> None:
    for name in NAMES:
        for loss in formulas(name):
            text = module_source(loss.spec)
            forwards = re.findall(r"def forward\(.*?def setup_context", text, re.DOTALL)
            assert forwards
            assert not any(re.search(r"\.(?:add|sub|mul|div|scatter_add)_\(", f) for f in forwards)


# --- fused steps ------------------------------------------------------------------------------


def test_what_a_gate_shuts_out_may_be_infinite() -> None:
    made = module("Max(0, x[e], tie=0) * y[e]", PAIR)
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = torch.tensor([float("inf"), float("inf"), 3.0])
    loss = made["made_loss"](x, y, reduction="none")
    (gradient,) = torch.autograd.grad(loss, x, torch.ones(3))
    assert gradient.tolist() == [0.0, 0.0, 3.0]


def test_two_equal_numbers_share_the_gradient_and_the_larger_has_it_all() -> None:
    made = module("Max(x[e], y[e])", PAIR)
    x = torch.tensor([1.0, 2.0, 3.0, -0.0], requires_grad=True)
    y = torch.tensor([2.0, 2.0, 2.0, 0.0], requires_grad=True)
    made["made_loss"](x, y, reduction="sum").backward()
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.tolist() == [0.0, 0.5, 1.0, 0.5]
    assert y.grad.tolist() == [1.0, 0.5, 0.0, 0.5]


# --- choices without a branch -------------------------------------------------------------------


def choices(function: Any, points: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
    x = points.clone().requires_grad_()
    loss = function(x, reduction="none")
    (first,) = torch.autograd.grad(loss, x, weights, create_graph=True)
    return [loss.detach(), first.detach(), *torch.autograd.grad(first.sum(), x)]


@pytest.mark.parametrize(("tie", "name"), [("<=", "Huber"), ("<", "SmoothL1")])
def test_a_parabola_with_its_tangents_is_torchs_own(tie: str, name: str) -> None:
    size, d = "Abs(x[e] - y[e])", "bound"
    over = {"Huber": (f"{size}**2/2", f"{d}*({size} - {d}/2)"),
            "SmoothL1": (f"{size}**2/(2*{d})", f"{size} - {d}/2")}[name]  # fmt: skip
    body = f"where({size} {tie} {d}, {over[0]}, {over[1]})"
    made = module(body, f"{PAIR}, *, bound: Positive = 0.5")["made_loss"]
    x = torch.tensor([0.0, 0.25, -0.25, 0.5, -0.5, 2.0, -2.0, 1e300, math.inf, -math.inf, math.nan])
    x, y = x.double(), torch.zeros(11, dtype=torch.double)
    g = torch.linspace(1, 2, 11, dtype=torch.double)
    want = [F.huber_loss, F.smooth_l1_loss][name == "SmoothL1"]
    bound = {"delta" if name == "Huber" else "beta": 0.5}
    ours = choices(lambda x, **k: made(x, y, **k), x, g)
    theirs = choices(lambda x, **k: want(x, y, **bound, **k), x, g)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-15, atol=0, equal_nan=True)
    # At the bound the slope of the slope is that of the side which the formula takes.
    inside = [1.0, 1.0, 1.0, tie == "<=", tie == "<=", 0.0, 0.0, 0.0, 0.0, 0.0]
    curvature = torch.tensor(inside, dtype=torch.double) / (1 if name == "Huber" else 0.5)
    torch.testing.assert_close(ours[2][:10], curvature * g[:10], rtol=1e-15, atol=0)


def test_what_labels_leave_out_may_be_infinite_or_no_number() -> None:
    made = module("where(y[e] != 1, exp(x[e]), 0) + where(y[e] == 1, x[e], 0)", PAIR)
    assert "_masked(" in module_source(
        spec_of("where(y[e] != 1, exp(x[e]), 0) + where(y[e] == 1, x[e], 0)", PAIR, "made")
    )
    x = torch.tensor([1000.0, math.nan, -2.0, 3.0, -math.inf, 0.5] * 7, dtype=torch.double)
    y = torch.tensor([1.0, 2.0, 1.0, -1.0, 0.0, math.nan] * 7, dtype=torch.double)
    got = choices(lambda x, **k: made["made_loss"](x, y, **k), x, torch.ones_like(x))
    keeps = y == 1
    for number, inside in enumerate((x, torch.ones_like(x))):
        want = torch.where(keeps, inside, x.exp())
        torch.testing.assert_close(got[number], want, equal_nan=True)
