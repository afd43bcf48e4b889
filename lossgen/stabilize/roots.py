"""Roots and powers: squares that overflow under a root, differences that cancel beside one."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import HALF, ONE, TRUE, Reduce, Sqrt
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    inverse,
    is_constant,
    is_number,
    minus,
    negated,
    one_plus,
    peel,
    root_of,
    same,
    strip,
    terms,
    without,
)


def radicand(expr: sp.Basic) -> sp.Expr | None:
    """``u`` for ``sqrt(u)`` and ``u**0.5``."""
    expr = peel(expr)
    if isinstance(expr, Sqrt):
        return expr.arg
    return expr.base if isinstance(expr, sp.Pow) and is_number(expr.exp, HALF) else None


def root_of_square(root: sp.Expr, known: Known) -> sp.Expr | None:
    inner = radicand(root)
    if inner is None or is_constant(inner):
        return None
    base = root_of(inner)
    return None if base is None else nd.Abs(base)


def root_of_squares(root: sp.Expr, known: Known) -> sp.Expr | None:
    inner = radicand(root)
    if inner is None:
        return None
    mean = peel(inner)
    if isinstance(mean, Reduce) and mean.op == "mean" and mean.where is TRUE:
        total = _norm(Reduce("sum", mean.body, TRUE, sp.nan, mean.bound))
        if total is None or mean.empty is not sp.nan:
            return None
        return total / Sqrt(sp.Mul(*map(nd.Size, mean.bound)))
    return _norm(inner)


def _norm(expr: sp.Expr) -> sp.Expr | None:
    """The root of a sum of squares over letters."""
    inner = peel(expr)
    if isinstance(inner, Reduce) and inner.op == "sum":
        body = peel(inner.body)
        if isinstance(body, sp.Pow) and body.exp == 2:
            return Reduce("norm", body.base, inner.where, inner.empty, inner.bound)
    return None


def root_of_product(root: sp.Expr, known: Known) -> sp.Expr | None:
    """``sqrt(a*b)``, where a factor is a sum of squares over letters, or of that and others."""
    inner = peel(radicand(root))
    if not isinstance(inner, sp.Mul):
        return None
    squares = [f for f in inner.args if any(_norm(t) is not None for t in terms(f))]
    if not squares:
        return None
    rest = without(inner.args, *squares)
    known.nonnegative(*squares, *rest)
    return sp.Mul(*map(Sqrt, squares), *([Sqrt(sp.Mul(*rest))] if rest else []))


def root_of_two_squares(root: sp.Expr, known: Known) -> sp.Expr | None:
    """``sqrt(x**2 + y**2)``; a constant beside a square is the square of its root."""
    inner = radicand(root)
    if inner is None:
        return None
    found = terms(inner)
    squares = [t for t in found if not is_constant(t)]
    constants = [t for t in found if is_constant(t)]
    roots = [root_of(t) for t in squares]
    if not squares or None in roots or len(squares) + bool(constants) != 2:
        return None
    if constants:
        known.nonnegative(*constants)
        whole = sp.Add(*constants)
        root_of_whole = root_of(whole)
        roots.append(Sqrt(whole) if root_of_whole is None else _size(root_of_whole, known))
    return nd.Hypot(*roots)


def _size(expr: sp.Expr, known: Known) -> sp.Expr:
    return expr if known.of(expr).nonnegative else nd.Abs(expr)


def root_minus_one(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``sqrt(1 + u) - 1`` and ``sqrt(c**2 + x**2) - c``."""
    for term in add.args:
        inner = peel(term)
        if isinstance(inner, nd.Hypot):
            x, c = inner.args
            other = next((a for a in add.args if same(a, minus(c))), None)
            if other is not None and is_constant(c):
                if c is not ONE:
                    known.positive(c)
                rest = without(add.args, term, other)
                return sp.Add(*rest, c * nd.HypotM1(x / c))
        under = None if radicand(term) is None else one_plus(radicand(term))
        if under is not None and -ONE in add.args and not is_constant(under):
            return sp.Add(*without(add.args, term, -ONE), nd.Pow1pM1(under, HALF))
    return None


def power_minus_one(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``(1 + u)**p - 1``."""
    if -ONE not in add.args:
        return None
    for term in add.args:
        power = peel(term)
        if not isinstance(power, sp.Pow) or (power.exp.is_Integer and power.exp > 0):
            continue
        under = one_plus(power.base)
        if under is not None and not is_constant(under):
            rest = without(add.args, term, -ONE)
            if (root := scaled_root(under, known)) is not None:
                return sp.Add(*rest, nd.HypotPowM1(root, 2 * power.exp))
            known.positive(power.base)
            return sp.Add(*rest, nd.Pow1pM1(under, power.exp))
    return None


def scaled_root(expr: sp.Expr, known: Known) -> sp.Expr | None:
    """``x*sqrt(c)`` for ``c*x**2`` and a constant c of at least 0."""
    factors = [peel(f) for f in sp.Mul.make_args(peel(expr))]
    roots = [root_of(f) for f in factors]
    plain = [f for f, r in zip(factors, roots, strict=True) if r is None]
    squares = [r for r in roots if r is not None]
    if all(map(is_constant, squares)) or not all(map(is_constant, plain)):
        return None
    constant = sp.Mul(*plain)
    if not known.of(constant).nonnegative:
        return None
    above, below = sp.fraction(constant)
    return sp.Mul(*squares, nd.Sqrt(above) / nd.Sqrt(below))


def difference_of_roots(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``sqrt(a) - sqrt(b)``, where a and b cannot both be 0."""
    for term in add.args:
        first = radicand(term)
        if first is None:
            continue
        for other in without(add.args, term):
            under = negated(other)
            second = None if under is None else radicand(under)
            if second is None or is_constant(first + second):
                continue
            gap = sp.Add(*terms(strip(first)), *map(minus, terms(strip(second))))
            if not any(known.of(x).nonzero for x in (gap, first, second)):
                known.positive(first)
            total = peel(term) + peel(under)
            return sp.Add(*without(add.args, term, other), gap / total)
    return None


def power_of_root(power: sp.Expr, known: Known) -> sp.Expr | None:
    """``sqrt(x)**2``."""
    inner = peel(power.base)
    if isinstance(inner, Sqrt) and power.exp.is_Integer and power.exp % 2 == 0:
        known.nonnegative(inner.arg)
        return inner.arg ** (power.exp / 2)
    return None


def square_beside_itself(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``k*x**2/(c + x**2)`` as the square of a quotient, in range for every x."""
    below = next((b for b in map(inverse, mul.args) if b is not None), None)
    found = [t for t in terms(below) if not is_constant(t)] if below is not None else []
    size = root_of(found[0]) if len(found) == 1 else None
    if below is None or size is None or same(below, found[0]):
        return None
    rest = sp.Add(*(t for t in terms(below) if t is not found[0]))
    share = mul * peel(below) / peel(found[0])
    if not is_constant(share):
        return None
    known.positive(rest)
    return share * nd.Ratio(size, nd.Hypot(size, root_of(rest) or Sqrt(rest))) ** 2
