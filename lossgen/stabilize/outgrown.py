"""Products of an exponential that overflows and of what is smaller than that is large.

exp(-z)*sigmoid(z/tau)              infinity times 0 in float32 from z = -89 on
(exp(2*a) + m**2)*exp(-2*b)         the same where a and b are large
"""

from __future__ import annotations

import math

import sympy as sp

from lossgen.nodes import Exp, LogSigmoid, Sigmoid
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import is_constant, minus, opposite, peel, strip, terms, without


def exp_times_steeper(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``exp(x)*sigmoid(-a*x)``, of which the sigmoid falls as the exponential grows."""
    for factor in mul.args:
        top = peel(factor)
        for other in mul.args if isinstance(top, Exp) else ():
            below = peel(other)
            if not isinstance(below, Sigmoid) or opposite(below.arg, top.arg):
                continue
            steepness = sp.Mul(strip(minus(below.arg)), 1 / strip(top.arg))
            if is_constant(steepness):
                known.positive(steepness)
                rest = without(mul.args, factor, other)
                return sp.Mul(*rest, Exp(top.arg + LogSigmoid(below.arg)))
    return None


def exp_of_a_sum(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``(exp(x) + y)*exp(z)``, where ``exp(x)`` may overflow and ``exp(z)`` vanish."""
    for factor in mul.args:
        outer = peel(factor)
        if not isinstance(outer, Exp) or known.of(outer.arg).low > -math.inf:
            continue
        for other in without(mul.args, factor):
            grown = [t for t in terms(other) if _grows(t, known)]
            if grown and isinstance(peel(other), sp.Add):
                rest = without(mul.args, factor, other)
                joined = [Exp(t.arg + outer.arg) for t in grown]
                stay = sp.Add(*without(terms(other), *grown))
                return sp.Mul(*rest, sp.Add(*joined, stay * factor))
    return None


def _grows(term: sp.Expr, known: Known) -> bool:
    return isinstance(term, Exp) and known.of(term.arg).high == math.inf
