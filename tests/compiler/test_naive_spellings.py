"""Formulas as people write them come out as accurate as an expert writes them in torch.

Each is compiled and run in float32, value and gradient, at points where the spelling is hard:
tiny, saturated, ±1e4. The truth is the formula as written, in as many digits as it takes; the bar
is the error of the expert's form at the same point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mpmath import mp
from torch import Tensor

from lossgen.nodes import Letter
from lossgen.pipeline import module_source
from lossgen.spec import LossSpec
from tests.compiler.catalogue import spec_of
from tests.compiler.exact import evaluate, real

E, N, C = Letter("e"), Letter("n"), Letter("c")
SIZES = (1e-30, 1e-8, 1e-4, 1e-2, 0.5, 1.0, 3.0, 10.0, 17.0, 20.0, 50.0, 88.0, 104.0, 500.0, 1e4)
REAL = (0.0, *SIZES, *(-x for x in SIZES))
ABOVE = tuple(x for x in REAL if x > 0)
LOG3 = torch.tensor(3.0).log()
UNIT = (1e-30, 1e-8, 1e-4, 0.1, 0.25, 0.5, 0.7, 0.9, 0.99, 0.9999, 0.9999999)
LOGITS = "x: Logits[e], y: Probabilities[e]"
EXPERT_FACTOR, LEAST_ULPS = 2.0, 5.0
LEAST = 2.0**-126


@dataclass(frozen=True)
class Spelling:
    """A formula as people write it.

    Attributes:
        body, arguments: of the spec; its first tensor is x.
        value: the expert's form in torch.
        slope: the expert's gradient in x, where autograd of the value is not it.
        points: where x is looked at.
        others: what the second tensor is there, in turn.
    """

    body: str
    value: Callable[..., Tensor]
    slope: Callable[..., Tensor] | None = None
    arguments: str = "x: Real[e]"
    points: tuple[float, ...] = REAL
    others: tuple[float, ...] = (1.0,)


def softplus(x: Tensor) -> Tensor:
    return -F.logsigmoid(-x)


def log_cosh(x: Tensor) -> Tensor:
    size = x.abs()
    near = torch.log1p(2 * torch.sinh(size.clamp(max=1) / 2) ** 2)
    return torch.where(size < 1, near, size + torch.log1p(torch.exp(-2 * size)) - mp_log2)


def log1mexp(x: Tensor) -> Tensor:
    near = torch.log(-torch.expm1(x.clamp(min=-mp_log2)))
    return torch.where(x > -mp_log2, near, torch.log1p(-torch.exp(x)))


mp_log2 = 0.6931471805599453


def binary(x: Tensor, y: Tensor) -> Tensor:
    return y * softplus(-x) + (1 - y) * softplus(x)


def binary_slope(x: Tensor, y: Tensor) -> Tensor:
    return (1 - y) * torch.sigmoid(x) - y * torch.sigmoid(-x)


def focal(x: Tensor, y: Tensor) -> Tensor:
    right = torch.sigmoid(-x) ** 2 * softplus(-x)
    return y * right + (1 - y) * torch.sigmoid(x) ** 2 * softplus(x)


def focal_slope(x: Tensor, y: Tensor) -> Tensor:
    p, q = torch.sigmoid(x), torch.sigmoid(-x)
    right = -(q**2) * (2 * p * softplus(-x) + q)
    wrong = p**2 * (2 * q * softplus(x) + p)
    return y * right + (1 - y) * wrong


def pseudo_huber(x: Tensor) -> Tensor:
    return x * (x / (torch.hypot(x, torch.ones(())) + 1))


def entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p) - (1 - p) * torch.log1p(-p)


def relative(p: Tensor, q: Tensor) -> Tensor:
    close = p > q / 2
    far = torch.log(torch.where(close, torch.ones(()), p / q))
    return p * torch.where(close, torch.log1p(torch.where(close, (p - q) / q, 0.0)), far)


LABELS = (0.0, 1.0, 0.25)
# Written together with the rules.
SEEN = (
    Spelling("log(1 / (1 + exp(-x[e])))", F.logsigmoid, lambda x: torch.sigmoid(-x)),
    Spelling("-log(1 - sigmoid(x[e]))", softplus, torch.sigmoid),
    Spelling("log(1 + exp(x[e]))", softplus, torch.sigmoid),
    Spelling("log1p(exp(x[e]))", softplus, torch.sigmoid),
    Spelling("sqrt(1 + x[e] ** 2) - 1", pseudo_huber,
             lambda x: x / torch.hypot(x, torch.ones(()))),
    Spelling("log((exp(x[e]) + exp(-x[e])) / 2)", log_cosh, torch.tanh),
    Spelling("log(cosh(x[e]))", log_cosh, torch.tanh),
    Spelling("x[e] + log(1 + exp(-2 * x[e])) - log(2)", log_cosh, torch.tanh),
    Spelling("p = 1 / (1 + exp(-x[e])); -(y[e] * log(p) + (1 - y[e]) * log(1 - p))",
             binary, binary_slope, LOGITS, others=LABELS),
    Spelling("log(1 + exp(x[e])) - y[e] * x[e]", binary, binary_slope, LOGITS, others=LABELS),
    Spelling("Max(x[e], 0) - x[e] * y[e] + log(1 + exp(-Abs(x[e])))",
             binary, binary_slope, LOGITS, others=LABELS),
    Spelling("p = sigmoid(x[e]); -y[e] * (1 - p) ** 2 * log(p) - (1 - y[e]) * p ** 2 * log(1 - p)",
             focal, focal_slope, LOGITS, others=(0.0, 1.0)),
    Spelling("p = sigmoid(x[e]); pt = y[e] * p + (1 - y[e]) * (1 - p); (1 - pt) ** 2",
             lambda x, y: (y * torch.sigmoid(-x) + (1 - y) * torch.sigmoid(x)) ** 2,
             lambda x, y: 2 * (y * torch.sigmoid(-x) + (1 - y) * torch.sigmoid(x))
             * torch.sigmoid(x) * torch.sigmoid(-x) * (1 - 2 * y),
             LOGITS, others=(0.0, 1.0)),
    Spelling("1 - tanh(x[e]) ** 2", lambda x: 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x),
             lambda x: -8 * torch.tanh(x) * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)),
    Spelling("(exp(x[e]) - exp(-x[e])) / (exp(x[e]) + exp(-x[e]))", torch.tanh,
             lambda x: 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)),
    Spelling("exp(x[e]) / (exp(x[e]) + exp(-x[e]))", lambda x: torch.sigmoid(2 * x),
             lambda x: 2 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)),
    Spelling("log(1 - exp(-x[e]))", lambda x: log1mexp(-x), lambda x: 1 / torch.expm1(x),
             "x: Positive[e]", ABOVE),
    Spelling("log(exp(x[e]) - 1)", lambda x: x + log1mexp(-x), lambda x: -1 / torch.expm1(-x),
             "x: Positive[e]", ABOVE),
    Spelling("1 - exp(-x[e] ** 2 / 2)", lambda x: -torch.expm1(-x * x / 2),
             lambda x: x * torch.exp(-x * x / 2), points=tuple(x for x in REAL if abs(x) < 100)),
    Spelling("log(1 + x[e] ** 2)", lambda x: torch.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    Spelling("-x[e] * log(x[e]) - (1 - x[e]) * log(1 - x[e])", entropy,
             lambda p: torch.log1p(-p) - torch.log(p), "x: Probabilities[e]", UNIT),
    Spelling("x[e] * log(x[e] / y[e])", relative, lambda p, q: torch.log(p / q) + 1,
             "x: Probabilities[e], y: Positive[e]", UNIT, (0.3, 1e-6, 0.9999)),
    Spelling("x[e] * (log(x[e]) - log(y[e]))", relative, lambda p, q: torch.log(p / q) + 1,
             "x: Probabilities[e], y: Positive[e]", UNIT, (0.3, 1e-6, 0.9999)),
    Spelling("-log((1 + erf(x[e])) / 2)", lambda x: -torch.special.log_ndtr(x * 2**0.5), None,
             points=(-20.0, -9.0, -3.0, -1.0, 0.0, 0.5, 1.0, 3.0)),
    Spelling("sqrt(x[e] + 1) - sqrt(x[e])",
             lambda x: 1 / (torch.sqrt(x + 1) + torch.sqrt(x)), None, "x: Positive[e]", ABOVE),
    Spelling("1 / (x[e] + 1) - 1 / x[e]", lambda x: -1 / (x * (x + 1)), None,
             "x: Positive[e]", tuple(x for x in ABOVE if x > 1e-10)),
)  # fmt: skip


def positive_relative(p: Tensor, q: Tensor) -> Tensor:
    return torch.xlogy(q, q / p) - (q - p)


SMALL = tuple(x for x in REAL if abs(x) <= 60)
INSIDE = (1e-30, -1e-8, 1e-4, -1e-2, 0.1, -0.5, 0.9, 0.99999, -0.99999)
RATES = (1e-8, 1e-3, 0.3, 0.9999, 1.0, 7.0, 1e4)
# Written when the rules were finished; no rule was changed for the first run of these.
UNSEEN = (
    Spelling("-log(exp(-x[e]) + 1)", F.logsigmoid, lambda x: torch.sigmoid(-x)),
    Spelling("x[e] - log(exp(x[e]) + 1)", F.logsigmoid, lambda x: torch.sigmoid(-x)),
    Spelling("log((1 + tanh(x[e] / 2)) / 2)", F.logsigmoid, lambda x: torch.sigmoid(-x)),
    Spelling("log(2 * cosh(x[e])) - log(2)", log_cosh, torch.tanh),
    Spelling("softplus(2 * x[e]) - x[e] - log(2)", log_cosh, torch.tanh),
    Spelling("2 * (sqrt(1 + x[e] ** 2 / 2) - 1)", lambda x: 2 * pseudo_huber(x / 2**0.5),
             lambda x: x / torch.hypot(x / 2**0.5, torch.ones(()))),
    Spelling("sqrt(x[e] ** 2 + 4) - 2", lambda x: 2 * pseudo_huber(x / 2),
             lambda x: x / torch.hypot(x, torch.tensor(2.0))),
    Spelling("1 - 1 / (1 + x[e] ** 2)", lambda x: x * x / (1 + x * x),
             lambda x: 2 * x / (1 + x * x) ** 2),
    Spelling("log(1 + exp(5 * x[e])) / 5", lambda x: softplus(5 * x) / 5,
             lambda x: torch.sigmoid(5 * x)),
    Spelling("-log(exp(-x[e] ** 2 / 2) / sqrt(2 * pi))",
             lambda x: x * x / 2 + 0.9189385332046727, lambda x: x),
    Spelling("-log(exp(-Abs(x[e])) / 2)", lambda x: x.abs() + mp_log2, torch.sign),
    Spelling("-log(1 / (1 + x[e] ** 2))", lambda x: torch.log1p(x * x),
             lambda x: 2 * x / (1 + x * x)),
    Spelling("-log(exp(-x[e]) / (1 + exp(-x[e])) ** 2)",
             lambda x: softplus(-x) + softplus(x), lambda x: torch.tanh(x / 2)),
    Spelling("exp(-x[e]) / (1 + exp(-x[e])) ** 2",
             lambda x: torch.sigmoid(x) * torch.sigmoid(-x),
             lambda x: -torch.tanh(x / 2) * torch.sigmoid(x) * torch.sigmoid(-x)),
    Spelling("1 - 2 / (1 + exp(2 * x[e]))", torch.tanh,
             lambda x: 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)),
    Spelling("(1 - sigmoid(x[e])) ** 1.5 * -log(sigmoid(x[e]))",
             lambda x: torch.sigmoid(-x) ** 1.5 * softplus(-x),
             lambda x: -torch.sigmoid(-x) ** 1.5
             * (1.5 * torch.sigmoid(x) * softplus(-x) + torch.sigmoid(-x))),
    Spelling("(1 - sigmoid(x[e]) ** 0.7) / 0.7",
             lambda x: -torch.expm1(0.7 * F.logsigmoid(x)) / 0.7,
             lambda x: -torch.exp(0.7 * F.logsigmoid(x)) * torch.sigmoid(-x)),
    Spelling("(x[e] ** 0.1 - 1) / 0.1", lambda x: torch.expm1(0.1 * torch.log(x)) / 0.1,
             lambda x: x**-0.9, "x: Positive[e]", (1e-8, 0.01, 0.9, 0.999, 1.0001, 1.1, 50.0, 1e4)),
    Spelling("log(x[e] / (1 - x[e]))", lambda x: torch.log(x) - torch.log1p(-x),
             lambda x: 1 / (x * (1 - x)), "x: Probabilities[e]", UNIT),
    Spelling("sigmoid(log(x[e] / (1 - x[e])))", lambda x: x, torch.ones_like,
             "x: Probabilities[e]", UNIT),
    Spelling("log(sigmoid(x[e]) / (1 - sigmoid(x[e])))", lambda x: x, torch.ones_like),
    Spelling("1 - sqrt(1 - x[e] ** 2)", lambda x: x * x / (1 + torch.sqrt((1 - x) * (1 + x))),
             lambda x: x / torch.sqrt((1 - x) * (1 + x)), points=INSIDE),
    Spelling("(sqrt(x[e]) - sqrt(y[e])) ** 2",
             lambda x, y: ((x - y) / (torch.sqrt(x) + torch.sqrt(y))) ** 2,
             lambda x, y: (x - y) / (torch.sqrt(x) + torch.sqrt(y)) / torch.sqrt(x),
             "x: Positive[e], y: Positive[e]", RATES, (0.3, 0.29999, 6.9999)),
    Spelling("(x[e] - y[e]) * log(x[e] / y[e])",
             lambda x, y: (x - y) * (relative(x, y) / x),
             lambda x, y: relative(x, y) / x + (x - y) / x,
             "x: Positive[e], y: Positive[e]", RATES, (0.3, 0.29999, 6.9999)),
    Spelling("y[e] * log(y[e] / x[e]) - (y[e] - x[e])", positive_relative,
             lambda x, y: (x - y) / x, "x: Positive[e], y: NonNegative[e]", RATES, (0.0, 0.3, 6.9)),
    Spelling("exp(x[e]) - 1 - x[e]", lambda x: torch.expm1(x) - x, torch.expm1, points=SMALL),
    Spelling("log(exp(x[e]) + exp(y[e]))", torch.logaddexp,
             lambda x, y: torch.sigmoid(x - y), "x: Real[e], y: Real[e]", SMALL, (-30.0, 30.0)),
    Spelling("log(sigmoid(x[e] + 0.5) - sigmoid(x[e] - 0.5))",
             lambda x: F.logsigmoid(x + 0.5) + F.logsigmoid(0.5 - x) - 0.4586751453870819,
             lambda x: torch.sigmoid(-x - 0.5) - torch.sigmoid(x - 0.5)),
)  # fmt: skip

# Written last of all.
LAST = (
    # The larger of the two is the number, which is exact; near 1 what the sum loses counts.
    Spelling("log(x[e] + 0.75)", lambda x: torch.log1p(x - 0.25), lambda x: 1 / (x + 0.75),
             "x: Probabilities[e]", (0.25 - 2**-26, 0.25 + 2**-25, 0.2500003, 0.24, 1e-8, 0.9)),
    Spelling("log(1 + exp(1 - x[e]))", lambda x: softplus(1 - x), lambda x: -torch.sigmoid(1 - x)),
    Spelling("-log(exp(x[e]) / (exp(x[e]) + 3))", lambda x: torch.logaddexp(x, LOG3) - x,
             lambda x: -torch.sigmoid(LOG3 - x)),
    Spelling("-log(exp(x[e]) / (exp(x[e]) + exp(y[e])))", lambda x, y: softplus(y - x),
             lambda x, y: -torch.sigmoid(y - x), "x: Real[e], y: Real[e]", SMALL, (-30.0, 30.0)),
    Spelling("-log(1 / (1 + exp(-(x[e] - y[e]))))", lambda x, y: softplus(y - x),
             lambda x, y: -torch.sigmoid(y - x), "x: Real[e], y: Real[e]", SMALL, (-30.0, 30.0)),
    Spelling("2 * (log(2) - x[e] - softplus(-2 * x[e]))", lambda x: -2 * log_cosh(x),
             lambda x: -2 * torch.tanh(x)),
    Spelling("-log(1 - tanh(x[e]) ** 2) / 2", log_cosh, torch.tanh),
    Spelling("2 * log(1 + exp(x[e])) - x[e] - log(4)", lambda x: 2 * log_cosh(x / 2),
             lambda x: torch.tanh(x / 2)),
    Spelling("-(y[e] * log(x[e]) + (1 - y[e]) * log(1 - x[e]))",
             lambda x, y: -torch.xlogy(y, x) - (1 - y) * torch.log1p(-x),
             lambda x, y: (1 - y) / (1 - x) - y / x,
             "x: Probabilities[e], y: Probabilities[e]", UNIT, LABELS),
    Spelling("2.5 * log(1 + x[e] ** 2 / 4)", lambda x: 2.5 * torch.log1p(x * x / 4),
             lambda x: 5 * x / (4 + x * x)),
    Spelling("(log(1 + x[e]) - log(1 + y[e])) ** 2",
             lambda x, y: torch.log1p((x - y) / (1 + y)) ** 2,
             lambda x, y: 2 * torch.log1p((x - y) / (1 + y)) / (1 + x),
             "x: NonNegative[e], y: NonNegative[e]", RATES, (0.3, 0.29999, 6.9999)),
    Spelling("log(1 - 1 / (1 + exp(-x[e])))", lambda x: -softplus(x), lambda x: -torch.sigmoid(x)),
    Spelling("1 / (1 + exp(-x[e])) - 0.5", lambda x: torch.tanh(x / 2) / 2,
             lambda x: torch.sigmoid(x) * torch.sigmoid(-x)),
    Spelling("exp(2 * x[e]) / (1 + exp(2 * x[e]))", lambda x: torch.sigmoid(2 * x),
             lambda x: 2 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)),
    Spelling("where(x[e] > 0, x[e], exp(x[e]) - 1)", F.elu,
             lambda x: torch.where(x > 0, 1.0, torch.exp(x))),
    Spelling("1 / sqrt(x[e]) - 1 / sqrt(x[e] + 1)",
             lambda x: 1 / (torch.sqrt(x * (x + 1)) * (torch.sqrt(x) + torch.sqrt(x + 1))),
             None, "x: Positive[e]", RATES),
    Spelling("log(x[e] + sqrt(x[e] ** 2 + 1))", torch.asinh,
             lambda x: 1 / torch.hypot(x, torch.ones(())), points=SMALL),
    Spelling("sqrt(x[e] ** 2 + y[e] ** 2)", torch.hypot, lambda x, y: x / torch.hypot(x, y),
             "x: Real[e], y: Real[e]", REAL, (0.5, 1e-30)),
    Spelling("p = sigmoid(x[e]); where(y[e] == 1, -log(p), -log(1 - p))", binary, binary_slope,
             "x: Logits[e], y: Binary[e]", others=(0.0, 1.0)),
    Spelling("p = sigmoid(x[e]); pt = where(y[e] == 1, p, 1 - p); -(1 - pt) ** 2 * log(pt)",
             focal, focal_slope, "x: Logits[e], y: Binary[e]", others=(0.0, 1.0)),
    Spelling("-(0.25 * (1 - sigmoid(x[e])) ** 2 * log(sigmoid(x[e]) + 0))",
             lambda x: 0.25 * torch.sigmoid(-x) ** 2 * softplus(-x),
             lambda x: 0.25 * focal_slope(x, torch.ones(()))),
)  # fmt: skip


def generated(loss: LossSpec) -> Callable[..., Tensor]:
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    return lambda *tensors: namespace[loss.functional_name](*tensors, reduction="none")


def with_slope(function: Callable[..., Tensor], inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    x = inputs[0].clone().requires_grad_()
    result = function(x, *inputs[1:])
    (slope,) = torch.autograd.grad(result.sum(), x)
    return result.detach(), slope


def truth(loss: LossSpec, x: float, y: float) -> tuple[Any, Any]:
    """Value and slope of the formula as written; None for what is no real number."""
    # exp(-x) beside 1 takes as many digits as x is long; the square of 1e-30 twice some sixty.
    with mp.workdps(400 + int(0.9 * abs(x))):

        def value(at: Any) -> Any:
            return evaluate(loss.item, lambda name, _: at if name == "x" else mp.mpf(y), {E: 0})

        at = mp.mpf(x)
        try:
            exact = real(value(at))
            step = mp.mpf(10) ** -100
            step *= abs(at) if at else 1
            slope = real((value(at + step) - value(at - step)) / (2 * step))
        except ZeroDivisionError:
            return None, None
        return exact, slope


def ulps(found: float, exact: Any) -> float:
    """The error in units of the last place of float32."""
    if found != found or abs(found) == float("inf"):
        return float("inf")
    with mp.workdps(60):
        gap = mp.mpf(2.0**-23) * max(abs(exact), LEAST)
        return float(abs(mp.mpf(found) - exact) / gap)


def check(spelling: Spelling) -> None:
    loss = spec_of(spelling.body, spelling.arguments)
    pairs = [(x, y) for x in spelling.points for y in spelling.others]
    x, y = (torch.tensor(values) for values in zip(*pairs, strict=True))
    inputs = [x, y][: len(loss.tensors)]
    ours = with_slope(generated(loss), inputs)
    theirs = list(with_slope(spelling.value, inputs))
    if spelling.slope is not None:
        theirs[1] = spelling.slope(*inputs)
    worse = []
    for k in range(len(pairs)):
        exact = truth(loss, x[k].item(), y[k].item())
        for what, true, mine, expert in zip(("value", "slope"), exact, ours, theirs, strict=True):
            if true is None or abs(true) > torch.finfo(torch.float32).max:
                continue
            found, bar = ulps(mine[k].item(), true), ulps(expert[k].item(), true)
            if not found <= max(EXPERT_FACTOR * bar, LEAST_ULPS):
                worse.append((what, pairs[k], found, bar, mine[k].item(), float(true)))
    assert worse == []


@pytest.mark.parametrize("spelling", [*SEEN, *UNSEEN, *LAST], ids=lambda s: s.body)
def test_a_naive_spelling_is_as_accurate_as_the_experts(spelling: Spelling) -> None:
    check(spelling)


# Over a row: the body, and the expert's form, which torch evaluates in float64.
ROWS: dict[str, Callable[[Tensor], Tensor]] = {
    "log(Sum(exp(x[n, c]), c))": lambda x: x.logsumexp(-1),
    "m = Amax(x[n, c], c); m + log(Sum(exp(x[n, c] - m), c))": lambda x: x.logsumexp(-1),
    "log(Mean(exp(x[n, c]), c))": lambda x: x.logsumexp(-1) - torch.tensor(5.0).double().log(),
    "exp(x[n, c]) / Sum(exp(x[n, k]), k)": lambda x: x.softmax(-1),
    "m = Amax(x[n, k], k); exp(x[n, c] - m) / Sum(exp(x[n, k] - m), k)": lambda x: x.softmax(-1),
    "-log(exp(x[n, c]) / Sum(exp(x[n, k]), k))": lambda x: -x.log_softmax(-1),
    "x[n, c] - log(Sum(exp(x[n, k]), k))": lambda x: x.log_softmax(-1),
    "exp(x[n, c] - log(Sum(exp(x[n, k]), k)))": lambda x: x.softmax(-1),
    "p = exp(x[n, c]) / Sum(exp(x[n, k]), k); -Sum(p * log(p), c)":
        lambda x: -(x.softmax(-1) * x.log_softmax(-1)).sum(-1),
    "Mean(x[n, c] ** 2, c) - Mean(x[n, c], c) ** 2": lambda x: x.var(-1, correction=0),
    "sqrt(Sum(x[n, c] ** 2, c))": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "log(1 + Sum(exp(x[n, c]), c))": lambda x: softplus(x.logsumexp(-1)),
}  # fmt: skip


@pytest.mark.parametrize("body", ROWS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 200.0, 1e4])
def test_a_naive_spelling_over_a_row_is_as_accurate_as_the_experts(body: str, scale: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 5) * scale + scale
    (value, slope), exact = (
        with_slope(generated(spec_of(body, "x: Real[n, c]")), [x]),
        with_slope(ROWS[body], [x.double()]),
    )
    eps, size = torch.finfo(torch.float32).eps, x.double().abs()
    # A sum over the row is as exact as its terms are large.
    if "Mean(x[n, c] **" in body:
        size = size**2
    bound = 16 * eps * size.amax(-1).clamp(min=1.0)
    assert bool(
        ((value.double() - exact[0]).abs() <= bound.view(-1, *[1] * (value.ndim - 1))).all()
    )
    largest = size.amax(-1, keepdim=True) / scale if "Mean(x[n, c] **" in body else size
    limit = 16 * eps * largest.clamp(min=1.0)
    assert bool(((slope.double() - exact[1]).abs() <= limit).all())
