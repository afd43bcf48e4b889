"""Products and quotients of a square, in an order that stays in range.

In: the factors of a product.  Out: text in which no square stands alone beside what it meets:
alone it may overflow, or vanish, where the whole does not.

    a**2*b → square_times(a, b)      a**2/b → square_over(a, b)      a**2/b**2 → (a / b)**2
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import sympy as sp
from sympy.printing.str import StrPrinter

from lossgen.nodes import Read, Where, is_static


class Squares(StrPrinter):
    """Prints squares with what they meet."""

    @abstractmethod
    def code(self, expr: sp.Basic) -> str: ...

    @abstractmethod
    def call(self, name: str, *arguments: str) -> str: ...

    @abstractmethod
    def factor(self, expr: sp.Basic) -> str: ...

    def squares_joined(self, factors: Sequence[sp.Basic]) -> tuple[list[str], tuple[sp.Basic, ...]]:
        """The texts of the squares that found another factor, and the factors that are left."""
        done: list[str] = []
        left = list(factors)
        for square in filter(_is_square, factors):
            partner = next((f for f in left if f != square and _meets(f)), None)
            if partner is None:
                continue
            done.append(self._joined(square, partner))
            left = [f for f in left if f not in (square, partner)]
        return done, tuple(left)

    def _joined(self, square: sp.Basic, partner: sp.Basic) -> str:
        base, _ = square.as_base_exp()
        below, exponent = partner.as_base_exp()
        if exponent == -2:
            quotient = f"{self.factor(base)} / {self.factor(below)}"
            return self.call("real_whole_power", quotient, "2")
        if exponent == -1:
            return self.call("real_square_over", self.code(base), self.code(below))
        return self.call("real_square_times", self.code(base), self.code(partner))


def _is_square(expr: sp.Basic) -> bool:
    return isinstance(expr, sp.Pow) and expr.exp == 2 and bool(expr.base.atoms(Read))


def _meets(expr: sp.Basic) -> bool:
    """Whether a factor is an element, or below the line; an upstream gradient is near 1."""
    if isinstance(expr, sp.Pow):
        return expr.exp in (-1, -2) and bool(expr.base.atoms(Read))
    if isinstance(expr, Where) and is_static(expr.args[0]):
        return all(x.is_number or _meets(x) for x in expr.args[1:])
    return isinstance(expr, Read) and not expr.name.startswith(("grad_", "d_"))
