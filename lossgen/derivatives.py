"""The derivative of each elementwise node, and of an elementwise body with respect to its reads.

SymPy's ``diff`` is not used: ``diff(u**p)`` is ``u**p*p/u``, 0/0 at u = 0, and a node's tie rule
and policy at its singular points belong to the node.

In: an elementwise body.  Out: its slope with respect to each of its reads.

    exp(x[n])*y[n]  →  {x[n]: exp(x[n])*y[n], y[n]: exp(x[n])}

A node that only derivatives use raises ``NoDerivative``.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lossgen import nodes as nd
from lossgen.masking import masked, times, total
from lossgen.nodes import ONE, ZERO, Compare, Read, Where

# The slope of each function of one argument, given the argument and the node itself.
SLOPES: dict[type[nd.Unary], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    nd.Exp: lambda x, y: y,
    nd.Log: lambda x, y: 1 / x,
    # Where these are infinite the slope is 0, as that of a norm is.
    nd.Sqrt: lambda x, y: nd.Ratio(ONE, y) / 2,
    nd.Abs: lambda x, y: nd.Sign(x),
    nd.Sign: lambda x, y: ZERO,
    nd.Step: lambda x, y: ZERO,
    nd.Floor: lambda x, y: ZERO,
    # sigmoid(x)*(1 - sigmoid(x)) is 0 from x = 37 on (17 in float32); this form never is.
    nd.Sigmoid: lambda x, y: y * nd.Sigmoid(-x),
    nd.LogSigmoid: lambda x, y: nd.Sigmoid(-x),
    nd.Softplus: lambda x, y: nd.Sigmoid(x),
    nd.Log1p: lambda x, y: 1 / (1 + x),
    nd.Expm1: lambda x, y: nd.Exp(x),
    nd.LogCosh: lambda x, y: nd.Tanh(x),
    nd.Tanh: lambda x, y: 4 * nd.Sigmoid(2 * x) * nd.Sigmoid(-2 * x),
    nd.Sin: lambda x, y: nd.Cos(x),
    nd.Cos: lambda x, y: -nd.Sin(x),
    nd.Acos: lambda x, y: -nd.Ratio(ONE, nd.Sqrt((1 - x) * (1 + x))),
    nd.Atan: lambda x, y: 1 / (1 + x**2),
    nd.Erf: lambda x, y: 2 * nd.Gauss(x, ONE, ZERO) / nd.Sqrt(sp.pi),
    nd.Asinh: lambda x, y: 1 / nd.Hypot(x, ONE),
    nd.Erfc: lambda x, y: -2 * nd.Gauss(x, ONE, ZERO) / nd.Sqrt(sp.pi),
    nd.LogErfc: lambda x, y: -2 / (nd.Sqrt(sp.pi) * nd.Erfcx(x)),
    nd.Erfcx: lambda x, y: 2 * x * y - 2 / nd.Sqrt(sp.pi),
    nd.Log1mExp: lambda x, y: -nd.Ratio(ONE, nd.Expm1(-x)),
    nd.HypotM1: lambda x, y: x / nd.Hypot(x, ONE),
    nd.Log1pSquare: lambda x, y: 2 * nd.HypotPowSlope(x, ZERO),
    nd.Lgamma: lambda x, y: nd.Digamma(x),
    nd.Digamma: lambda x, y: nd.Trigamma(x),
    nd.StopGradient: lambda x, y: ZERO,
    nd.Finite: lambda x, y: ONE,
}


class NoDerivative(Exception):
    """A node without a derivative of its own stands where one is needed."""


def partials(body: sp.Expr) -> dict[Read, sp.Expr]:
    """The partial derivatives of an elementwise body with respect to each of its reads."""
    found: dict[Read, list[sp.Expr]] = {}
    _pull(body, ONE, found)
    return {read: slope for read, terms in found.items() if (slope := total(terms)) != 0}


def _varies(expr: sp.Expr) -> bool:
    return any(isinstance(x, Read) for x in nd.walk(expr))


def _pull(expr: sp.Expr, seed: sp.Expr, found: dict[Read, list[sp.Expr]]) -> None:
    """Carry the adjoint ``seed`` of an expression to its reads."""
    if seed == 0 or not _varies(expr):
        return
    if isinstance(expr, Read):
        found.setdefault(expr, []).append(seed)
    elif isinstance(expr, sp.Add):
        for term in expr.args:
            _pull(term, seed, found)
    elif isinstance(expr, sp.Mul) and (share := _share(expr)) is not None:
        # The slopes of part and whole, each for itself, would cancel where the part is nearly all.
        part, slope = share
        _pull(part, times(seed, slope), found)
    elif isinstance(expr, sp.Mul):
        for index, factor in enumerate(expr.args):
            others = sp.Mul(*expr.args[:index], *expr.args[index + 1 :])
            _pull(factor, times(seed, others), found)
    elif isinstance(expr, sp.Pow):
        _pull(expr.base, times(seed, power_slope(expr.base, expr.exp)), found)
        # 0**p * log(0) is 0 for p above 0, and taken as 0 where p is 0 as well, as torch does.
        zero = not expr.base.is_positive
        above = nd.Where(nd.Compare("==", expr.base, ZERO), ONE, expr.base) if zero else expr.base
        slope = nd.Xlogy(expr, above) if zero else expr * nd.Log(expr.base)
        _pull(expr.exp, times(seed, slope), found)
    elif isinstance(expr, nd.Atan) and (sides := quotient(expr.arg)) is not None:
        # The angle of a point; its slopes are in range wherever the point's coordinates are.
        a, b = sides
        radius = nd.Radius(a, b)
        # Two quotients, never one by the square, which is out of range where the radius is not.
        _pull(a, times(seed, nd.Ratio(b, radius) * nd.Ratio(ONE, radius)), found)
        _pull(b, times(seed, -nd.Ratio(a, radius) * nd.Ratio(ONE, radius)), found)
    elif isinstance(expr, nd.Unary):
        if type(expr) not in SLOPES:
            raise NoDerivative(type(expr).__name__)
        _pull(expr.arg, times(seed, SLOPES[type(expr)](expr.arg, expr)), found)
    elif isinstance(expr, Where):
        condition, yes, no = expr.args
        _pull(yes, Where(condition, seed, 0), found)
        _pull(no, Where(condition, 0, seed), found)
    elif isinstance(expr, nd.Max):
        _pull_extreme(expr, seed, found)
    elif isinstance(expr, nd.Clip):
        x, low, high = expr.args
        inside = nd.And(Compare(">=", x, low), Compare("<=", x, high))
        _pull(x, masked(inside, seed), found)
    elif isinstance(expr, (nd.StraightThrough, nd.Rewritten)):
        _pull(expr.args[1], seed, found)
    elif isinstance(expr, nd.Xlogy):
        x, y = expr.args
        # Where both are 0 the slope is taken as 0: x*log(x) falls into its end, and what is 0 moves
        # nothing.
        if x == y:
            empty = Compare("<=", x, 0)
            slope = Where(empty, 0, nd.Log(Where(empty, 1, x)) + 1)
            _pull(x, times(seed, slope), found)
        else:
            empty = nd.And(Compare("==", x, 0), Compare("<=", y, 0))
            _pull(x, times(seed, Where(empty, 0, nd.Log(Where(empty, 1, y)))), found)
            _pull(y, times(seed, nd.Ratio(x, y)), found)
    elif isinstance(expr, nd.LogAddExp):
        a, b = expr.args
        _pull(a, times(seed, nd.Sigmoid(a - b)), found)
        _pull(b, times(seed, nd.Sigmoid(b - a)), found)
    elif isinstance(expr, nd.Hypot):
        # Where one side is never 0, neither is the root.
        never_zero = isinstance(expr, nd.Radius) or any(a.is_positive for a in expr.args)
        for side in expr.args:
            slope = side / expr if never_zero else nd.Ratio(side, expr)
            _pull(side, times(seed, slope), found)
    elif isinstance(expr, nd.Fitted):
        _pull(expr.args[0], times(seed, nd.Fitted(ONE, expr.args[1])), found)
    elif isinstance(expr, nd.Ratio):
        a, b = expr.args
        if isinstance(b, nd.Hypot) and b.args[0] == a and not _varies(b.args[1]):
            # The slopes of both, each for itself, would cancel where a is nearly all of b.
            _pull(a, times(seed, nd.Ratio(b.args[1], b) ** 2 * nd.Ratio(ONE, b)), found)
            return
        # The quotient again, rather than a/b**2: the square is out of range where b is not.
        _pull(a, times(seed, nd.Ratio(ONE, b)), found)
        _pull(b, times(seed, -expr * nd.Ratio(ONE, b)), found)
    elif isinstance(expr, nd.Pow1pM1):
        x, power = expr.args
        _pull(x, times(seed, power_slope(1 + x, power)), found)
        _pull(power, times(seed, (1 + x) ** power * nd.Log1p(x)), found)
    elif isinstance(expr, nd.HypotPowM1):
        x, power = expr.args
        _pull(x, times(seed, power * nd.HypotPowSlope(x, power)), found)
        _pull(power, times(seed, (1 + expr) * nd.Log1pSquare(x) / 2), found)
    elif isinstance(expr, (nd.Gauss, nd.GaussM1)):
        x, rate, rest = expr.args
        _pull(x, times(seed, -2 * rate * x * nd.Gauss(x, rate, rest)), found)
    elif isinstance(expr, nd.LogSum):
        for term in expr.args:
            _pull(term, times(seed, 1 / sp.Add(*expr.args)), found)
    elif isinstance(expr, nd.LogMixture):
        x, share = expr.args
        if _varies(share):
            raise NoDerivative(type(expr).__name__)
        if isinstance(expr, nd.SettledLogMixture):
            return
        odds = nd.Log(share) - nd.Log(expr.rest)
        _pull(x, times(seed, nd.Sigmoid(x + odds)), found)
    elif isinstance(expr, nd.LogRatio):
        p, q = expr.args
        _pull(p, times(seed, 1 / p), found)
        _pull(q, times(seed, -1 / q), found)
    elif isinstance(expr, nd.RelEntropy):
        p, q = expr.args
        empty = Compare("<=", p, 0)
        slope = Where(empty, 0, nd.LogRatio(Where(empty, 1, p), q) + 1)
        _pull(p, times(seed, slope), found)
        _pull(q, times(seed, -p / q), found)
    elif not isinstance(expr, (Compare, nd.Junction, nd.Not)):
        raise NoDerivative(type(expr).__name__)


def quotient(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """``a`` and ``b`` for ``a/b``."""
    below = next((f for f in sp.Mul.make_args(expr) if f.is_Pow and f.exp == -1), None)
    return None if below is None else (expr * below.base, below.base)


def _share(expr: sp.Mul) -> tuple[sp.Expr, sp.Expr] | None:
    """``a`` and ``k*c/(a + c)**2`` for ``k*a/(a + c)``, k and c numbers."""
    above, below = quotient(expr) or (expr, ONE)
    parts = [t for t in sp.Add.make_args(below) if _varies(t)]
    if len(parts) != 1 or below is parts[0] or _varies(above / parts[0]):
        return None
    (part,) = parts
    return part, above / part * (below - part) / below**2


def power_slope(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """``exponent * base**(exponent - 1)``, and 0 where that is infinite only because base = 0."""
    if exponent.is_Integer or (exponent - 1).is_nonnegative:
        return exponent * base ** (exponent - 1)
    return exponent * nd.PowerSlope(base, exponent)


def _pull_extreme(expr: nd.Max, seed: sp.Expr, found: dict[Read, list[sp.Expr]]) -> None:
    a, b, share = expr.args
    if share == nd.HALF and any(isinstance(x, sp.Add) for x in (a, b)):
        # One difference of all terms would be rounded otherwise than the two that are compared.
        wins, loses = (
            Where(Compare(op, a, b), ONE, Where(Compare("==", a, b), nd.HALF, ZERO))
            for op in ("<>" if isinstance(expr, nd.Min) else "><")
        )
        _pull(a, times(seed, wins), found)
        _pull(b, times(seed, loses), found)
        return
    if share == nd.HALF:
        wins = nd.Step(b - a if isinstance(expr, nd.Min) else a - b)
        _pull(a, times(seed, wins), found)
        loses = 1 + sp.Add(*(-term for term in sp.Add.make_args(wins)))
        _pull(b, times(seed, loses), found)
        return
    beats = "<" if isinstance(expr, nd.Min) else ">"
    for x, other, part in ((a, b, share), (b, a, 1 - share)):
        if part == 0:
            _pull(x, masked(Compare(beats, x, other), seed), found)
        elif part == 1:
            _pull(x, masked(Compare(f"{beats}=", x, other), seed), found)
        else:
            wins, tied = Compare(beats, x, other), Compare("==", x, other)
            _pull(x, times(seed, Where(wins, 1, Where(tied, part, 0))), found)
