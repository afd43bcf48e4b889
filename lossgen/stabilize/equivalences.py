"""Other ways to write an expression: one step, at one of its parts.

In: an expression.  Out: expressions equal to it wherever both are defined.  Steps go both ways
(factor, expand; join, split), so that a short walk reaches forms that no single step does.  Which
of them is any good is measured elsewhere.

    sqrt(x + 1) - sqrt(x)   →   1/(sqrt(x + 1) + sqrt(x))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Exp, Log, Sqrt, rebuild
from lossgen.stabilize.matching import is_constant, minus, root_of, without


def steps(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Every expression that one step makes of this one."""
    for rewrite in _STEPS:
        for found in rewrite(expr):
            if found != expr:
                yield found
    for position, part in enumerate(expr.args):
        if isinstance(part, sp.Expr) and part.args and not isinstance(part, nd.Compare):
            for other in steps(part):
                yield rebuild(expr, [*expr.args[:position], other, *expr.args[position + 1 :]])


def simplified(expr: sp.Expr) -> sp.Expr:
    """A sum multiplied out, so that like terms go."""
    return sp.Add(*_terms(expr))


def _terms(expr: sp.Expr) -> list[sp.Expr]:
    """The terms of an expression when products and small powers of sums are multiplied out."""
    if isinstance(expr, sp.Add):
        return [t for a in expr.args for t in _terms(a)]
    if isinstance(expr, sp.Pow) and isinstance(expr.base, sp.Add) and expr.exp in (2, 3):
        return _products([_terms(expr.base)] * int(expr.exp))
    if isinstance(expr, sp.Mul):
        groups = [_terms(a) for a in expr.args]
        return _products(groups) if any(len(g) > 1 for g in groups) else [expr]
    return [expr]


def _products(groups: list[list[sp.Expr]]) -> list[sp.Expr]:
    return [sp.Mul(*chosen) for chosen in product(*groups)]


def _differences(expr: sp.Expr) -> Iterator[tuple[list[sp.Expr], sp.Expr, sp.Expr]]:
    """The other terms, ``a`` and ``b`` for each ``a - b`` in a sum."""
    if not isinstance(expr, sp.Add):
        return
    for first, second in combinations(expr.args, 2):
        rest = without(expr.args, first, second)
        for a, b in ((first, second), (second, first)):
            if _minus_sign(b):
                yield rest, a, minus(b)


def _minus_sign(expr: sp.Expr) -> bool:
    number, _ = expr.as_coeff_Mul()
    return bool(number.is_negative)


def _squared(expr: sp.Expr) -> sp.Expr:
    if isinstance(expr, nd.Hypot):
        return expr.args[0] ** 2 + expr.args[1] ** 2
    return expr.arg if isinstance(expr, Sqrt) else simplified(expr**2)


def conjugate(expr: sp.Expr) -> Iterator[sp.Expr]:
    """``a - b`` as ``(a**2 - b**2)/(a + b)``, where a root goes by it."""
    for rest, a, b in _differences(expr):
        if isinstance(a, (Sqrt, nd.Hypot)) or isinstance(b, (Sqrt, nd.Hypot)):
            gap = simplified(_squared(a) - _squared(b))
            yield sp.Add(*rest, gap / (a + b))


def difference_of_squares(expr: sp.Expr) -> Iterator[sp.Expr]:
    for rest, a, b in _differences(expr):
        x, y = root_of(a), root_of(b)
        if x is not None and y is not None:
            yield sp.Add(*rest, (x - y) * (x + y))


def difference_of_cubes(expr: sp.Expr) -> Iterator[sp.Expr]:
    for rest, a, b in _differences(expr):
        if all(isinstance(p, sp.Pow) and p.exp == 3 for p in (a, b)):
            x, y = a.base, b.base
            yield sp.Add(*rest, simplified(x - y) * (x**2 + x * y + y**2))


def difference_of_powers(expr: sp.Expr) -> Iterator[sp.Expr]:
    """``a**p - b**p`` as ``b**p*((a/b)**p - 1)``."""
    for rest, a, b in _differences(expr):
        whole = isinstance(a, sp.Pow) and a.exp.is_Integer
        if isinstance(a, sp.Pow) and isinstance(b, sp.Pow) and a.exp == b.exp and not whole:
            ratio = simplified(a.base - b.base) / b.base
            yield sp.Add(*rest, b * nd.Pow1pM1(ratio, a.exp))


def one_fraction(expr: sp.Expr) -> Iterator[sp.Expr]:
    """``a/b - c/d`` as ``(a*d - c*b)/(b*d)``."""
    for rest, a, b in _differences(expr):
        top, below = _fraction(a)
        other, under = _fraction(b)
        if below is ONE and under is ONE:
            continue
        gap = simplified(top * under - other * below)
        yield sp.Add(*rest, gap / (below * under))


