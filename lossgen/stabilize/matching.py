"""Helpers with which rules look at an expression: through names, by terms, factors and signs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Let, rebuild, substitute


def peel(expr: sp.Basic) -> sp.Expr:
    """What a name stands for."""
    while isinstance(expr, Let):
        expr = substitute(expr.body, dict(zip(expr.params, expr.at, strict=True)))
    return expr


@cache
def strip(expr: sp.Basic) -> sp.Basic:
    """An expression without names: what each stands for in its place."""
    if isinstance(expr, Let):
        return strip(peel(expr))
    return rebuild(expr, [strip(a) for a in expr.args]) if expr.args else expr


def same(a: sp.Basic, b: sp.Basic) -> bool:
    """Whether two expressions are equal once names are looked through."""
    return a == b or bool(strip(a) == strip(b))


def opposite(a: sp.Basic, b: sp.Basic) -> bool:
    """Whether one expression is minus the other."""
    a, b = strip(a), strip(b)
    return bool(a == minus(b) or minus(a) == b)


def minus(expr: sp.Basic) -> sp.Expr:
    """``-expr``, a sum turned round term by term: ``y - x`` for ``x - y``."""
    if isinstance(expr, sp.Add):
        return sp.Add(*map(minus, expr.args))
    number, rest = expr.as_coeff_Mul()
    if isinstance(rest, sp.Add) and abs(number) == 1:
        return rest if number == -1 else minus(rest)
    return sp.Mul(-number, rest)


def terms(expr: sp.Basic) -> tuple[sp.Expr, ...]:
    """The terms of a sum, names looked through."""
    expr = peel(expr)
    return tuple(map(peel, expr.args)) if isinstance(expr, sp.Add) else (expr,)


def negated(expr: sp.Basic) -> sp.Expr | None:
    """``u`` for ``-u``; None for anything else."""
    if isinstance(expr, sp.Mul) and expr.args[0] == -1:
        return sp.Mul(*expr.args[1:])
    return None


def without(args: tuple[sp.Basic, ...], *taken: sp.Basic) -> list[sp.Basic]:
    """The arguments but those taken."""
    return [a for a in args if a not in taken]


def one_plus(expr: sp.Basic) -> sp.Expr | None:
    """``u`` for ``1 + u``, as far as names are looked through."""
    expr = peel(expr)
    if isinstance(expr, sp.Add) and ONE in expr.args:
        return sp.Add(*without(expr.args, ONE))
    return None


def inverse(expr: sp.Basic) -> sp.Expr | None:
    """``u`` for ``1/u``."""
    if isinstance(expr, sp.Pow) and expr.exp == -1:
        return expr.base
    return None


def quotients(mul: sp.Basic) -> Iterator[tuple[sp.Expr, sp.Expr, list[sp.Basic]]]:
    """Each factor of a product over each of its divisors, and the factors that are left."""
    for factor in mul.args:
        for other in without(mul.args, factor):
            below = inverse(other)
            if below is not None:
                yield peel(factor), peel(below), without(mul.args, factor, other)


def complement(add: sp.Basic) -> sp.Expr | None:
    """``u`` for ``1 - u``, names looked through."""
    if len(add.args) != 2 or ONE not in add.args:
        return None
    (other,) = without(add.args, ONE)
    inner = negated(other)
    return None if inner is None else peel(inner)


def mixture(add: sp.Basic) -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr] | None:
    """``t, p, 1 - t, q`` for ``t*p + (1 - t)*q``, the shares as they are written."""
    pair = terms(add)
    if len(pair) != 2 or not all(isinstance(t, sp.Mul) for t in pair):
        return None
    for first, second in (pair, pair[::-1]):
        for share in first.args:
            rest = next((f for f in second.args if same(f, 1 - share)), None)
            if rest is not None:
                p, q = (sp.Mul(*without(m.args, s)) for m, s in ((first, share), (second, rest)))
                return share, p, rest, q
    return None


def root_of(expr: sp.Basic) -> sp.Expr | None:
    """``u`` for ``u**2``; a product of squares is one."""
    expr = peel(expr)
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp % 2 == 0:
        return expr.base ** (expr.exp / 2)
    if isinstance(expr, sp.Mul):
        parts = [root_of(a) for a in expr.args]
        return None if None in parts else sp.Mul(*parts)
    if expr.is_Rational and expr > 0:
        root = sp.sqrt(expr)
        return root if root.is_Rational else None
    return None


def is_constant(expr: sp.Basic) -> bool:
    """Whether an expression is a number when the generated code runs: options and sizes alone."""
    return nd.is_scalar(expr)


def is_number(expr: sp.Basic, value: sp.Expr | float) -> bool:
    """Whether an expression is a literal of that value, exact or floating."""
    if not isinstance(expr, sp.Number):
        return False
    return bool(expr == value) or (expr.is_Float and float(expr) == float(value))
