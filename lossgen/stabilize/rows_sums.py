"""Rows about sums: differences that cancel as they are written."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize import (
    differences,
    entropies,
    exponentials,
    letters,
    logarithms,
    quotients,
    roots,
    sigmoids,
)
from lossgen.stabilize.rule import EVERY, Rule

SUMS: tuple[Rule, ...] = (
    # --- sums
    Rule("1 - sigmoid(x)", "sigmoid(-x)", EVERY, sp.Add, sigmoids.complement_of_sigmoid),
    Rule("2*sigmoid(x) - 1", "tanh(x/2)", EVERY, sp.Add, sigmoids.difference_of_sigmoids),
    Rule(
        "1 - sigmoid(x)**p",
        "-expm1(p*log_sigmoid(x))",
        "every x, p",
        sp.Add,
        sigmoids.one_minus_power,
    ),
    Rule(
        "1 - tanh(x), 1 - tanh(x)**2",
        "2*sigmoid(-2*x), 4*sigmoid(2*x)*sigmoid(-2*x)",
        EVERY,
        sp.Add,
        sigmoids.one_minus_tanh,
    ),
    Rule(
        "x + softplus(-x), max(x, 0) + softplus(-abs(x))",
        "softplus(x)",
        EVERY,
        sp.Add,
        sigmoids.softplus_and_its_argument,
    ),
    Rule(
        "softplus(x) - t*x",
        "(1 - t)*softplus(x) + t*softplus(-x)",
        "0 <= t <= 1",
        sp.Add,
        sigmoids.softplus_less_share,
    ),
    Rule(
        "1 - (t*p + (1 - t)*q)",
        "t*(1 - p) + (1 - t)*(1 - q)",
        "every t, p, q",
        sp.Add,
        sigmoids.complement_of_mixture,
    ),
    Rule(
        "1 - where(c, sigmoid(x), …)",
        "where(c, sigmoid(-x), …)",
        EVERY,
        sp.Add,
        sigmoids.complement_of_choice,
    ),
    Rule(
        "1 - softmax(x)[label]",
        "-expm1(log_softmax(x)[label])",
        EVERY,
        sp.Add,
        sigmoids.complement_of_softmax,
    ),
    Rule(
        "exp(x) - 1, 1 - exp(x)",
        "expm1(x), -expm1(x)",
        EVERY,
        sp.Add,
        exponentials.exp_minus_one,
    ),
    Rule(
        "exp(x) - exp(-x)",
        "expm1(x) - expm1(-x)",
        EVERY,
        sp.Add,
        exponentials.exp_minus_exp,
    ),
    Rule(
        "softplus(x) - x/2 - log(2), logaddexp(x, -x) - log(2)",
        "log_cosh(x/2), log_cosh(x)",
        EVERY,
        sp.Add,
        logarithms.log_cosh_shifted,
    ),
    Rule(
        "log(x) - log(y)",
        "log_ratio(x, y)",
        "x, y >= 0",
        sp.Add,
        entropies.difference_of_logs,
    ),
    Rule(
        "t/p - (1 - t)/(1 - p)",
        "(t - p)/(p*(1 - p))",
        "0 <= p <= 1, every t",
        (sp.Add, nd.Where),
        entropies.slope_of_cross_entropy,
    ),
    Rule(
        "log_sigmoid(x) - log_sigmoid(-x)",
        "x",
        EVERY,
        sp.Add,
        sigmoids.difference_of_log_sigmoids,
    ),
    Rule("x - logsumexp(x)", "log_softmax(x)", "one letter", sp.Add, letters.less_logsumexp),
    Rule(
        "m + logsumexp(x - m)",
        "logsumexp(x)",
        "m free of the letters",
        sp.Add,
        letters.shifted_logsumexp,
    ),
    Rule(
        "sqrt(1 + x) - 1, sqrt(c**2 + x**2) - c",
        "x/(sqrt(1 + x) + 1), c*hypot_minus_one(x/c)",
        "x >= -1, else NaN; c > 0",
        sp.Add,
        roots.root_minus_one,
    ),
    Rule(
        "(1 + x)**p - 1, (1 + x**2)**p - 1",
        "pow1p_minus_one(x, p), hypot_power_minus_one(x, 2*p)",
        "x > -1, every x",
        sp.Add,
        roots.power_minus_one,
    ),
    Rule(
        "sqrt(x) - sqrt(y)",
        "(x - y)/(sqrt(x) + sqrt(y))",
        "x, y >= 0, else NaN; not both 0",
        sp.Add,
        roots.difference_of_roots,
    ),
    Rule("1 - cos(x)", "2*sin(x/2)**2", EVERY, sp.Add, differences.one_minus_cos),
    Rule("1 - erf(x), 1 + erf(x)", "erfc(x), erfc(-x)", EVERY, sp.Add, differences.one_minus_erf),
    Rule("1 - erfc(x)", "erf(x)", EVERY, sp.Add, differences.one_minus_erfc),
    Rule(
        "x**2 - y**2",
        "(x - y)*(x + y)",
        "every x, y",
        sp.Add,
        differences.difference_of_squares,
    ),
    Rule(
        "x**2 - 2*x*y + y**2",
        "(x - y)**2",
        "every x, y",
        sp.Add,
        differences.perfect_square,
    ),
    Rule(
        "Mean(x**2) - Mean(x)**2, Mean(x*y) - Mean(x)*Mean(y)",
        "Mean((x - Mean(x))**2), Mean((x - Mean(x))*(y - Mean(y)))",
        "every x, y; the same letters and mask",
        sp.Add,
        differences.difference_of_moments,
    ),
    Rule(
        "logsumexp(x) - x[label], (logsumexp(x) + y)/2 - x[label]",
        "-log_softmax(x)[label], (y - x[label])/2 - log_softmax(x)[label]/2",
        "one letter",
        sp.Add,
        letters.logsumexp_less_label,
        everywhere=False,
    ),
    Rule(
        "1 - x/(x + y)",
        "y/(x + y)",
        "x, y bounded, or sums",
        sp.Add,
        quotients.one_minus_quotient,
    ),
)