def _fraction(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    factors = expr.args if isinstance(expr, sp.Mul) else (expr,)
    below = [f for f in factors if isinstance(f, sp.Pow) and f.exp.is_Integer and f.exp.is_negative]
    top = sp.Mul(*without(tuple(factors), *below))
    return top, sp.Mul(*(f.base ** (-f.exp) for f in below))


def common_factor(expr: sp.Expr) -> Iterator[sp.Expr]:
    """``a*b - a*c`` as ``a*(b - c)``."""
    for rest, a, b in _differences(expr):
        for factor in _factors(a):
            if factor in _factors(b) and not factor.is_number:
                yield sp.Add(*rest, factor * (_divided(a, factor) - _divided(b, factor)))


def _factors(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    found: list[sp.Expr] = []
    for factor in expr.args if isinstance(expr, sp.Mul) else (expr,):
        whole = isinstance(factor, sp.Pow) and factor.exp.is_Integer and factor.exp > 0
        found.append(factor.base if whole else factor)
    return tuple(found)


def _divided(expr: sp.Expr, factor: sp.Expr) -> sp.Expr:
    return expr / factor


def multiplied_out(expr: sp.Expr) -> Iterator[sp.Expr]:
    """``a*(b + c)`` as ``a*b + a*c``, and a power of a sum as a sum."""
    if any(isinstance(a, sp.Add) for a in (expr.args if isinstance(expr, sp.Mul) else ())):
        yield simplified(expr)
    if isinstance(expr, sp.Pow) and isinstance(expr.base, sp.Add) and expr.exp == 2:
        yield simplified(expr)
    if isinstance(expr, sp.Add):
        yield simplified(expr)


def difference_of_logs(expr: sp.Expr) -> Iterator[sp.Expr]:
    for rest, a, b in _differences(expr):
        x, y = _log_argument(a), _log_argument(b)
        if x is not None and y is not None:
            yield sp.Add(*rest, nd.Log1p(simplified(x - y) / y))
            yield sp.Add(*rest, -nd.Log1p(simplified(y - x) / x))
            yield sp.Add(*rest, Log(x / y))


def _log_argument(expr: sp.Expr) -> sp.Expr | None:
    if isinstance(expr, Log):
        return expr.arg
    return 1 + expr.arg if isinstance(expr, nd.Log1p) else None


def log_of_quotient(expr: sp.Expr) -> Iterator[sp.Expr]:
    if isinstance(expr, nd.LogRatio):
        top, below = expr.args
    elif isinstance(expr, Log):
        top, below = _fraction(expr.arg)
    else:
        return
    if below is not ONE:
        yield nd.Log1p(simplified(top - below) / below)
        yield -nd.Log1p(simplified(below - top) / top)
        yield Log(top) - Log(below)
    elif isinstance(expr.arg, sp.Mul):
        yield sp.Add(*map(Log, expr.arg.args))


def difference_of_exps(expr: sp.Expr) -> Iterator[sp.Expr]:
    for rest, a, b in _differences(expr):
        if isinstance(a, Exp) and isinstance(b, Exp):
            yield sp.Add(*rest, b * nd.Expm1(a.arg - b.arg))
            yield sp.Add(*rest, -a * nd.Expm1(b.arg - a.arg))
            yield sp.Add(*rest, nd.Expm1(a.arg) - nd.Expm1(b.arg))


def difference_of_waves(expr: sp.Expr) -> Iterator[sp.Expr]:
    for rest, a, b in _differences(expr):
        if type(a) is type(b) and isinstance(a, (nd.Sin, nd.Cos)):
            half, mean = simplified(a.arg - b.arg) / 2, simplified(a.arg + b.arg) / 2
            wave = nd.Cos(mean) if isinstance(a, nd.Sin) else -nd.Sin(mean)
            yield sp.Add(*rest, 2 * wave * nd.Sin(half))


def powers(expr: sp.Expr) -> Iterator[sp.Expr]:
    """A power as an exponential, and less one as ``expm1``."""
    if isinstance(expr, sp.Pow) and not expr.exp.is_Integer:
        yield Exp(expr.exp * Log(expr.base))
    for rest, a, b in _differences(expr):
        if isinstance(a, sp.Pow) and b is ONE and not is_constant(a):
            yield sp.Add(*rest, nd.Expm1(a.exp * Log(a.base)))
        if isinstance(b, sp.Pow) and a is ONE and not is_constant(b):
            yield sp.Add(*rest, -nd.Expm1(b.exp * Log(b.base)))


def roots(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Roots joined and split."""
    if isinstance(expr, sp.Mul):
        found = [f for f in expr.args if isinstance(f, Sqrt)]
        if len(found) > 1:
            rest = without(expr.args, *found)
            yield sp.Mul(*rest, Sqrt(sp.Mul(*(f.arg for f in found))))
    if isinstance(expr, Sqrt) and isinstance(expr.arg, sp.Mul):
        yield sp.Mul(*map(Sqrt, expr.arg.args))


def exponentials(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Exponentials joined and split."""
    if isinstance(expr, sp.Mul):
        found = [f for f in expr.args if isinstance(f, Exp)]
        if len(found) > 1:
            yield sp.Mul(*without(expr.args, *found), Exp(sp.Add(*(f.arg for f in found))))
    if isinstance(expr, Exp) and isinstance(expr.arg, sp.Add):
        yield sp.Mul(*map(Exp, expr.arg.args))


_STEPS: tuple[Callable[[sp.Expr], Iterator[sp.Expr]], ...] = (
    conjugate,
    difference_of_squares,
    difference_of_cubes,
    difference_of_powers,
    one_fraction,
    common_factor,
    difference_of_logs,
    log_of_quotient,
    difference_of_exps,
    difference_of_waves,
    powers,
    roots,
    exponentials,
    multiplied_out,
)
