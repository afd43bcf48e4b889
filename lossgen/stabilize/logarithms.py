"""Logarithms of what overflows, underflows or cancels inside them."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import HALF, ONE, Along, Exp, Log, Reduce, Sigmoid, Where
from lossgen.stabilize.known import Known
from lossgen.stabilize.log_sums import is_exponential, log_weight
from lossgen.stabilize.matching import (
    is_constant,
    is_number,
    minus,
    negated,
    one_plus,
    opposite,
    peel,
    same,
    terms,
    without,
)


def log_of_named(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if isinstance(inner, Sigmoid):
        return nd.LogSigmoid(inner.arg)
    if isinstance(inner, Along) and inner.op == "softmax":
        return Along("log_softmax", inner.body, inner.letter, inner.position)
    return None


def log_of_exp(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    return inner.arg if isinstance(inner, Exp) else None


def log_of_erfc(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    return nd.LogErfc(inner.arg) if isinstance(inner, nd.Erfc) else None


def log_of_half_erfc(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log((1 + erf(x))/2)``, a normal distribution's: near 0 where erf is near 1."""
    inner = peel(log.arg)
    if not (isinstance(inner, sp.Mul) and len(inner.args) == 2 and is_number(inner.args[0], HALF)):
        return None
    tail = peel(inner.args[1])
    if not isinstance(tail, nd.Erfc):
        return None
    x = tail.arg
    below = nd.Compare("<", x, 0)
    near = nd.Log1p(-nd.Erfc(-Where(below, x, 0)) / 2)
    return Where(below, near, nd.LogErfc(Where(below, 0, x)) - Log(2))


