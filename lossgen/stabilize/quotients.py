"""Quotients of sums that share terms: the difference is taken before the division, or added up."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from lossgen.nodes import Let, Reduce, Rewritten, free_letters, is_scalar, rebuild
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import inverse, peel, same, strip, without

_Shared = tuple[Reduce, sp.Expr, sp.Expr, list[sp.Expr]]


def one_minus_quotient(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``r/b`` for ``1 - a/b``, where terms of ``a`` and ``b`` cancel in ``r``; also times a factor.

    What is divided is then as exact as its own terms, and 1 is never formed.
    """
    if is_scalar(add):
        return None
    for term in add.args:
        for power in _inverse_powers(term):
            base, inverse = power.base, power.base**-1
            for other in without(add.args, term):
                above = _without_factors(term, other * inverse)
                rest = None if above is None else _fewer(base, above)
                if rest is None:
                    continue
                known.bounded(*peel(base).args, above)
                return sp.Add(*without(add.args, term, other), other * rest * inverse)
    return None


def _inverse_powers(term: sp.Expr) -> list[sp.Pow]:
    """The factors of a term that divide by a sum, whole or squared."""
    return [
        f
        for f in sp.Mul.make_args(term)
        if isinstance(f, sp.Pow)
        and f.exp.is_Integer
        and f.exp < 0
        and isinstance(peel(f.base), sp.Add)
        and not is_scalar(f.base)
    ]


def _without_factors(term: sp.Expr, factors: sp.Expr) -> sp.Expr | None:
    """What a term is of others' product, if that is not divided by anything."""
    rest = term / factors
    divides = any(f.is_Pow and f.exp.is_negative for f in sp.Mul.make_args(rest))
    return None if divides else rest


def _fewer(base: sp.Expr, above: sp.Expr) -> sp.Expr | None:
    """``base + above``, if terms of one cancel with terms of the other."""
    sums = _gathered((*_spread(base), *_spread(above)))
    if all(number != 0 for number, _ in sums.values()):
        return None
    return sp.Add(*(number * rest for number, rest in sums.values()))


def _gathered(terms: Iterable[sp.Expr]) -> dict[sp.Basic, tuple[sp.Expr, sp.Expr]]:
    """How often each term is there, those that are equal once names are looked through as one."""
    sums: dict[sp.Basic, tuple[sp.Expr, sp.Expr]] = {}
    for term in terms:
        number, rest = term.as_coeff_Mul()
        total, first = sums.get(strip(rest), (sp.S.Zero, rest))
        sums[strip(rest)] = total + number, first
    return sums


def _spread(expr: sp.Expr) -> Iterable[sp.Expr]:
    """The terms of a sum, a number before it multiplied in."""
    number, rest = expr.as_coeff_Mul()
    inner = peel(rest)
    return [number * t for t in inner.args] if isinstance(inner, sp.Add) else [expr]


def sums_of_what_differs(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``(Sum(x + y) - 2*Sum(x*y))/(Sum(x + y) + …)``, by what x and y have each for itself.

    The sum of both is never rounded before most of it is taken off again.
    """
    for above in mul.args:
        found = _shared_mass(above) if isinstance(above, sp.Add) else None
        below = [b for b in map(inverse, without(mul.args, above)) if b is not None]
        if found is None or not any(_reads(b, found[0]) for b in below):
            continue
        mass, both, number, left = found
        pair = mass.body.args
        known.within(0, 1, *pair)
        parts = [Reduce("sum", x, mass.where, mass.empty, mass.bound) for x in pair]
        letters = sorted(free_letters(mass), key=str)
        alone = [
            Let(_name_alone(x, k), letters, part - both, letters)
            for k, (x, part) in enumerate(zip(pair, parts, strict=True))
        ]
        plain = sp.Mul(*(_with(f, mass, sp.Add(*parts)) for f in mul.args))
        rest = (_with(f, mass, sp.Add(*parts)) for f in without(mul.args, above))
        form = sp.Mul(*rest, sp.Add(*left, *(number * a for a in alone)))
        # Slopes of what each has for itself would cancel with those of the mass.
        return Rewritten(form, plain)
    return None


def _shared_mass(add: sp.Expr) -> _Shared | None:
    """What a sum has of ``k*(Sum(x + y) - 2*Sum(x*y))``, and its other terms."""
    sums = list(_gathered(t for a in add.args for t in _spread(a)).values())
    for number, whole in sums:
        mass = peel(whole)
        if not isinstance(mass, Reduce) or mass.op != "sum":
            continue
        if not isinstance(mass.body, sp.Add) or len(mass.body.args) != 2:
            continue
        product = sp.Mul(*mass.body.args)
        for twice, both in sums:
            sum_ = peel(both)
            shared = Reduce("sum", product, mass.where, mass.empty, mass.bound)
            if twice == -2 * number and same(shared, sum_):
                left = [k * t for k, t in sums if t not in (whole, both)]
                return mass, both, number, left
    return None


def _name_alone(expr: sp.Expr, place: int) -> str:
    name = getattr(expr, "name", "")
    return f"{name}_alone" if name else f"{('first', 'second')[place]}_alone"


def _reads(expr: sp.Basic, part: sp.Expr) -> bool:
    return strip(part) in sp.preorder_traversal(strip(expr))


def _with(expr: sp.Basic, part: sp.Expr, instead: sp.Expr) -> sp.Basic:
    """An expression with a part of it replaced, inside names as well."""
    if same(expr, part) and not isinstance(expr, Let):
        return instead
    if not expr.args or not _reads(expr, part):
        return expr
    return rebuild(expr, [_with(a, part, instead) for a in expr.args])
