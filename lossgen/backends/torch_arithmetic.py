"""Products, quotients and powers as Python, with no parentheses but those that are needed.

In: an expression.  Out: Python that touches large arrays as few times as it can.

    -2*(a - b)*x[n, d]/t  →  2 * (b - a) / t * x

It refuses nothing itself; other nodes are printed by what derives from it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.layout import aligned
from lossgen.backends.torch_factors import (
    Quotient,
    Scaled,
    adjoint,
    divides_twice,
    flipped,
    halved,
    in_range,
    negative_exponent,
    numbers_joined,
    sizes_late,
)
from lossgen.backends.torch_sums import Sums
from lossgen.backends.wholes import in_product
from lossgen.brackets import atomic, bare, enclosed, opposite
from lossgen.nodes import Read, is_scalar


class Arithmetic(Sums):
    """Prints arithmetic in one scope of letters."""

    def _scale(self, expr: sp.Basic) -> int:
        """How a product is ordered so that no part of it leaves the range that the whole keeps.

        What is at most 1 comes first, then what was computed, then what came in.
        """
        if isinstance(expr, Read) and expr.name.startswith("grad_"):
            return 0
        if self.names.known.of(expr).within(-1.0, 1.0):
            return 0
        return 2 if isinstance(expr, Read) else 1

    def _print_Mul(self, expr: Any) -> str:
        expr = flipped(expr)
        if not isinstance(expr, sp.Mul):
            return str(self._print(expr))
        coefficient, factors = expr.as_coeff_mul()
        coefficient, factors = halved(coefficient, in_range(factors))
        sign = "-" if coefficient.is_negative else ""
        above, below = list(factors), []
        if abs(coefficient) != 1:
            p, q = sp.fraction(abs(coefficient))
            if sp.Rational(float(p / q)) == p / q and all(
                isinstance(f, sp.Pow) and negative_exponent(f.exp) for f in factors
            ):
                p, q = sp.Float(float(p / q)) if q != 1 else p, sp.S.One
            above += [] if p == 1 else [p]
            below += [] if q == 1 else [q]
        for factor in factors:
            if isinstance(factor, sp.Pow) and negative_exponent(factor.exp):
                above.remove(factor)
                again = -factor.exp if divides_twice(factor, factors) else 1
                below += [factor.base ** (-factor.exp / again)] * again
            if isinstance(factor, nd.Ratio) and not self._of_a_row(factor):
                above.remove(factor)
                above += [] if factor.args[0] == 1 else [factor.args[0]]
                below.append(nd.Ratio(1, factor.args[1]))
        wide = sum(self._size(f) > 0 and self._scale(f) > 0 for f in above)
        # Scalars and small arrays first: they combine before the large ones are touched.
        above.sort(
            key=lambda f: (
                not f.is_Rational,
                not f.is_number,
                not is_scalar(f),
                self._size(f),
                not adjoint(f),
                self._scale(f) if wide > 1 else 0,
            )
        )
        # What divides several times comes last: with it alone the whole may leave the range.
        times = Counter(below)
        below.sort(key=lambda f: (not is_scalar(f), self._size(f), times[f]))
        above, last = self._numbers_late(above, wide) if not below else (above, "")
        return self._quotient(above, below, sign) + last

    def _numbers_late(self, above: list[Any], wide: int) -> tuple[list[Any], str]:
        """Large numbers moved to where they cannot take a product out of range before its end.

        They scale what is at most 1, if there is such a factor, else the whole, at the end.
        """
        large = [f for f in above if self._size(f) > 0]
        small = [f for f in above if self._size(f) == 0]
        least = 1 if wide > 1 else 1000
        if not any(f.is_number and self.names.known.of(f).low > least for f in small):
            return above, ""
        scaled = sp.Mul(*small)
        own = next((f for f in large if adjoint(f)), None)
        for k, factor in enumerate(large):
            if own is not None and factor is not own and self._scale(factor) == 0:
                return [*large[:k], Scaled(scaled, factor), *large[k + 1 :]], ""
        if own is not None or wide < 2:
            return above, ""
        return large, f" * {self.parenthesize(scaled, PRECEDENCE['Mul'])}"

    def _of_a_row(self, factor: sp.Expr) -> bool:
        """Whether a factor is a row over its length, or the like: in range, as 1/length is not."""
        above, below = factor.args if isinstance(factor, nd.Ratio) else (sp.S.One, sp.S.One)
        length = self.names.known.body(below.name) if isinstance(below, Read) else None
        side = isinstance(length, nd.Radius) and above in length.args
        return side or self._size(above) > self._size(below)

    def _quotient(self, above: list[Any], below: list[Any], sign: str) -> str:
        parts = [(self._size(f), not is_scalar(f), 0, f) for f in above]
        parts += [(self._size(f), not is_scalar(f), 1, f) for f in below]
        small = [p for p in parts if p[:2] < max(q[:2] for q in parts)]
        large = [p for p in parts if p not in small]
        sequence = [*(p for p in small if p[2] == 0), *(p for p in small if p[2] == 1)]
        if not any(p[2] == 0 for p in small):
            sequence = [*(p for p in large if p[2] == 0), *sequence, *(p for p in large if p[2])]
        else:
            sequence += [*(p for p in large if p[2] == 0), *(p for p in large if p[2])]
        rows = [p for p in sequence if self._of_a_row(p[3])]
        sequence = [*rows, *(p for p in sequence if p not in rows)]
        if sequence[0][2] == 0:
            # What may be overwritten leads among those of its size.
            top = [p for p in sequence if p[2] == 0]
            own = next((p for p in top if p[0] == top[0][0] and self.owns([p[3]])), None)
            if own is not None:
                sequence.remove(own)
                sequence.insert(0, own)
        sequence = in_product(numbers_joined(sizes_late(sequence)), self.names.kinds)
        alone = sign and len(sequence) == 1 and sequence[0][2] == 0
        if alone and isinstance(factor := sequence[0][3], Read):
            if not self.owns([factor]):
                return f"-{self.code(factor)}"
            self.writes_into(factor)
            return f"{self.code(factor)}.neg_()"
        text = sign if sequence[0][2] == 0 else f"{sign}1"
        done: list[sp.Expr] = []
        for *_, inverse, factor in sequence:
            if inverse and isinstance(factor, nd.Ratio):
                item, whole = self._without_zeros(factor.args[1]), True
            else:
                item = self.parenthesize(factor, PRECEDENCE["Mul"], strict=not inverse)
                whole = False
            if done and self.owns(done, factor) and not (sign and len(done) == 1):
                self.writes_into(*done)
                argument = item if whole else self.code(factor)
                text = f"{enclosed(text)}.{'div_' if inverse else 'mul_'}({argument})"
            elif not done and text in ("", "-"):
                # A sign at the start of a product needs no brackets.
                text += f"-{opposite(item)}" if not text and opposite(item) else item
            else:
                text = f"{text} / {item}" if inverse else f"{text} * {item}"
            done.append(factor)
        return text

    def _print_Ratio(self, expr: Any) -> str:
        a, b = expr.args
        above = self.parenthesize(a, PRECEDENCE["Mul"], strict=True)
        return f"({above} / {self._without_zeros(b)})"

    def _without_zeros(self, divisor: Any) -> str:
        """A divisor whose zeros are infinite: the quotient is 0 there."""
        if self.names.known.of(divisor).nonzero:
            return self.parenthesize(divisor, PRECEDENCE["Mul"])
        letters = self._letters(divisor)
        code = self.within(letters).operand(divisor)
        return aligned(f"_or_infinite({bare(code)})", letters, self.scope)

    def _print_Quotient(self, expr: Any) -> str:
        above, below = expr.args
        first = self.parenthesize(above, PRECEDENCE["Mul"], strict=True)
        return f"({first} / {self.parenthesize(below, PRECEDENCE['Mul'])})"

    def _print_Scaled(self, expr: Any) -> str:
        number, factor = expr.args
        inner = self.parenthesize(factor, PRECEDENCE["Mul"], strict=True)
        return f"({self.parenthesize(number, PRECEDENCE['Mul'], strict=True)} * {inner})"

    def _print_SquareTimes(self, expr: Any) -> str:
        return f"_square_times({', '.join(self.code(a) for a in expr.args)})"

    def _print_SquareOver(self, expr: Any) -> str:
        a, b = expr.args
        if isinstance(a, Quotient):
            return f"_square_over({self.code(a)[1:-1]}, {self.code(b)})"
        if isinstance(a, Read) and atomic(code := self.code(a)):
            return f"{code} * ({code} / {self.parenthesize(b, PRECEDENCE['Mul'])})"
        return f"_square_over({', '.join(self.code(a) for a in expr.args)})"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.base, expr.exp
        if negative_exponent(exponent):
            return f"1 / {self.parenthesize(sp.Pow(base, -exponent), PRECEDENCE['Pow'])}"
        tensor = not is_scalar(base)
        if exponent == 2 and tensor:
            return f"{self.operand(base)}.square()"
        if exponent == sp.S.Half and tensor:
            return f"torch.sqrt({self.code(base)})"
        power = self.parenthesize(exponent, PRECEDENCE["Pow"])
        return f"{self.operand(base)} ** {power}"
