"""The table of rules: what is matched, what it becomes, where that is valid.

A row's condition is shown, from roles, options' domains and structure, or the rule is refused.
"every x" means that both sides are equal for every real number, and NaN where one of them is.
Of several rules for one node the first that matches is taken.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Along, Exp, Log, Sigmoid
from lossgen.stabilize import (
    differences,
    entropies,
    exponentials,
    letters,
    logarithms,
    masks,
    roots,
    sigmoids,
)
from lossgen.stabilize.rule import Rule

EVERY = "every x"
ROOT = (nd.Sqrt, sp.Pow)

RULES: tuple[Rule, ...] = (
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
        "log(1 + exp(x)), log(Sum(exp(x)) + …)",
        "softplus, logsumexp, logaddexp",
        "every x; weights greater than 0",
        Log,
        logarithms.log_of_exponentials,
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
        sigmoids.log_of_difference_of_sigmoids,
    ),
    Rule("log(1 + x)", "log1p(x)", "x > -1, else NaN", Log, logarithms.log_of_one_plus),
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
    # --- exponentials
    Rule(
        "exp(log_softmax(x)), exp(log_sigmoid(x))",
        "softmax(x), sigmoid(x)",
        EVERY,
        Exp,
        exponentials.exp_of_stable_log,
    ),
    Rule("exp(log(x)), exp(p*log(x))", "x, x**p", "x >= 0; x > 0", Exp, exponentials.exp_of_log),
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
    Rule("(1 + x)**p - 1", "pow1p_minus_one(x, p)", "x > -1", sp.Add, roots.power_minus_one),
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
    # --- products
    Rule("x*log(x)", "xlogy(x, x)", "x > 0; 0 at 0, else NaN", sp.Mul, entropies.x_log_x),
    Rule(
        "p*log(p/q), p*(log(p) - log(q))",
        "rel_entropy(p, q)",
        "p >= 0, q > 0",
        sp.Mul,
        entropies.relative_entropy,
    ),
    Rule(
        "p*(log(p) - r)",
        "xlogy(p, p) - p*r",
        "p > 0; 0 at 0, else NaN",
        sp.Mul,
        entropies.entropy_and_rest,
    ),
    Rule(
        "exp(x)/Sum(exp(x))",
        "softmax(x)",
        "every x, one letter",
        sp.Mul,
        exponentials.exp_over_sum,
    ),
    Rule(
        "exp(x)/(exp(x) + exp(y)), exp(x)/(c + exp(x))",
        "sigmoid(x - y), sigmoid(x - log(c))",
        "c > 0",
        sp.Mul,
        exponentials.exp_over_two_terms,
    ),
    Rule("exp(x)*sigmoid(-x)", "sigmoid(x)", EVERY, sp.Mul, exponentials.exp_times_sigmoid),
    Rule(
        "(exp(x) - exp(-x))/(exp(x) + exp(-x)), (exp(x) - 1)/(exp(x) + 1)",
        "tanh(x), tanh(x/2)",
        EVERY,
        sp.Mul,
        exponentials.tanh_spelled,
    ),
    Rule(
        "sigmoid(x)/sigmoid(-x)",
        "exp(x)",
        EVERY,
        sp.Mul,
        sigmoids.sigmoid_over_complement,
    ),
    Rule(
        "exp(x)*exp(y), exp(x)/exp(y)",
        "exp(x + y), exp(x - y)",
        "every x, y",
        sp.Mul,
        exponentials.product_of_exps,
    ),
    Rule(
        "a*where(c, b, 0)",
        "where(c, a*b, 0)",
        "finite a",
        sp.Mul,
        masks.mask_outward,
        everywhere=False,
    ),
    Rule(
        "p = f(x); where(c, p, y)",
        "where(c, f(where(c, x, safe)), y)",
        "f singular, c about x",
        nd.Where,
        masks.open_protected_names,
        everywhere=False,
    ),
    # --- powers
    Rule("1/(1 + exp(x))", "sigmoid(-x)", EVERY, sp.Pow, sigmoids.logistic),
    Rule("exp(x)**p", "exp(p*x)", "p no whole number above 0", sp.Pow, exponentials.power_of_exp),
    Rule("sqrt(x)**2", "x", "x >= 0", sp.Pow, roots.power_of_root),
    # --- roots, also written as powers of 0.5
    Rule("sqrt(x**2)", "abs(x)", EVERY, ROOT, roots.root_of_square),
    Rule("sqrt(Sum(x**2))", "norm(x)", EVERY, ROOT, roots.root_of_squares),
    Rule(
        "sqrt(x**2 + y**2), sqrt(x**2 + c)",
        "hypot(x, y), hypot(x, sqrt(c))",
        "every x, y; c >= 0",
        ROOT,
        roots.root_of_two_squares,
    ),
    # --- others
    Rule(
        "where(b > 0, a/b, 0), where(b != 0, a/b, 0)",
        "ratio(a, b)",
        "b >= 0; every b",
        nd.Where,
        masks.quotient_without_zeros,
    ),
    Rule("sigmoid(log(p/(1 - p)))", "p", "0 <= p <= 1", Sigmoid, sigmoids.sigmoid_of_logit),
    Rule(
        "softmax(x - m), log_softmax(x - m)",
        "softmax(x), log_softmax(x)",
        "m free of the letter",
        Along,
        letters.shifted_softmax,
    ),
)