def log_cosh(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if not (isinstance(inner, sp.Mul) and len(inner.args) == 2 and is_number(inner.args[0], HALF)):
        return None
    found = terms(inner.args[1])
    if len(found) == 2 and all(isinstance(t, Exp) for t in found):
        a, b = (t.arg for t in found)
        if opposite(a, b):
            return nd.LogCosh(b if negated(a) is not None else a)
    return None


def log_cosh_shifted(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``softplus(x) - x/2 - log(2)`` and ``logaddexp(x, -x) - log(2)``, both times a number."""
    for term in add.args:
        number, rest = term.as_coeff_Mul()
        inner = peel(rest)
        taken = [term]
        if isinstance(inner, nd.LogSigmoid):
            number, inner = -number, nd.Softplus(minus(inner.arg))
        if isinstance(inner, nd.Softplus):
            shift = next((t for t in add.args if same(t, -number / 2 * inner.arg)), None)
            argument = inner.arg / 2
            taken.append(shift)
        elif isinstance(inner, nd.LogAddExp) and opposite(*inner.args):
            argument = inner.args[0]
        else:
            continue
        constants = (-number * Log(2), -Log(2**number) if number.is_Integer else None)
        constant = next((t for t in add.args if t in constants), None)
        if None not in taken and constant is not None and not is_constant(argument):
            size = minus(argument) if argument.as_coeff_Mul()[0].is_negative else argument
            return sp.Add(*without(add.args, constant, *taken), number * nd.LogCosh(size))
    return None


def log_of_one_minus_tanh(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(1 - tanh(x)**2)``: minus the logarithm of a squared cosh."""
    inner = peel(log.arg)
    written = inner.formula if isinstance(inner, nd.Rewritten) else inner
    square = negated(sp.Add(*without(written.args, ONE))) if ONE in written.args else None
    power = None if square is None else peel(square)
    if isinstance(power, sp.Pow) and power.exp == 2 and isinstance(peel(power.base), nd.Tanh):
        return -2 * nd.LogCosh(peel(power.base).arg)
    return None


def arsinh(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(x + sqrt(x**2 + 1))``, which cancels where x is negative."""
    found = terms(log.arg)
    if len(found) == 2:
        for first, second in (found, found[::-1]):
            unit = isinstance(second, nd.Hypot) and second.args[1] == 1
            if unit and same(second.args[0], first):
                return nd.Asinh(first)
    return None


def log_of_one_minus_exp(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = negated(peel(log.arg))
    if inner is not None and isinstance(peel(inner), nd.Expm1):
        return nd.Log1mExp(peel(inner).arg)
    return None


def log_of_difference(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if isinstance(inner, nd.Expm1):
        return inner.arg + nd.Log1mExp(-inner.arg)
    found = terms(inner)
    if len(found) != 2:
        return None
    for kind in (Exp, nd.Expm1):
        first = next((t.arg for t in found if isinstance(t, kind)), None)
        second = next(
            (
                peel(u).arg
                for t in found
                if (u := negated(t)) is not None and isinstance(peel(u), kind)
            ),
            None,
        )
        if first is not None and second is not None:
            return first + nd.Log1mExp(second - first)
    return None


def log_of_one_plus(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = one_plus(log.arg)
    return None if inner is None or is_constant(log.arg) else nd.Log1p(inner)


def has_log(expr: sp.Expr) -> bool:
    """Whether the logarithm of an expression has a form of its own."""
    expr = peel(expr)
    if isinstance(expr, (Exp, Sigmoid, nd.Erfc)):
        return True
    if isinstance(expr, Along):
        return bool(expr.op == "softmax")
    if isinstance(expr, sp.Pow):
        return has_log(expr.base)
    if isinstance(expr, Reduce):
        return is_exponential(expr)
    return isinstance(expr, sp.Add) and all(
        is_exponential(t) or (is_constant(t) and t.is_positive) for t in terms(expr)
    )


def log_of_product(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    inner = inner.form if isinstance(inner, nd.Rewritten) else inner
    if not isinstance(inner, sp.Mul):
        return None
    special = [f for f in inner.args if has_log(f)]
    rest = without(inner.args, *special)
    if not special or (len(special) == 1 and is_number(sp.Mul(*rest), -1)):
        return None
    # One factor of unknown sign is the sign of the product: both sides are NaN where it is below 0.
    doubtful = [f for f in rest if not known.of(f).positive]
    known.positive(*doubtful[1:])
    constant = sp.Mul(*(f for f in rest if is_constant(f)))
    varying = sp.Mul(*(f for f in rest if not is_constant(f)))
    return sp.Add(*map(Log, special), Log(constant), Log(varying))


def log_of_power(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if is_constant(inner):
        return None
    if isinstance(inner, nd.Sqrt):
        return Log(inner.arg) / 2
    if not isinstance(inner, sp.Pow):
        return None
    base, exponent = inner.base, inner.exp
    if exponent == -1:
        return -Log(base)
    if exponent.is_Integer and exponent.is_even:
        return exponent * Log(base if known.of(base).positive else nd.Abs(base))
    if not exponent.is_Integer:
        known.positive(base)
    return exponent * Log(base)


def log_of_where(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if isinstance(inner, Where) and any(has_log(a) or one_plus(a) for a in inner.args[1:]):
        condition, yes, no = inner.args
        return Where(condition, Log(yes), Log(no))
    return None


def log1p_of_named(log: sp.Expr, known: Known) -> sp.Expr | None:
    inner = peel(log.arg)
    if isinstance(inner, Exp):
        return nd.Softplus(inner.arg)
    if isinstance(inner, nd.Expm1):
        return inner.arg
    if isinstance(inner, Reduce) and is_exponential(inner):
        return nd.Softplus(log_weight(inner, known))
    under = negated(inner)
    if under is None:
        return None
    under = peel(under)
    if isinstance(under, Sigmoid):
        return nd.LogSigmoid(-under.arg)
    if isinstance(under, Exp):
        return nd.Log1mExp(under.arg)
    return nd.LogErfc(under.arg) if isinstance(under, nd.Erf) else None
