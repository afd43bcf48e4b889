"""A quotient of polynomials with a value: what arithmetic with symbols is done in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sympy import QQ
from sympy.polys.fields import FracElement


class Undecided(Exception):
    """Symbols cannot settle it: too many, too slow, or an operation that has no rule."""


@dataclass(eq=False)
class Element:
    """A quotient of polynomials, and its value at the sample."""

    algebra: Any
    exact: FracElement
    number: Any

    def _with(self, other: Any, combine: Callable[[Any, Any], Any]) -> Element:
        other = self.algebra.mpf(other)
        self.algebra.tick()
        try:
            exact = combine(self.exact, other.exact)
        except ZeroDivisionError:
            raise Undecided("division by 0") from None
        return Element(self.algebra, exact, combine(self.number, other.number))

    def __add__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Element:
        return self._with(other, lambda a, b: b / a)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Element:
        return Element(self.algebra, -self.exact, -self.number)

    def __pow__(self, power: Any) -> Element:
        if isinstance(power, Element):
            power = power.rational()
        power = Fraction(power)
        if power.denominator == 1:
            self.algebra.tick()
            return Element(self.algebra, self.exact ** int(power), self.number ** int(power))
        if power.denominator == 2:
            return self.algebra.sqrt(self) ** int(2 * power)
        return self.algebra.exp(self.algebra.log(self) * power)

    def rational(self) -> Fraction:
        """The number it is, if it holds no symbol."""
        if not (self.exact.numer.is_ground and self.exact.denom.is_ground):
            raise Undecided("a symbol in an exponent")
        return fraction_of(self.exact.numer.LC if self.exact else 0) / fraction_of(
            self.exact.denom.LC
        )

    def _decided(self, other: Any, holds: bool) -> bool:
        other = self.algebra.mpf(other)
        difference = self.exact - other.exact
        if not (difference.numer.is_ground and difference.denom.is_ground):
            self.algebra.branches.append(holds)
        return holds

    def __lt__(self, other: Any) -> bool:
        return self._decided(other, self.number < number_of(other))

    def __le__(self, other: Any) -> bool:
        return self._decided(other, self.number <= number_of(other))

    def __gt__(self, other: Any) -> bool:
        return self._decided(other, self.number > number_of(other))

    def __ge__(self, other: Any) -> bool:
        return self._decided(other, self.number >= number_of(other))

    def __eq__(self, other: object) -> bool:
        return self._decided(other, self.number == number_of(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __abs__(self) -> Element:
        return self if self >= 0 else -self

    def __float__(self) -> float:
        return float(self.number)

    def __int__(self) -> int:
        return int(self.number)


def number_of(x: Any) -> Any:
    return x.number if isinstance(x, Element) else x


def fraction_of(x: Any) -> Fraction:
    return Fraction(int(QQ.numer(QQ.convert(x))), int(QQ.denom(QQ.convert(x))))
