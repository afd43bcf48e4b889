"""Rows about logarithms and exponentials."""

from __future__ import annotations

from lossgen import nodes as nd
from lossgen.nodes import Exp, Log
from lossgen.stabilize import (
    compositions,
    entropies,
    exponentials,
    gaps,
    log_sums,
    logarithms,
    mixtures,
)
from lossgen.stabilize.rule import EVERY, Rule

FUNCTIONS: tuple[Rule, ...] = (
    # --- logarithms
    Rule(
        "log(sigmoid(x)), log(softmax(x))",
        "log_sigmoid(x), log_softmax(x)",
        EVERY,
        Log,
        logarithms.log_of_named,
    ),
    Rule("log(exp(x))", "x", EVERY, Log, logarithms.log_of_exp),
    Rule("log(1 - erf(x))", "log_erfc(x)", EVERY, Log, logarithms.log_of_erfc),
    Rule(
        "log((1 + erf(x))/2)",
        "where(x > 0, log1p(-erfc(x)/2), log_erfc(-x) - log(2))",
        EVERY,
        Log,
        logarithms.log_of_half_erfc,
    ),
    Rule("log((exp(x) + exp(-x))/2)", "log_cosh(x)", EVERY, Log, logarithms.log_cosh),
    Rule(
        "log(1 - tanh(x)**2)",
        "-2*log_cosh(x)",
        EVERY,
        Log,
        logarithms.log_of_one_minus_tanh,
    ),
    Rule("log(x + sqrt(x**2 + 1))", "asinh(x)", EVERY, Log, logarithms.arsinh),
    Rule(
        "log(1 + exp(x)), log(Sum(exp(x)) + …), log(Sum(softmax(x)))",
        "softplus, logsumexp, logaddexp",
        "every x; weights greater than 0",
        Log,
        log_sums.log_of_exponentials,
    ),
    Rule(
        "log(u*softmax(x) + v*softmax(y))",
        "logaddexp(log(u) + log_softmax(x), log(v) + log_softmax(y))",
        "u, v > 0 numbers",
        Log,
        mixtures.log_of_two_probabilities,
    ),
    Rule(
        "log(1 - w + w*exp(x))",
        "log_mixture(x, w)",
        "w a number, 0 < w < 1",
        nd.LogAddExp,
        mixtures.log_of_mixture_with_one,
    ),
    Rule("log(1 - exp(x))", "log1mexp(x)", "x < 0, else NaN", Log, logarithms.log_of_one_minus_exp),
    Rule(
        "log(exp(x) - exp(y))",
        "x + log1mexp(y - x)",
        "x > y, else NaN",
        Log,
        logarithms.log_of_difference,
    ),
    Rule(
        "log(sigmoid(x) - sigmoid(y))",
        "log_sigmoid(x) + log_sigmoid(-y) + log1mexp(y - x)",
        "x > y, else NaN",
        Log,
        gaps.log_of_difference_of_sigmoids,
    ),
    Rule("log(1 + x)", "log1p(x)", "x > -1, else NaN", Log, logarithms.log_of_one_plus),
    Rule("log(x + c)", "log_sum(x, c)", "x > -c, c > 0, else NaN", Log, compositions.log_of_sum),
    Rule(
        "log(a*exp(x)), log(a*sigmoid(x)), …",
        "log(a) + x, log(a) + log_sigmoid(x), …",
        "all factors but one greater than 0",
        Log,
        logarithms.log_of_product,
    ),
    Rule(
        "log(1/x), log(sqrt(x)), log(x**p)",
        "-log(x), log(x)/2, p*log(x)",
        "every x for integer p, else x > 0",
        Log,
        logarithms.log_of_power,
    ),
    Rule(
        "log(x/y)",
        "log_ratio(x, y)",
        "x, y >= 0",
        Log,
        entropies.log_of_quotient,
    ),
    Rule(
        "log(where(c, sigmoid(x), …))",
        "where(c, log_sigmoid(x), …)",
        EVERY,
        Log,
        logarithms.log_of_where,
    ),
    Rule(
        "log1p(exp(x)), log1p(-sigmoid(x)), log1p(-exp(x)), …",
        "softplus(x), log_sigmoid(-x), log1mexp(x), …",
        EVERY,
        nd.Log1p,
        logarithms.log1p_of_named,
    ),
    Rule("log1p(x**2)", "log1p_square(x)", EVERY, nd.Log1p, compositions.log_of_one_plus_square),
    # --- exponentials
    Rule(
        "exp(log_softmax(x)), exp(log_sigmoid(x))",
        "softmax(x), sigmoid(x)",
        EVERY,
        Exp,
        exponentials.exp_of_stable_log,
    ),
    Rule("exp(log(x)), exp(p*log(x))", "x, x**p", "x >= 0; x > 0", Exp, exponentials.exp_of_log),
    Rule(
        "expm1(-k*x**2)",
        "gauss_minus_one(x, k)",
        "every x; k from 1/4 to 4, a multiple of it",
        nd.Expm1,
        compositions.gaussian_minus_one,
    ),
)
