"""Proofs for every row of the table of rules: a spelling, its domain, what is gained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Naive = Callable[..., Tensor]
ALONE = "x: Real[e]"
PAIR = "x: Real[e], y: Real[e]"
ROW = "x: Real[n, c]"
ROWS = "x: Real[n, c], y: Real[n, c]"


@dataclass(frozen=True)
class Proof:
    """One spelling that a rule rewrites.

    Attributes:
        rule: the rule's pattern, as its row says it.
        body: the spelling, as a spec's body.
        low, high: the domain in which both sides are compared.
        beyond: numbers outside it, where both sides must be no real number, or equal.
        refused: arguments with which the rule must be refused, for its condition does not hold.
        naive: the spelling in torch.
        hard: where the naive form is bad; ``close``: y is a neighbour of x there;
            ``shares``: a row of x has these multiples of it.
        gradient: whether what is gained is in the gradient rather than in the value.
        worse: the error in ulp that the naive form exceeds there.
    """

    rule: str
    body: str
    arguments: str = ALONE
    low: float = -1000.0
    high: float = 1000.0
    beyond: tuple[float, ...] = ()
    refused: str = ""
    naive: Naive | None = None
    hard: tuple[float, float] = (0.0, 0.0)
    close: bool = False
    shares: tuple[float, ...] = (1.0, -0.75, 0.5, 0.125)
    gradient: bool = False
    worse: float = 1000.0


LOG_NAMED = "log(sigmoid(x)), log(softmax(x))"
SUMS = "log(1 + exp(x)), log(Sum(exp(x)) + …), log(Sum(softmax(x)))"
PRODUCT = "log(a*exp(x)), log(a*sigmoid(x)), …"
POWER = "log(1/x), log(sqrt(x)), log(x**p)"
LOG1P = "log1p(exp(x)), log1p(-sigmoid(x)), log1p(-exp(x)), …"
AT_LABEL = "logsumexp(x) - x[label], (logsumexp(x) + y)/2 - x[label]"
ROOT_LESS = "sqrt(1 + x) - 1, sqrt(c**2 + x**2) - c"
TWO_SQUARES = "sqrt(x**2 + y**2), sqrt(x**2 + c)"
MOMENTS = "Mean(x**2) - Mean(x)**2, Mean(x*y) - Mean(x)*Mean(y)"
ENTROPY = "p*log(p/q), p*(log(p) - log(q))"
QUOTIENT = "exp(x)/(exp(x) + exp(y)), exp(x)/(c + exp(x))"
POWER_LESS = "(1 + x)**p - 1, (1 + x**2)**p - 1"
TANH = "(exp(x) - exp(-x))/(exp(x) + exp(-x)), (exp(x) - 1)/(exp(x) + 1)"
SOFTPLUS = "x + softplus(-x), max(x, 0) + softplus(-abs(x))"
WEIGHTS = "Sum(w*x)/(Sum(w*y) + s), w = where(v > 0, 1/v**2, 0)"
COSH = "softplus(x) - x/2 - log(2), logaddexp(x, -x) - log(2)"
SHARED = "(Sum(x + y) - 2*Sum(x*y))/(Sum(x + y) + …)"
POWER_LENGTH = "Sum(abs(x)**p)**(1/p)"
LENGTH_OR_ZERO = "where(s > 0, s**(1/p), 0), s = Sum(abs(x)**p)"
ROOT_OF_SQUARES = "sqrt(Sum(x**2)), sqrt(Mean(x**2))"
ROOT_OF_PRODUCT = "sqrt(Sum(x**2)*y), sqrt((Sum(x**2) + c)*y)"
COSINE = "Sum(x*y)/(sqrt(Sum(x**2) + c)*sqrt(Sum(y**2) + d))"
LESS_MIXTURE = "x - log(u*exp(x) + v*exp(y))"
EXPS = "exp(x)*exp(y), exp(x)/exp(y)"
MASKED_SOFTMAX = "exp(x)/Sum(exp(x), where=c), where(c, exp(x), 0)/Sum(where(c, exp(x), 0))"
OVER_NOTHING = "where(c, f(logsumexp(x, where=c)), y), where(c, a*log_softmax(where(c, x, -oo)), y)"
GAMMAS = "lgamma(a + 1) - lgamma(a), lgamma(a + 2) - lgamma(a), …"
LIMITED = "min(u/v, c)/(u/v), min(u/v, c)*v"
DIVERGENCE = "Sum(p*(log(p) - log(q))), p = softmax(x), q = softmax(y)"


def _divergence(x: Tensor, y: Tensor) -> Tensor:
    m = torch.logaddexp(x, y + math.log(3)) - math.log(4)
    return x.exp() * (x - m) / 4 + 0.75 * y.exp() * (y - m)


def _weight(v: Tensor) -> Tensor:
    return torch.where(v > 0, 1 / v.square(), 0)


def _cosine(x: Tensor, y: Tensor) -> Tensor:
    lengths = (torch.sqrt(z.square().sum(-1) + 1e-12) for z in (x, y))
    return (x * y).sum(-1) / next(lengths) / next(lengths)


def _softplus(x: Tensor) -> Tensor:
    return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0)


PROOFS = (
    # --- logarithms
    Proof(
        LOG_NAMED,
        "log(sigmoid(x[e]))",
        naive=lambda x: torch.log(torch.sigmoid(x)),
        hard=(5.0, 100.0),
    ),
    Proof(
        LOG_NAMED,
        "log(softmax(x[n, c], c))",
        ROW,
        naive=lambda x: torch.log(x.softmax(-1)),
        hard=(50.0, 500.0),
    ),
    Proof("log(exp(x))", "log(exp(x[e]))", naive=lambda x: x.exp().log(), hard=(89.0, 500.0)),
    Proof(
        "log(1 - erf(x))",
        "log(1 - erf(x[e]))",
        low=-25.0,
        high=25.0,
        naive=lambda x: torch.log(1 - torch.erf(x)),
        hard=(3.0, 25.0),
    ),
    Proof(
        "log((1 + erf(x))/2)",
        "log((1 + erf(x[e])) / 2)",
        low=-25.0,
        high=15.0,
        naive=lambda x: torch.log((1 + torch.erf(x)) / 2),
        hard=(2.0, 8.0),
    ),
    Proof(
        "log((exp(x) + exp(-x))/2)",
        "log((exp(x[e]) + exp(-x[e])) / 2)",
        naive=lambda x: torch.log((torch.exp(x) + torch.exp(-x)) / 2),
        hard=(1e-4, 1e-2),
    ),
    Proof(
        SUMS,
        "log(1 + exp(x[e]))",
        naive=lambda x: torch.log(1 + torch.exp(x)),
        hard=(-50.0, -10.0),
    ),
    Proof(
        SUMS,
        "log(Sum(exp(x[n, c]), c))",
        ROW,
        naive=lambda x: torch.log(torch.exp(x).sum(-1)),
        hard=(89.0, 500.0),
    ),
    Proof(SUMS, "log(1 + Sum(exp(x[n, c]), c))", ROW),
    Proof(SUMS, "log(Mean(exp(x[n, c]), c))", ROW),
    Proof(SUMS, "log(Sum(where(y[n, c] > 0, exp(x[n, c]), 0), c))", ROWS),
    Proof(SUMS, "log(Sum(where(y[n, c] > 0, 0, 1) * exp(x[n, c]), c))", ROWS),
    Proof(SUMS, "log(Sum(softmax(x[n, c], c), c, where=y[n, c] > 0))", ROWS),
    Proof(SUMS, "log(2 + 3 * exp(x[e]))"),
    Proof(
        SUMS,
        "log(Sum(y[n, c] * exp(x[n, c]), c))",
        "x: Real[n, c], y: Positive[n, c]",
        low=1e-40,
        refused="x: Real[n, c], y: NonNegative[n, c]",
    ),
    Proof(
        SUMS,
        "log(exp(x[e]) + exp(2 * x[e]))",
        naive=lambda x: torch.log(torch.exp(x) + torch.exp(2 * x)),
        hard=(60.0, 500.0),
    ),
    Proof(
        "log(1 - tanh(x)**2)",
        "log(1 - tanh(x[e]) ** 2)",
        low=-300.0,
        high=300.0,
        naive=lambda x: torch.log(1 - torch.tanh(x) ** 2),
        hard=(1e-6, 1e-3),
    ),
    Proof(
        "log(x + sqrt(x**2 + 1))",
        "log(x[e] + sqrt(x[e] ** 2 + 1))",
        naive=lambda x: torch.log(x + torch.sqrt(x**2 + 1)),
        hard=(-1000.0, -100.0),
    ),
    Proof(
        "log(1 - exp(x))",
        "log(1 - exp(x[e]))",
        high=-1e-45,
        beyond=(1e-45, 1e-3, 5.0, 100.0),
        naive=lambda x: torch.log(1 - torch.exp(x)),
        hard=(-1e-3, -1e-8),
    ),
    Proof(
        "log(1 - exp(x))",
        "log(1 - exp(x[e]))",
        high=-1e-45,
        naive=lambda x: torch.log(1 - torch.exp(x)),
        hard=(-100.0, -10.0),
    ),
    Proof(
        "log(exp(x) - exp(y))",
        "log(exp(x[e]) - exp(y[e]))",
        PAIR,
        naive=lambda x, y: torch.log(torch.exp(x) - torch.exp(y)),
        hard=(100.0, 500.0),
        close=True,
    ),
    Proof(
        "log(exp(x) - exp(y))",
        "log(exp(x[e]) - 1)",
        low=1e-45,
        beyond=(-1e-3, -5.0),
        naive=lambda x: torch.log(torch.exp(x) - 1),
        hard=(89.0, 500.0),
    ),
    Proof(
        "log(1 + x)",
        "log(1 + x[e])",
        low=-0.999999,
        high=1e30,
        beyond=(-2.0, -1.0000001192092896, -0.9999999403953552),
        naive=lambda x: torch.log(1 + x),
        hard=(1e-7, 1e-3),
    ),
    Proof(
        "log(x + c)",
        "log(x[e] + 1e-8)",
        low=0.0,
        high=1e30,
        beyond=(-1e-7,),
        naive=lambda x: torch.log(x + 1e-8),
        hard=(1.0, 1.0),
    ),
    Proof(
        "log1p(x**2)",
        "log(1 + x[e] ** 2 / 2)",
        low=-1e30,
        high=1e30,
        naive=lambda x: torch.log1p(x**2 / 2),
        hard=(1e20, 1e30),
    ),
    Proof(
        PRODUCT,
        "log(3 * exp(x[e]))",
        naive=lambda x: torch.log(3 * torch.exp(x)),
        hard=(89.0, 500.0),
    ),
    Proof(
        PRODUCT,
        "log(y[e] * sigmoid(x[e]) / 2)",
        PAIR,
        naive=lambda x, y: torch.log(y * torch.sigmoid(x) / 2),
        hard=(-500.0, -110.0),
        refused="",
    ),
    Proof(
        PRODUCT,
        "log(x[e] * y[e] * exp(x[e]))",
        "x: Positive[e], y: Real[e]",
        low=1e-40,
        refused=PAIR,
    ),
    Proof(
        POWER,
        "log(1 / x[e])",
        low=1e-45,
        beyond=(-2.0,),
        naive=lambda x: torch.log(1 / x),
        hard=(1e-45, 1e-40),
    ),
    Proof(POWER, "log(x[e] ** 2)", naive=lambda x: torch.log(x**2), hard=(1e-40, 1e-24)),
    Proof(POWER, "log(x[e] ** 3)", low=1e-30),
    Proof(POWER, "log(sqrt(x[e]))", low=1e-45, high=1e30, beyond=(-1.0,)),
    Proof(POWER, "log(x[e] ** 2.5)", "x: Positive[e]", low=1e-45, refused=ALONE),
    Proof(
        "log(where(c, sigmoid(x), …))",
        "log(where(x[e] > 10, sigmoid(x[e]), 1 - sigmoid(x[e])))",
        naive=lambda x: torch.log(torch.where(x > 10, torch.sigmoid(x), 1 - torch.sigmoid(x))),
        hard=(-100.0, -20.0),
    ),
    Proof(
        "log(x/y)",
        "log(x[e] / y[e])",
        "x: NonNegative[e], y: Positive[e]",
        low=1e-30,
        refused="x: Real[e], y: Positive[e]",
        naive=lambda x, y: torch.log(x / y),
        hard=(1e-3, 100.0),
        close=True,
    ),
    Proof(
        "log(x) - log(y)",
        "log(x[e]) - log(y[e])",
        "x: Positive[e], y: Positive[e]",
        low=1e-30,
        refused=PAIR,
        naive=lambda x, y: torch.log(x) - torch.log(y),
        hard=(10.0, 100.0),
        close=True,
    ),
    Proof(
        "log(sigmoid(x) - sigmoid(y))",
        "log(sigmoid(x[e] + 0.5) - sigmoid(x[e] - 0.5))",
        naive=lambda x: torch.log(torch.sigmoid(x + 0.5) - torch.sigmoid(x - 0.5)),
        hard=(10.0, 300.0),
    ),
    Proof("log(sigmoid(x) - sigmoid(y))", "log(sigmoid(x[e]) - sigmoid(y[e]))", PAIR),
    Proof(
        "1 - sigmoid(x)**p",
        "1 - sigmoid(x[e]) ** 0.7",
        naive=lambda x: 1 - torch.sigmoid(x) ** 0.7,
        hard=(5.0, 80.0),
    ),
    Proof("1 - sigmoid(x)**p", "sigmoid(x[e]) ** 3 - 1"),
    Proof(
        LOG1P,
        "log1p(exp(x[e]))",
        naive=lambda x: torch.log1p(torch.exp(x)),
        hard=(89.0, 500.0),
    ),
    Proof(
        LOG1P,
        "log1p(-sigmoid(x[e]))",
        naive=lambda x: torch.log1p(-torch.sigmoid(x)),
        hard=(10.0, 100.0),
    ),
    Proof(
        LOG1P,
        "log1p(-exp(x[e]))",
        high=-1e-45,
        beyond=(1e-3, 5.0),
        naive=lambda x: torch.log1p(-torch.exp(x)),
        hard=(-1e-3, -1e-8),
    ),
    Proof(LOG1P, "log1p(exp(x[e]) - 1)"),
    Proof(LOG1P, "log1p(-erf(x[e]))", low=-25.0, high=25.0),
    Proof(LOG1P, "log1p(Sum(exp(x[n, c]), c))", ROW),
    # --- exponentials
    Proof(
        "exp(log_softmax(x)), exp(log_sigmoid(x))",
        "exp(log_softmax(x[n, c], c))",
        ROW,
    ),
    Proof(
        "exp(log_softmax(x)), exp(log_sigmoid(x))",
        "exp(log_sigmoid(x[e]))",
        naive=lambda x: torch.exp(torch.nn.functional.logsigmoid(x)),
        hard=(-15.0, -8.0),
        worse=3.0,
    ),
    Proof("exp(log_softmax(x)), exp(log_sigmoid(x))", "exp(-softplus(x[e]))"),
    Proof(
        "exp(log(x)), exp(p*log(x))",
        "exp(log(x[e]))",
        "x: NonNegative[e]",
        low=1e-45,
        high=1e30,
        refused=ALONE,
        naive=lambda x: torch.exp(torch.log(x)),
        hard=(1e20, 1e30),
        worse=10.0,
    ),
    Proof(
        "exp(log(x)), exp(p*log(x))",
        "exp(3 * log(x[e]))",
        "x: Positive[e]",
        low=1e-10,
        high=1e10,
        refused="x: NonNegative[e]",
    ),
    # --- sums
    Proof(
        "1 - sigmoid(x)",
        "1 - sigmoid(x[e])",
        naive=lambda x: 1 - torch.sigmoid(x),
        hard=(10.0, 80.0),
    ),
    Proof("1 - sigmoid(x)", "sigmoid(x[e]) - sigmoid(x[e]) ** 2"),
    Proof(
        "1 - max(sigmoid(x) - m, y)",
        "1 - Max(sigmoid(x[e]), 0.25)",
        naive=lambda x: 1 - torch.sigmoid(x).clamp(min=0.25),
        hard=(14.0, 80.0),
    ),
    Proof("1 - max(sigmoid(x) - m, y)", "1 - Max(0, sigmoid(x[e]) - 0.125)"),
    Proof("1 - sigmoid(x)", "y[e] - y[e] * sigmoid(x[e])", PAIR),
    Proof(
        "2*sigmoid(x) - 1",
        "2 * sigmoid(x[e]) - 1",
        naive=lambda x: 2 * torch.sigmoid(x) - 1,
        hard=(1e-7, 1e-3),
    ),
    Proof("2*sigmoid(x) - 1", "sigmoid(x[e]) - sigmoid(-x[e])"),
    Proof("2*sigmoid(x) - 1", "sigmoid(x[e]) - 0.5"),
    Proof("2*sigmoid(x) - 1", "y[e] * sigmoid(x[e]) - y[e] * sigmoid(-x[e]) + y[e] ** 2", PAIR),
    Proof("2*sigmoid(x) - 1", "y[e] - 2 * y[e] * sigmoid(x[e])", PAIR),
    Proof(
        "log_sigmoid(x) - log_sigmoid(-x)",
        "log(sigmoid(x[e])) - log(sigmoid(-x[e]))",
        naive=lambda x: F.logsigmoid(x) - F.logsigmoid(-x),
        hard=(1e-7, 1e-3),
    ),
    Proof(
        "log_sigmoid(x) - log_sigmoid(-x)",
        "y[e] * softplus(x[e]) - y[e] * softplus(-x[e])",
        PAIR,
    ),
    Proof(
        "t/p - (1 - t)/(1 - p)",
        "y[e] / x[e] - (1 - y[e]) / (1 - x[e])",
        "x: Probabilities[e], y: Real[e]",
        low=1e-30,
        high=0.999,
        beyond=(1.5, -2.0),
        refused=PAIR,
        naive=lambda x, y: y / x - (1 - y) / (1 - x),
        hard=(0.1, 0.9),
        close=True,
    ),
    Proof(
        "t/p - (1 - t)/(1 - p)",
        "where(x[e] > 0, 3 * y[e] * ((1 - y[e]) / (1 - x[e]) - y[e] / x[e]), 0)",
        "x: Probabilities[e], y: Real[e]",
        low=1e-30,
        high=0.999,
    ),
    Proof(
        "1 - tanh(x), 1 - tanh(x)**2",
        "1 - tanh(x[e])",
        low=-300.0,
        high=300.0,
        naive=lambda x: 1 - torch.tanh(x),
        hard=(8.0, 40.0),
    ),
    Proof(
        "1 - tanh(x), 1 - tanh(x)**2",
        "1 - tanh(x[e]) ** 2",
        low=-300.0,
        high=300.0,
        naive=lambda x: 1 - torch.tanh(x) ** 2,
        hard=(8.0, 40.0),
    ),
    Proof("1 - tanh(x), 1 - tanh(x)**2", "1 + tanh(x[e])", low=-300.0, high=300.0),
    Proof(
        SOFTPLUS,
        "x[e] + softplus(-x[e])",
        naive=lambda x: x + _softplus(-x),
        hard=(-80.0, -10.0),
    ),
    Proof(SOFTPLUS, "x[e] - softplus(x[e])"),
    Proof(SOFTPLUS, "x[e] + log_sigmoid(-x[e])"),
    Proof(SOFTPLUS, "Max(x[e], 0) + log(1 + exp(-Abs(x[e])))"),
    Proof(
        "softplus(x) - t*x",
        "softplus(x[e]) - x[e] * y[e]",
        "x: Real[e], y: Probabilities[e]",
        low=1e-30,
        high=1.0,
        refused=PAIR,
    ),
    Proof(
        "softplus(x) - t*x",
        "softplus(x[e]) - 0 * x[e] - x[e] * stop_gradient(sigmoid(1e9 * x[e]))",
        low=1.0,
        naive=lambda x: _softplus(x) - x,
        hard=(12.0, 80.0),
    ),
    Proof(
        "1 - (t*p + (1 - t)*q)",
        "1 - (y[e] * sigmoid(x[e]) + (1 - y[e]) * (1 - sigmoid(x[e])))",
        "x: Real[e], y: Binary[e]",
        naive=lambda x, y: 1 - (y * torch.sigmoid(x) + (1 - y) * (1 - torch.sigmoid(x))),
        hard=(10.0, 80.0),
    ),
    Proof(
        "1 - where(c, sigmoid(x), …)",
        "1 - where(x[e] > 0, sigmoid(x[e]), 0.5)",
        naive=lambda x: 1 - torch.where(x > 0, torch.sigmoid(x), 0.5),
        hard=(10.0, 80.0),
    ),
    Proof("1 - softmax(x)[label]", "1 - at(softmax(x[n, c], c), c=2)", ROW),
    Proof(
        "exp(x) - 1, 1 - exp(x)",
        "exp(x[e]) - 1",
        naive=lambda x: torch.exp(x) - 1,
        hard=(-1e-3, -1e-7),
    ),
    Proof(
        "exp(x) - 1, 1 - exp(x)",
        "1 - exp(x[e])",
        naive=lambda x: 1 - torch.exp(x),
        hard=(1e-7, 1e-3),
    ),
    Proof("exp(x) - 1, 1 - exp(x)", "exp(x[e]) - 1 - x[e]"),
    Proof("exp(x) - 1, 1 - exp(x)", "y[e] * exp(x[e]) - y[e]", PAIR),
    Proof(
        "exp(x) - exp(-x)",
        "(exp(x[e]) - exp(-x[e])) / 2",
        naive=lambda x: (torch.exp(x) - torch.exp(-x)) / 2,
        hard=(1e-7, 1e-3),
    ),
    Proof(
        COSH,
        "log(exp(x[e]) + exp(-x[e])) - log(2)",
        naive=lambda x: torch.logaddexp(x, -x) - torch.log(torch.tensor(2.0)),
        hard=(1e-5, 1e-2),
    ),
    Proof(
        COSH,
        "x[e] + softplus(-2 * x[e]) - log(2)",
        naive=lambda x: x + _softplus(-2 * x) - torch.log(torch.tensor(2.0)),
        hard=(1e-5, 1e-2),
    ),
    Proof(COSH, "2 * (log(2) - x[e] - softplus(-2 * x[e]))"),
    Proof(COSH, "2 * log(1 + exp(x[e])) - x[e] - log(4)"),
    Proof("x - logsumexp(x)", "x[n, c] - logsumexp(x[n, k], k)", ROW),
    Proof(
        "x - logsumexp(x)", "m = Amax(x[n, k], k); (x[n, c] - m) - logsumexp(x[n, k] - m, k)", ROW
    ),
    Proof("m + logsumexp(x - m)", "m = Amax(x[n, k], k); m + logsumexp(x[n, c] - m, c)", ROW),
    Proof(
        ROOT_LESS,
        "sqrt(1 + x[e]) - 1",
        low=-1.0,
        beyond=(-1.5,),
        naive=lambda x: torch.sqrt(1 + x) - 1,
        hard=(1e-7, 1e-3),
    ),
    Proof(
        ROOT_LESS,
        "sqrt(1 + x[e] ** 2) - 1",
        high=1e30,
        naive=lambda x: torch.sqrt(1 + x**2) - 1,
        hard=(1e-10, 1e-3),
    ),
    Proof(
        ROOT_LESS,
        "sqrt(1 + x[e] ** 2) - 1",
        naive=lambda x: torch.sqrt(1 + x**2) - 1,
        hard=(1e20, 1e37),
    ),
    Proof(ROOT_LESS, "sqrt(x[e] ** 2 + 9) - 3"),
    Proof(
        "expm1(-k*x**2)",
        "1 - exp(-(x[e] ** 2) / 2)",
        naive=lambda x: 1 - torch.exp(-(x**2) / 2),
        hard=(12.0, 13.0),
        gradient=True,
        worse=30.0,
    ),
    Proof(
        POWER_LESS,
        "(1 + x[e]) ** 1.7 - 1",
        "x: NonNegative[e]",
        low=0.0,
        refused=ALONE,
        naive=lambda x: (1 + x) ** 1.7 - 1,
        hard=(1e-10, 1e-3),
    ),
    Proof(
        POWER_LESS,
        "(1 + x[e] ** 2 / 3) ** 0.25 - 1",
        low=-1e30,
        high=1e30,
        naive=lambda x: (1 + x**2 / 3) ** 0.25 - 1,
        hard=(1e20, 1e30),
    ),
    Proof(
        "sqrt(x) - sqrt(y)",
        "sqrt(x[e] + 1) - sqrt(x[e])",
        low=0.0,
        beyond=(-0.5, -3.0),
        naive=lambda x: torch.sqrt(x + 1) - torch.sqrt(x),
        hard=(1e5, 1e8),
    ),
    Proof(
        "sqrt(x) - sqrt(y)",
        "sqrt(x[e]) - sqrt(y[e])",
        "x: Positive[e], y: NonNegative[e]",
        low=1e-40,
        refused="x: NonNegative[e], y: NonNegative[e]",
        naive=lambda x, y: torch.sqrt(x) - torch.sqrt(y),
        hard=(1.0, 100.0),
        close=True,
    ),
    Proof(
        "1 - cos(x)",
        "1 - cos(x[e])",
        naive=lambda x: 1 - torch.cos(x),
        hard=(1e-10, 1e-3),
    ),
    Proof("1 - cos(x)", "cos(x[e]) - 1"),
    Proof(
        "1 - erf(x), 1 + erf(x)",
        "1 - erf(x[e])",
        low=-25.0,
        high=25.0,
        naive=lambda x: 1 - torch.erf(x),
        hard=(4.0, 9.0),
    ),
    Proof(
        "1 - erf(x), 1 + erf(x)",
        "(1 + erf(x[e])) / 2",
        low=-25.0,
        high=25.0,
        naive=lambda x: (1 + torch.erf(x)) / 2,
        hard=(-9.0, -4.0),
    ),
    Proof(
        "erf(x) - erf(y)",
        "erf(x[e] + 0.5) - erf(x[e] - 0.5)",
        low=-25.0,
        high=25.0,
        naive=lambda x: torch.erf(x + 0.5) - torch.erf(x - 0.5),
        hard=(3.0, 8.0),
    ),
    Proof("erf(x) - erf(y)", "2 * erf(y[e]) - 2 * erf(x[e])", PAIR, low=-25.0, high=25.0),
    Proof(
        "1 - erfc(x)",
        "1 - erfc(x[e])",
        low=-25.0,
        high=25.0,
        naive=lambda x: 1 - torch.erfc(x),
        hard=(1e-10, 1e-4),
    ),
    Proof(
        "x**2 - y**2",
        "x[e] ** 2 - y[e] ** 2",
        PAIR,
        naive=lambda x, y: x**2 - y**2,
        hard=(1.0, 100.0),
        close=True,
    ),
    Proof("x**2 - y**2", "1 - x[e] ** 2"),
    Proof(
        AT_LABEL,
        "(logsumexp(x[n, c], c) + y[n, 0]) / 2 + 3 - x[n, where(z[n] < 1, 2 * z[n], 0)]",
        "x: Real[n, c], y: Real[n, 4], z: ClassIndex[n]",
    ),
    Proof(
        AT_LABEL,
        "logsumexp(x[n, c], c) - x[n, y[n]]",
        "x: Real[n, c], y: ClassIndex[n]",
    ),
    Proof(
        "1 - x/(x + y)",
        "1 - x[e] / (x[e] + y[e])",
        "x: Probabilities[e], y: Probabilities[e]",
        low=1e-45,
        high=1.0,
        refused=PAIR,
        naive=lambda x, y: 1 - x / (x + y),
        hard=(1e5, 1e8),
    ),
    Proof(
        "1 - x/(x + y)",
        "a = Sum(x[n, c] ** 2, c); 1 - (2 * a + 3) / (2 * a + Mean(y[n, c] ** 2, c) + 3)",
        ROWS,
    ),
    Proof(
        SHARED,
        "a = Sum(x[n, c] * y[n, c], c); b = Sum(x[n, c] + y[n, c], c); (b - 2 * a) / (b + 1)",
        "x: Probabilities[n, c], y: Probabilities[n, c]",
        low=1e-45,
        high=1.0,
        refused=ROWS,
    ),
    Proof(
        ROOT_OF_PRODUCT,
        "sqrt(Sum(x[n, c] ** 2, c) * Sum(y[n, c], c))",
        "x: Real[n, c], y: Positive[n, c]",
        low=1e-45,
        high=1000.0,
        refused=ROWS,
        naive=lambda x, y: torch.sqrt((x**2).sum(-1) * y.sum(-1)),
        hard=(1e19, 1e30),
    ),
    Proof(
        ROOT_OF_PRODUCT,
        "sqrt((Sum(x[n, c] ** 2, c) + 1e-12) * (Sum(y[n, c] ** 2, c) + 1e-12))",
        ROWS,
    ),
    Proof(
        COSINE,
        "dot = Sum(x[n, c] * y[n, c], c); square = Sum(x[n, c] ** 2, c) + 1e-12;"
        "dot / (sqrt(square) * sqrt(Sum(y[n, c] ** 2, c) + 1e-12))",
        ROWS,
        naive=_cosine,
        hard=(1e20, 1e37),
    ),
    Proof("x**2 - y**2", "x[e] ** 2 - 4"),
    Proof(
        "x**2 - 2*x*y + y**2",
        "x[e] ** 2 - 2 * x[e] * y[e] + y[e] ** 2",
        PAIR,
        naive=lambda x, y: x**2 - 2 * x * y + y**2,
        hard=(1.0, 100.0),
        close=True,
    ),
    Proof("x**2 - 2*x*y + y**2", "x[e] ** 2 + 2 * x[e] + 1"),
    Proof(
        MOMENTS,
        "Mean(x[n, c] ** 2, c) - Mean(x[n, c], c) ** 2",
        ROW,
        naive=lambda x: (x**2).mean(-1) - x.mean(-1) ** 2,
        hard=(1e4, 1e5),
        shares=(1.0, 1.001, 0.999, 1.0005),
    ),
    Proof(
        MOMENTS,
        "Mean(x[n, c] * y[n, c], c) - Mean(x[n, c], c) * Mean(y[n, c], c)",
        ROWS,
    ),
    # --- sums over letters
    Proof(
        DIVERGENCE,
        "log_p = log_softmax(x[n, c], c); log_q = log_softmax(y[n, c], c);"
        "item = 3 * exp(log_q) * (log_q - log_p) + x[n, c]; Sum(item, c)",
        ROWS,
    ),
    # --- products
    Proof(
        "x*log(x)",
        "x[e] * log(x[e])",
        low=1e-45,
        high=1e30,
        beyond=(-1e-3, -2.0),
        naive=lambda x: x * torch.log(x),
        hard=(0.0, 0.0),
    ),
    Proof(
        ENTROPY,
        "x[e] * log(x[e] / y[e])",
        "x: NonNegative[e], y: Positive[e]",
        low=1e-30,
        refused="x: NonNegative[e], y: NonNegative[e]",
        naive=lambda x, y: x * torch.log(x / y),
        hard=(1e-3, 1.0),
        close=True,
    ),
    Proof(
        ENTROPY,
        "x[e] * (log(x[e]) - log(y[e]))",
        "x: NonNegative[e], y: Positive[e]",
        low=1e-30,
        refused=PAIR,
        naive=lambda x, y: x * (torch.log(x) - torch.log(y)),
        hard=(1e-3, 1.0),
        close=True,
    ),
    Proof(
        "p*(log(p) - r)",
        "x[e] * (log(x[e]) - log_sigmoid(y[e]))",
        "x: NonNegative[e], y: Real[e]",
        low=1e-30,
        naive=lambda x, y: x * (torch.log(x) - torch.nn.functional.logsigmoid(y)),
        hard=(0.0, 0.0),
    ),
    Proof(
        "exp(x)/Sum(exp(x))",
        "exp(x[n, c]) / Sum(exp(x[n, c]), c)",
        ROW,
        naive=lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True),
        hard=(89.0, 500.0),
    ),
    Proof(
        QUOTIENT,
        "exp(x[e]) / (exp(x[e]) + exp(y[e]))",
        PAIR,
        naive=lambda x, y: torch.exp(x) / (torch.exp(x) + torch.exp(y)),
        hard=(89.0, 500.0),
        close=True,
    ),
    Proof(
        QUOTIENT,
        "exp(x[e]) / (2 + exp(x[e]))",
        naive=lambda x: torch.exp(x) / (2 + torch.exp(x)),
        hard=(89.0, 500.0),
    ),
    Proof(
        "exp(x)*sigmoid(-x)",
        "exp(x[e]) * sigmoid(-x[e])",
        naive=lambda x: torch.exp(x) * torch.sigmoid(-x),
        hard=(89.0, 500.0),
    ),
    Proof(
        "log(exp(x) + exp(y)) - x",
        "log(exp(x[e]) + exp(y[e])) - x[e]",
        PAIR,
        naive=lambda x, y: torch.logaddexp(x, y) - x,
        hard=(12.0, 80.0),
    ),
    Proof("log(exp(x) + exp(y)) - x", "x[e] - log(exp(x[e]) + exp(y[e]))", PAIR),
    Proof("exp(x)*sigmoid(-x)", "exp(-x[e]) / (1 + exp(-x[e])) ** 2"),
    Proof(
        "exp(x)*sigmoid(-a*x)",
        "exp(x[e]) * sigmoid(-2 * x[e])",
        naive=lambda x: torch.exp(x) * torch.sigmoid(-2 * x),
        hard=(89.0, 500.0),
    ),
    Proof(
        "exp(x)*sigmoid(-a*x)",
        "exp(x[e]) * sigmoid(-a * x[e])",
        "x: Real[e], *, a: Positive = 2.0",
        refused="x: Real[e], *, a: Real = 2.0",
    ),
    Proof(
        "(exp(x) + y)*exp(z)",
        "(exp(x[e]) + 3) * exp(-y[e])",
        PAIR,
        naive=lambda x, y: (torch.exp(x) + 3) * torch.exp(-y),
        hard=(110.0, 500.0),
        close=True,
    ),
    Proof(
        TANH,
        "(exp(x[e]) - exp(-x[e])) / (exp(x[e]) + exp(-x[e]))",
        naive=lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
        hard=(1e-7, 1e-3),
    ),
    Proof(
        TANH,
        "(exp(2 * x[e]) - 1) / (exp(2 * x[e]) + 1)",
        naive=lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1),
        hard=(1e-7, 1e-3),
    ),
    Proof(TANH, "(1 - exp(-x[e])) / (1 + exp(-x[e]))"),
    Proof(
        "sigmoid(x)/sigmoid(-x)",
        "sigmoid(x[e]) / (1 - sigmoid(x[e]))",
        naive=lambda x: torch.sigmoid(x) / (1 - torch.sigmoid(x)),
        hard=(5.0, 80.0),
    ),
    Proof(
        EXPS,
        "exp(x[e]) * exp(-y[e])",
        PAIR,
        naive=lambda x, y: torch.exp(x) * torch.exp(-y),
        hard=(90.0, 500.0),
        close=True,
    ),
    Proof(EXPS, "exp(x[e]) / exp(y[e])", PAIR),
    Proof(EXPS, "exp(3 * x[e]) * exp(-2 * x[e])"),
    Proof(
        "a*where(c, b, 0)",
        "log(x[e]) * where(x[e] > 1, x[e], 0)",
        low=1e-45,
        naive=lambda x: torch.log(x) * torch.where(x > 1, x, 0.0),
        hard=(0.0, 0.0),
    ),
    Proof(
        "p = f(x); where(c, p, y)",
        "p = sqrt(x[e]); where(x[e] > 0, p, 0)",
        low=-10.0,
        naive=lambda x: torch.where(x > 0, torch.sqrt(x), 0.0),
        hard=(-5.0, -1.0),
        gradient=True,
    ),
    Proof("p = f(x); where(c, p, y)", "p = log(x[e]) * x[e]; where(x[e] > 0, p, 0)", low=-10.0),
    Proof(
        WEIGHTS,
        "Sum(where(y[n, c] > 0, 1 / y[n, c]**2, 0) * x[n, c], c)"
        " / (Sum(where(y[n, c] > 0, 1 / y[n, c]**2, 0), c) + 1)",
        "x: Real[n, c], y: Positive[n, c]",
        refused=ROWS,
        naive=lambda x, y: (_weight(y) * x).sum(-1) / (_weight(y).sum(-1) + 1),
        hard=(1e-35, 1e-25),
        close=True,
    ),
    # --- powers
    Proof(
        "1/(1 + exp(x))",
        "1 / (1 + exp(x[e]))",
        naive=lambda x: 1 / (1 + torch.exp(x)),
        hard=(50.0, 80.0),
        gradient=True,
    ),
    Proof("1/(1 + exp(x))", "1 / (1 + exp(-x[e]))"),
    Proof("1/(1 + exp(x))", "1 / (1 + exp(-x[e])) ** 3"),
    Proof(
        "exp(x)**p",
        "exp(x[e]) ** 0.25",
        naive=lambda x: torch.exp(x) ** 0.25,
        hard=(100.0, 300.0),
    ),
    Proof("exp(x)**p", "1 / exp(x[e])"),
    Proof(
        "sqrt(x)**2",
        "sqrt(x[e]) ** 2",
        "x: NonNegative[e]",
        low=0.0,
        refused=ALONE,
        naive=lambda x: torch.sqrt(x) ** 2,
        hard=(0.0, 0.0),
        gradient=True,
    ),
    # --- roots
    Proof(
        "sqrt(x**2)",
        "sqrt(x[e] ** 2)",
        high=1e30,
        naive=lambda x: torch.sqrt(x**2),
        hard=(1e-40, 1e-24),
    ),
    Proof(
        "x**2/(c + x**2)",
        "x[e] ** 2 / (3 + x[e] ** 2)",
        low=-1e30,
        high=1e30,
        naive=lambda x: x**2 / (3 + x**2),
        hard=(1e20, 1e30),
    ),
    Proof(
        "x**2/(c + x**2)",
        "2 * (x[e] - y[e]) ** 2 / (4 + (x[e] - y[e]) ** 2)",
        PAIR,
        naive=lambda x, y: 2 * (x - y) ** 2 / (4 + (x - y) ** 2),
        hard=(30.0, 1e4),
        gradient=True,
    ),
    Proof(
        ROOT_OF_SQUARES,
        "sqrt(Sum(x[n, c] ** 2, c))",
        ROW,
    ),
    Proof(
        ROOT_OF_SQUARES,
        "sqrt(Mean((x[n, c] - y[n, c]) ** 2, c))",
        ROWS,
        naive=lambda x, y: torch.sqrt(((x - y) ** 2).mean(-1)),
        hard=(1e19, 1e30),
    ),
    Proof(
        POWER_LENGTH,
        "Sum(Abs(x[n, c]) ** 3, c) ** (1 / 3)",
        ROW,
        naive=lambda x: (x.abs() ** 3).sum(-1) ** (1 / 3),
        hard=(1e13, 1e37),
    ),
    Proof(
        POWER_LENGTH,
        "Sum(Abs(x[n, c]) ** (5 / 2), c) ** (2 / 5)",
        ROW,
    ),
    Proof(
        LENGTH_OR_ZERO,
        "s = Sum(Abs(x[n, c]) ** 3, c); where(s > 0, s ** (1 / 3), 0)",
        ROW,
        naive=lambda x: (x.abs() ** 3).sum(-1) ** (1 / 3),
        hard=(1e13, 1e37),
    ),
    Proof(
        TWO_SQUARES,
        "sqrt(x[e] ** 2 + y[e] ** 2)",
        PAIR,
        naive=lambda x, y: torch.sqrt(x**2 + y**2),
        hard=(1e20, 1e37),
        close=True,
    ),
    Proof(TWO_SQUARES, "(x[e] ** 2 + 4) ** 0.5"),
    Proof(
        TWO_SQUARES,
        "sqrt(x[e] ** 2 + 1e-6)",
        naive=lambda x: torch.sqrt(x**2 + 1e-6),
        hard=(1e20, 1e37),
    ),
    # --- others
    Proof(
        "where(b > 0, a/b, 0), where(b != 0, a/b, 0)",
        "where(y[e] > 0, x[e] / y[e], 0)",
        "x: Real[e], y: Positive[e]",
        refused=PAIR,
    ),
    Proof(
        "where(b > 0, a/b, 0), where(b != 0, a/b, 0)",
        "where(x[e] == 0, 0, 2 * y[e] / x[e])",
        PAIR,
    ),
    Proof(
        "sigmoid(log(p/(1 - p)))",
        "sigmoid(log(x[e] / (1 - x[e])))",
        "x: Probabilities[e]",
        low=1e-45,
        high=0.9999,
        refused=ALONE,
        naive=lambda x: torch.sigmoid(torch.log(x / (1 - x))),
        hard=(1e-35, 1e-25),
        worse=10.0,
    ),
    Proof(
        "sigmoid(log(p/(1 - p)))",
        "sigmoid(log(x[e]) - log(1 - x[e]))",
        "x: Probabilities[e]",
        low=1e-45,
        high=0.9999,
    ),
    # --- mixtures
    Proof(
        "log(u*softmax(x) + v*softmax(y))",
        "log((softmax(x[n, c], c) + softmax(y[n, c], c)) / 2)",
        ROWS,
        naive=lambda x, y: torch.log((x.softmax(-1) + y.softmax(-1)) / 2),
        hard=(100.0, 500.0),
        close=True,
    ),
    Proof(
        "log(u*softmax(x) + v*softmax(y))",
        "log(2 * sigmoid(x[e]) + exp(y[e]))",
        PAIR,
    ),
    Proof(
        "log(1 - w + w*exp(x))",
        "log(0.75 + 0.25 * exp(x[e]))",
        naive=lambda x: torch.log(0.75 + 0.25 * x.exp()),
        hard=(1e-6, 1e-3),
    ),
    Proof("log(1 - w + w*exp(x))", "log(0.875 * exp(x[e]) + 0.125)"),
    Proof(
        LESS_MIXTURE,
        "x[e] - log(0.5 * exp(x[e]) + 0.5 * exp(y[e]))",
        PAIR,
        naive=lambda x, y: x - (torch.logaddexp(x, y) - math.log(2)),
        hard=(0.5, 50.0),
        close=True,
    ),
    Proof(LESS_MIXTURE, "x[e] - log((exp(x[e]) + exp(y[e])) / 2)", PAIR),
    Proof(LESS_MIXTURE, "3 * y[e] * (log(exp(x[e]) + 3 * exp(y[e])) - log(4) - x[e])", PAIR),
    Proof(
        "u*exp(x)*log_mixture(y - x, v) + v*exp(y)*log_mixture(x - y, u)",
        "m = log((exp(x[e]) + 3 * exp(y[e])) / 4);"
        "exp(x[e]) * (x[e] - m) / 4 + 0.75 * exp(y[e]) * (y[e] - m)",
        PAIR,
        low=-80.0,
        high=80.0,
        naive=_divergence,
        hard=(0.5, 50.0),
        close=True,
        gradient=True,
    ),
    Proof(
        "softplus(x) - softplus(y)",
        "softplus(x[e]) - softplus(y[e])",
        PAIR,
        naive=lambda x, y: F.softplus(x) - F.softplus(y),
        hard=(-30.0, -5.0),
        close=True,
    ),
    Proof(
        "softplus(x) - softplus(y)",
        "3 * x[e] * log1p(exp(x[e] + y[e])) - 3 * x[e] * softplus(x[e])",
        PAIR,
    ),
    Proof("softplus(x) - softplus(y)", "log_sigmoid(x[e] - y[e]) - log_sigmoid(x[e])", PAIR),
    Proof(
        "sigmoid(a + u) - sigmoid(a)",
        "sigmoid(x[e] + y[e]) - sigmoid(x[e])",
        PAIR,
        naive=lambda x, y: torch.sigmoid(x + y) - torch.sigmoid(x),
        hard=(8.0, 14.0),
    ),
    Proof("sigmoid(a + u) - sigmoid(a)", "y[e] * (sigmoid(-x[e]) - sigmoid(-x[e] - 2))", PAIR),
    Proof(
        GAMMAS,
        "lgamma(x[e] + 1) - lgamma(x[e])",
        "x: Positive[e]",
        low=1e-30,
        naive=lambda x: torch.lgamma(x + 1) - torch.lgamma(x),
        hard=(1e5, 1e6),
        refused=ALONE,
    ),
    Proof(
        GAMMAS,
        "y[e] * (lgamma(x[e]) - lgamma(x[e] + 3))",
        "x: Positive[e], y: Real[e]",
        low=1e-30,
    ),
    Proof(
        "digamma(a + 1) - digamma(a), …",
        "digamma(x[e] + 1) - digamma(x[e])",
        "x: Positive[e]",
        low=1e-30,
        naive=lambda x: torch.digamma(x + 1) - torch.digamma(x),
        hard=(1e4, 1e5),
        refused=ALONE,
    ),
    Proof(
        LIMITED,
        "Min(x[e] / (1 - x[e]), 5) / (x[e] / (1 - x[e]))",
        "x: Probabilities[e]",
        low=1e-45,
        high=1 - 2.0**-24,
        refused="x: Real[e]",
    ),
    Proof(
        LIMITED,
        "Min(3, x[e]**2 / y[e]**2) * y[e]**2",
        "x: Positive[e], y: Positive[e]",
        low=1e-30,
        high=1e30,
    ),
    Proof(
        "x/(1 - x) + 1",
        "x[e] / (1 - x[e]) + 1",
        naive=lambda x: x / (1 - x) + 1,
        hard=(-1e8, -1e4),
    ),
    Proof(
        MASKED_SOFTMAX,
        "exp(x[n, c]) / Sum(exp(x[n, c]), c, where=y[n, c] >= 0)",
        ROWS,
        naive=lambda x, y: x.exp() / torch.where(y > 0, x.exp(), 0).sum(-1, keepdim=True),
        hard=(89.0, 500.0),
    ),
    Proof(
        MASKED_SOFTMAX,
        "p = where(y[n, c] >= 0, exp(x[n, c]), 0); p / Sum(p, c)",
        ROWS,
    ),
    Proof(
        OVER_NOTHING,
        "where(y[n, c] > 0, x[n, c] * logsumexp(x[n, c], c, where=y[n, c] > 0), 0)",
        ROWS,
    ),
    Proof(
        OVER_NOTHING,
        "Sum(x[n, c] * Amin(x[n, c], c, where=y[n, c] > 0), c, where=y[n, c] > 0)",
        ROWS,
    ),
    Proof(
        OVER_NOTHING,
        "where(y[n, c] > 0, log_softmax(where(y[n, c] > 0, x[n, c], -oo), c) * x[n, c], 0)",
        ROWS,
    ),
    Proof(
        OVER_NOTHING,
        "where(y[n, c] > 0, 1 / Sum(exp(x[n, c]), c, where=y[n, c] > 0), 0)",
        ROWS,
    ),
    Proof("softmax(x - m), log_softmax(x - m)", "softmax(x[n, c] - Amax(x[n, k], k), c)", ROW),
    Proof("softmax(x - m), log_softmax(x - m)", "log_softmax(x[n, c] - x[n, 0], c)", ROW),
)
