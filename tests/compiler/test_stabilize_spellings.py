"""The ways in which people write a formula, and the stable node that each becomes."""

from __future__ import annotations

import pytest

from lossgen import nodes as nd
from lossgen.nodes import walk
from lossgen.stabilize import stabilize
from tests.compiler.catalogue import spec_of

# The body (over x[e], or over x[n, c] where it has letters to reduce), and its stable form.
ELEMENTWISE = {
    "log(sigmoid(x[e]))": "log_sigmoid(x[e])",
    "log(1 / (1 + exp(-x[e])))": "log_sigmoid(x[e])",
    "log(1 - sigmoid(x[e]))": "log_sigmoid(-x[e])",
    "-log(sigmoid(-x[e]))": "-log_sigmoid(-x[e])",
    "p = sigmoid(x[e]); log(p)": "log_sigmoid(x[e])",
    "p = sigmoid(x[e]); q = 1 - p; log(q)": "log_sigmoid(-x[e])",
    "p = 1 / (1 + exp(-x[e])); log(1 - p)": "log_sigmoid(-x[e])",
    "log(1 + exp(x[e]))": "softplus(x[e])",
    "log(exp(x[e]) + 1)": "softplus(x[e])",
    "z = exp(-x[e]); log(1 + z)": "softplus(-x[e])",
    "log1p(exp(x[e]))": None,
    "1 / (1 + exp(-x[e]))": "sigmoid(x[e])",
    "1 / (exp(x[e]) + 1)": "sigmoid(-x[e])",
    "1 - 1 / (1 + exp(-x[e]))": "sigmoid(-x[e])",
    "1 - sigmoid(x[e])": "sigmoid(-x[e])",
    "exp(x[e]) - 1": "expm1(x[e])",
    "1 - exp(-x[e])": "-expm1(-x[e])",
    "exp(x[e] ** 2) - 1": "expm1(x[e] ** 2)",
    "exp(2 * x[e] ** 2) - 1": "expm1(2 * x[e] ** 2)",
    "exp(x[e]) - x[e] - 1": "expm1(x[e]) - x[e]",
    "log(1 + x[e])": "log1p(x[e])",
    "log(1 - x[e])": "log1p(-x[e])",
    "log(1 + x[e] ** 3)": "log1p(x[e] ** 3)",
    "log((exp(x[e]) + exp(-x[e])) / 2)": "log_cosh(x[e])",
    "log(cosh(x[e]))": "log_cosh(x[e])",
    "log(exp(x[e]) + exp(2 * x[e]))": None,
    "log1p(-sigmoid(x[e]))": "log_sigmoid(-x[e])",
    "log(1 - exp(x[e]))": "log1mexp(x[e])",
    "log1p(-exp(x[e]))": "log1mexp(x[e])",
    "log(2 * exp(x[e]))": "log(2) + x[e]",
    "exp(x[e]) / (1 + exp(x[e]))": "sigmoid(x[e])",
    "exp(x[e]) / (exp(x[e]) + exp(-x[e]))": "sigmoid(2 * x[e])",
    "(exp(x[e]) - exp(-x[e])) / (exp(x[e]) + exp(-x[e]))": "tanh(x[e])",
    "(exp(2 * x[e]) - 1) / (exp(2 * x[e]) + 1)": "tanh(x[e])",
    "2 / (1 + exp(-2 * x[e])) - 1": "tanh(x[e])",
    "sigmoid(x[e]) / (1 - sigmoid(x[e]))": "exp(x[e])",
    "log(sigmoid(x[e]) / (1 - sigmoid(x[e])))": "x[e]",
    "exp(x[e]) * exp(-2 * x[e])": "exp(-x[e])",
    "1 - erf(x[e])": "erfc(x[e])",
    "1 + erf(x[e])": "erfc(-x[e])",
    "sqrt(x[e] ** 2)": "Abs(x[e])",
    "sqrt(x[e] ** 2 + 9)": "hypot(x[e], 3)",
    "p = sigmoid(x[e]); (1 - p) ** 2.5": "sigmoid(-x[e]) ** 2.5",
    "Max(x[e], 0) + log(1 + exp(-Abs(x[e])))": "softplus(x[e])",
    "x[e] - log(1 + exp(x[e]))": "-softplus(-x[e])",
    "log(1 - tanh(x[e]) ** 2)": None,
    "sqrt(1 + x[e]) - 1": None,
    "x[e] ** 2 - 1": None,
    "x[e] * log(x[e])": "xlogy(x[e], x[e])",
    "-x[e] * log(x[e])": "-xlogy(x[e], x[e])",
    "exp(log_sigmoid(x[e]))": "sigmoid(x[e])",
}
OVER_LETTERS = {
    "log(Sum(exp(x[n, c]), c))": "logsumexp(x[n, c], c)",
    "z = exp(x[n, c]); log(Sum(z, c))": "logsumexp(x[n, c], c)",
    "z = exp(x[n, c]); total = Sum(z, c); log(total)": "logsumexp(x[n, c], c)",
    "log(Sum(exp(x[n, c]), c, where=x[n, c] > 0))": "logsumexp(x[n, c], c, where=x[n, c] > 0)",
    "log(softmax(x[n, c], c))": "log_softmax(x[n, c], c)",
    "p = softmax(x[n, c], c); log(p)": "log_softmax(x[n, c], c)",
    "exp(x[n, c]) / Sum(exp(x[n, c]), c)": "softmax(x[n, c], c)",
    "z = exp(x[n, c]); z / Sum(z, c)": "softmax(x[n, c], c)",
    "z = exp(x[n, c]); log(z / Sum(z, c))": "log_softmax(x[n, c], c)",
    "exp(log_softmax(x[n, c], c))": "softmax(x[n, c], c)",
    "x[n, c] - logsumexp(x[n, k], k)": "log_softmax(x[n, c], c)",
    "exp(x[n, c] - logsumexp(x[n, k], k))": "softmax(x[n, c], c)",
    "m = Amax(x[n, k], k); exp(x[n, c] - m) / Sum(exp(x[n, c] - m), c)": "softmax(x[n, c], c)",
    "m = Amax(x[n, c], c); log(Sum(exp(x[n, c] - m), c)) + m": "logsumexp(x[n, c], c)",
    "log(3 * Sum(exp(x[n, c]), c))": "log(3) + logsumexp(x[n, c], c)",
    "sqrt(Sum(x[n, c] ** 2, c))": "norm(x[n, c], c)",
    "square = x[n, c] ** 2; sqrt(Sum(square, c))": "norm(x[n, c], c)",
}


