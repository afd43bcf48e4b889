"""Rows about products, powers, roots and choices."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Along, Sigmoid
from lossgen.stabilize import (
    cosines,
    empties,
    entropies,
    exponentials,
    letters,
    limited,
    masks,
    outgrown,
    quotients,
    roots,
    scaling,
    sigmoids,
)
from lossgen.stabilize.rule import EVERY, Rule

ROOT = (nd.Sqrt, sp.Pow)

PRODUCTS: tuple[Rule, ...] = (
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
        "exp(x)/Sum(exp(x), where=c), where(c, exp(x), 0)/Sum(where(c, exp(x), 0))",
        "exp(x - logsumexp(x, where=c)), the same where c holds and 0 elsewhere",
        "every x, one letter; 0 in place of 0/0",
        sp.Mul,
        exponentials.exp_over_masked_sum,
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
        "exp(x)*sigmoid(-a*x)",
        "exp(x + log_sigmoid(-a*x))",
        "a > 0",
        sp.Mul,
        outgrown.exp_times_steeper,
    ),
    Rule(
        "(exp(x) + y)*exp(z)",
        "exp(x + z) + y*exp(z)",
        EVERY,
        sp.Mul,
        outgrown.exp_of_a_sum,
        everywhere=False,
    ),
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
    Rule(
        "Sum(w*x)/(Sum(w*y) + s), w = where(v > 0, 1/v**2, 0)",
        "Sum(u*x)/(Sum(u*y) + s*m**2), u = ratio(m, v)**2, m = min(1, Amin(v, where=v > 0))",
        "v >= 0",
        sp.Mul,
        scaling.weights_in_range,
        everywhere=False,
    ),
    Rule(
        "(Sum(x + y) - 2*Sum(x*y))/(Sum(x + y) + …)",
        "((Sum(x) - Sum(x*y)) + (Sum(y) - Sum(x*y)))/(Sum(x) + Sum(y) + …)",
        "0 <= x, y <= 1",
        sp.Mul,
        quotients.sums_of_what_differs,
        everywhere=False,
    ),
    Rule(
        "Sum(x*y)/(sqrt(Sum(x**2) + c)*sqrt(Sum(y**2) + d))",
        "the same of x and y whose rows are made shorter where their squares are out of range",
        "0 <= c, d <= 1",
        sp.Mul,
        cosines.rows_in_range,
        everywhere=False,
        told=False,
    ),
    Rule(
        "x**2/(c + x**2)",
        "ratio(x, hypot(x, sqrt(c)))**2",
        "c > 0",
        sp.Mul,
        roots.square_beside_itself,
    ),
    Rule(
        "min(u/v, c)/(u/v), min(u/v, c)*v",
        "where(c*v > u, 1, c*v/max(u, c*v)), min(u, c*v)",
        "u, v >= 0, c > 0",
        sp.Mul,
        limited.limited_quotient,
        everywhere=False,
    ),
    # --- powers
    Rule("1/(1 + exp(x))", "sigmoid(-x)", EVERY, sp.Pow, sigmoids.logistic),
    Rule("exp(x)**p", "exp(p*x)", "p no whole number above 0", sp.Pow, exponentials.power_of_exp),
    Rule("sqrt(x)**2", "x", "x >= 0", sp.Pow, roots.power_of_root),
    # --- roots, also written as powers of 0.5
    Rule("sqrt(x**2)", "abs(x)", EVERY, ROOT, roots.root_of_square),
    Rule(
        "sqrt(Sum(x**2)), sqrt(Mean(x**2))",
        "norm(x), norm(x)/sqrt(n)",
        EVERY,
        ROOT,
        roots.root_of_squares,
    ),
    Rule(
        "sqrt(Sum(x**2)*y), sqrt((Sum(x**2) + c)*y)",
        "sqrt(Sum(x**2))*sqrt(y), sqrt(Sum(x**2) + c)*sqrt(y)",
        "c, y >= 0",
        ROOT,
        roots.root_of_product,
    ),
    Rule(
        "Sum(abs(x)**p)**(1/p)",
        "m*Sum(ratio(abs(x), m)**p)**(1/p), m = Amax(abs(x))",
        "p > 0",
        sp.Pow,
        scaling.power_length,
        everywhere=False,
    ),
    Rule(
        "where(s > 0, s**(1/p), 0), s = Sum(abs(x)**p)",
        "m*where(s > 0, s**(1/p), 0), s = Sum(ratio(abs(x), m)**p), m = Amax(abs(x))",
        "p > 0",
        nd.Where,
        scaling.power_length_or_zero,
        everywhere=False,
    ),
    Rule(
        "sqrt(x**2 + y**2), sqrt(x**2 + c)",
        "hypot(x, y), hypot(x, sqrt(c))",
        "every x, y; c >= 0",
        ROOT,
        roots.root_of_two_squares,
    ),
    # --- others
    Rule(
        "where(c, f(logsumexp(x, where=c)), y), where(c, a*log_softmax(where(c, x, -oo)), y)",
        "the same with a number in place of what is infinite over nothing, or left out",
        EVERY,
        (nd.Where, nd.Reduce),
        empties.held_over_nothing,
        everywhere=False,
    ),
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
