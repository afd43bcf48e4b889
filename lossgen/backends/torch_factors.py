"""The factors of a product, joined so that no part leaves the range of the whole.

In: factors, their number and sign.  Out: factors whose product is the same.

    a**2, 1/b  →  a * (a / b)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Read, free_letters, is_scalar


class Quotient(nd.Node):
    """``a / b``, of which a power is taken."""

    __slots__ = ()


class Scaled(nd.Node):
    """``(c*a)``, a product of its own."""

    __slots__ = ()


class SquareTimes(nd.Node):
    """``a**2 * b``."""

    __slots__ = ()


class SquareOver(nd.Node):
    """``a**2 / b``."""

    __slots__ = ()


def in_range(factors: Sequence[sp.Expr]) -> list[sp.Expr]:
    """The factors, squares joined with what they meet: alone they may be out of range.

    ``a**2/b**2`` as ``(a/b)**2``, ``a**2/b`` as ``a*(a/b)`` and ``a**2*b`` as ``a*(a*b)``.
    """
    done = list(factors)
    for square in filter(_is_square, factors):
        for other in factors:
            if other not in done or free_letters(other) != free_letters(square):
                continue
            if isinstance(other, sp.Pow) and not is_scalar(other.base) and other.exp in (-1, -2):
                a, b = square.base, other.base
                joined = Quotient(a, b) ** 2 if other.exp == -2 else SquareOver(a, b)
            elif isinstance(other, Read) and not adjoint(other):
                joined = SquareTimes(square.base, other)
            else:
                continue
            done = [joined, *(f for f in done if f not in (square, other))]
            break
    return done


def halved(coefficient: sp.Expr, factors: Sequence[sp.Expr]) -> tuple[sp.Expr, Sequence[sp.Expr]]:
    """``a**2/2`` as ``a*(a/2)``: the slope of a square is twice a, and may be out of range."""
    squares = [f for f in factors if _is_square(f) and not isinstance(f.base, (nd.Max, nd.Clip))]
    if abs(coefficient) != sp.S.Half or len(squares) != 1:
        return coefficient, factors
    numbers = [f for f in factors if isinstance(f, sp.Pow) and is_scalar(f) and f.exp == -1]
    half = SquareOver(squares[0].base, sp.Mul(2, *(f.base for f in numbers)))
    return 2 * coefficient, [half, *(f for f in factors if f not in (*squares, *numbers))]


def _is_square(expr: sp.Expr) -> bool:
    return isinstance(expr, sp.Pow) and expr.exp == 2 and not is_scalar(expr.base)


def numbers_joined(sequence: list[Any]) -> list[Any]:
    """``x / a / b`` as ``x / (a * b)``, for numbers a and b: one pass over the elements."""
    first = next((k for k, p in enumerate(sequence) if p[2] and not p[1]), 0)
    last = next((k for k, p in enumerate(sequence[first:], first) if not p[2] or p[1]), None)
    numbers = sequence[first:last]
    if len(numbers) < 2 or not any(p[1] for p in sequence[:first]):
        return sequence
    whole = sp.Mul(*(p[3] for p in numbers), evaluate=False)
    return [*sequence[:first], (0, False, 1, whole), *sequence[first:][len(numbers) :]]


def sizes_late(sequence: list[Any]) -> list[Any]:
    """``-2 / n * x`` as ``-2 * x / n``: n, a size, may be 0, by which Python divides no number."""
    first = next((k for k, p in enumerate(sequence) if p[1]), 0)
    early = [p for p in sequence[:first] if p[2] and p[3].has(nd.Size)]
    rest = [p for p in sequence[:first] if p not in early]
    return [*rest, *sequence[first : first + 1], *early, *sequence[first + 1 :]]


def divides_twice(power: sp.Pow, factors: Sequence[sp.Expr]) -> bool:
    """Whether ``a/b**2`` is ``a/b/b``: the square of b may be out of range where it is not."""
    parts = sp.Add.make_args(power.base)
    short = sum(not is_scalar(p) for p in parts) == 1
    plain = all(isinstance(p, Read) or is_scalar(p) for p in parts)
    above = any(not is_scalar(f) and not f.is_Pow for f in factors)
    return power.exp in (-2, -3) and short and plain and above


def adjoint(expr: sp.Basic) -> bool:
    """Whether a factor is what comes in from upstream: it leads the product."""
    return isinstance(expr, Read) and expr.name.startswith(("grad_", "d_"))


def negative(expr: sp.Basic) -> bool:
    """Whether a term is best subtracted."""
    if isinstance(expr, sp.Mul):
        turned = flipped(expr)
        return isinstance(turned, sp.Mul) and bool(turned.as_coeff_mul()[0].is_negative)
    return bool(expr.is_number and expr.is_negative)


def negate(expr: Any) -> sp.Expr:
    """The term of the other sign, a product's factors as they are."""
    turned = flipped(expr) if isinstance(expr, sp.Mul) else expr
    if isinstance(turned, sp.Mul):
        coefficient, factors = turned.as_coeff_mul()
        return sp.Mul(-coefficient, *factors)
    return -turned


def flipped(expr: Any) -> sp.Expr:
    """``-(a - b)*c`` as ``(b - a)*c``."""
    coefficient, factors = expr.as_coeff_mul()
    if not coefficient.is_negative:
        return expr
    for k, factor in enumerate(factors):
        if isinstance(factor, sp.Add) and len(factor.args) == 2:
            signs = [negative(a) for a in factor.args]
            if any(signs) and not all(signs):
                turned = sp.Add(*(-a for a in factor.args))
                return sp.Mul(-coefficient, *factors[:k], turned, *factors[k + 1 :])
    return expr


def negative_exponent(exponent: sp.Basic) -> bool:
    """Whether a power stands below the line."""
    if exponent.is_number:
        return bool(exponent.is_negative)
    return isinstance(exponent, sp.Mul) and bool(exponent.as_coeff_mul()[0].is_negative)