def stable(body: str) -> nd.Node:
    arguments = "x: Real[e]" if "[e]" in body else "x: Real[n, c]"
    return without_names(stabilize(spec_of(body, arguments).item)[0])


def without_names(expr: nd.Node) -> nd.Node:
    """The expression with what each name stands for in its place."""
    while isinstance(expr, nd.Let):
        places = dict(zip(expr.params, expr.at, strict=True))
        expr = nd.substitute(expr.body, places)
    return nd.rebuild(expr, [without_names(a) for a in expr.args]) if expr.args else expr


@pytest.mark.parametrize("body", [k for k, v in (ELEMENTWISE | OVER_LETTERS).items() if v])
def test_a_naive_spelling_becomes_the_stable_node(body: str) -> None:
    expected = (ELEMENTWISE | OVER_LETTERS)[body]
    assert expected is not None
    arguments = "x: Real[e]" if "[e]" in body else "x: Real[n, c]"
    assert stable(body) == without_names(spec_of(expected, arguments).item)


def test_one_plus_a_square_is_never_squared() -> None:
    x = spec_of("x[e]", "x: Real[e]").item
    assert stable("log(1 + x[e] ** 2)") == nd.Log1pSquare(x)
    assert stable("(1 + x[e] ** 2) ** 0.25 - 1") == nd.HypotPowM1(x, 0.5)


def test_a_sum_of_two_exponentials_becomes_logaddexp() -> None:
    assert stable("log(exp(x[e]) + exp(2 * x[e]))").func is nd.LogAddExp


@pytest.mark.parametrize("body", [*ELEMENTWISE, *OVER_LETTERS])
def test_a_stable_form_stays_as_it_is(body: str) -> None:
    once = stable(body)
    again, fired = stabilize(once)
    assert again == once
    assert fired == ()


KEPT = (
    "x[e] * log(2 + x[e] * x[e])",
    "log(x[e] + exp(x[e]))",
    "1 / (2 + exp(x[e]))",
    "exp(x[e]) - 2",
    "log(x[e] - exp(x[e]))",
    "2 * sigmoid(x[e]) - 3",
    "1 - 2 * sigmoid(x[e]) * x[e]",
    "x[e] + softplus(x[e])",
    "exp(x[e]) * sigmoid(x[e])",
    "log(exp(x[e]) * x[e] - 1)",
    "sqrt(x[e] ** 3 + 1) - 2",
    "1 - tanh(x[e]) ** 3",
    "x[e] ** 2 - 3 * x[e] + 1",
)


@pytest.mark.parametrize("body", KEPT)
def test_what_only_looks_alike_is_left_alone(body: str) -> None:
    written = without_names(spec_of(body, "x: Real[e]").item)
    assert stable(body) == written


def test_a_softmax_over_another_axis_is_no_softmax_of_this_one() -> None:
    body = "exp(x[n, c]) / Sum(exp(2 * x[n, c]), c)"
    assert not any(isinstance(node, nd.Along) for node in walk(stable(body)))


def test_a_masked_sum_is_no_softmax() -> None:
    body = "exp(x[n, c]) / Sum(exp(x[n, c]), c, where=x[n, c] > 0)"
    assert not any(isinstance(node, nd.Along) for node in walk(stable(body)))
