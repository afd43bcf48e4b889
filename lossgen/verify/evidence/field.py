"""Exact arithmetic with symbols: rational functions in elements, their exponentials and logarithms.

An element of a tensor is a symbol x with a value; ``exp(x)`` is a second symbol, and ``exp`` and
``log`` of what is built from them are brought to products and sums of those. So equal formulas come
out as the same quotient of polynomials, whatever way they were written. A comparison is decided by
the values, and remembered: what is shown holds where the same comparisons come out the same way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sympy import QQ, factorint
from sympy.polys.fields import field as fraction_field

from lossgen.verify.evidence.element import Element, Undecided, fraction_of, number_of
from lossgen.verify.truth import mp


@dataclass
class Symbols:
    """The algebra. A generator is known by what it stands for: an element, a root, a log."""

    deadline: float
    most: int
    branches: list[bool] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    bases: dict[int, Element] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [f"g{k}" for k in range(self.most)]
        self.field, *self.generators = fraction_field(names, QQ)
        self.inf, self.nan = mp.inf, mp.nan

    def tick(self) -> None:
        """Stop where the time is up."""
        if time.process_time() > self.deadline:
            raise Undecided("no time left")

    @property
    def pi(self) -> Element:
        return self._generator(("pi",), mp.pi + 0)

    @property
    def e(self) -> Element:
        return self.exp(self.mpf(1))

    def mpf(self, x: Any) -> Element:
        """A number of Python's, or an element as it is."""
        if isinstance(x, Element):
            return x
        if isinstance(x, (int, Fraction)) or (isinstance(x, float) and abs(x) < float("inf")):
            exact = Fraction(x)
            made = self.field.domain_new(QQ(exact.numerator, exact.denominator))
            return Element(
                self, self.field.ground_new(made), mp.mpf(exact.numerator) / exact.denominator
            )
        raise Undecided(f"{type(x).__name__} is no number with symbols")

    def symbol(self, value: float) -> Element:
        """A new element of a tensor."""
        return self._generator(("x", len(self.keys)), mp.mpf(value))

    def _generator(self, key: Any, value: Any) -> Element:
        if key not in self.keys:
            if len(self.keys) >= self.most:
                raise Undecided("too many symbols")
            self.keys.append(key)
            self.values.append(value)
        place = self.keys.index(key)
        return Element(self, self.generators[place], self.values[place])

    def _opaque(self, name: str, x: Element, value: Any) -> Element:
        self.tick()
        return self._generator((name, x.exact), value)

    def exp(self, x: Any) -> Element:
        """A product of exponentials of single symbols, where the argument is a sum of them."""
        x = self.mpf(x)
        self.tick()
        if not x.exact.denom.is_ground:
            return self._opaque("exp", x, mp.exp(x.number))
        below = fraction_of(x.exact.denom.LC)
        result = self.mpf(1)
        for monomial, coefficient in x.exact.numer.terms():
            places = [k for k, power in enumerate(monomial) if power]
            factor = fraction_of(coefficient) / below
            if not places:
                result = result * self._base(None, factor.denominator) ** factor.numerator
            elif len(places) == 1 and monomial[places[0]] == 1:
                result = result * self._base(places[0], factor.denominator) ** factor.numerator
            else:
                return self._opaque("exp", x, mp.exp(x.number))
        return result

    def _base(self, place: int | None, root: int) -> Element:
        """exp(g / root) of the generator at a place; of 1 where there is none."""
        key = None if place is None else self.keys[place]
        if isinstance(key, tuple) and key[0] == "log" and root == 1 and place in self.bases:
            return self.bases[place]
        value = mp.mpf(1) if place is None else self.values[place]
        return self._generator(("root", place, root), mp.exp(value / root))

    def log(self, x: Any) -> Any:
        """A sum of logarithms of irreducible factors."""
        x = self.mpf(x)
        if x.number <= 0:
            raise Undecided("a logarithm at or below 0")
        self.tick()
        result = self.mpf(0)
        for poly, sign in ((x.exact.numer, 1), (x.exact.denom, -1)):
            content, factors = poly.factor_list()
            result = result + sign * self._log_number(abs(fraction_of(content)))
            for factor, power in factors:
                self.tick()
                result = result + sign * power * self._log_factor(factor)
        return result

    def _log_number(self, content: Fraction) -> Element:
        result = self.mpf(0)
        for whole, sign in ((content.numerator, 1), (content.denominator, -1)):
            for prime, power in factorint(whole).items():
                place = self._log_generator(("log", int(prime)), self.mpf(int(prime)))
                result = result + sign * power * place
        return result

    def _log_factor(self, factor: Any) -> Element:
        exact = self.field.field_new(factor)
        if factor.is_generator:
            place = self.generators.index(exact)
            key = self.keys[place]
            if key[0] == "root":
                inner = self.mpf(1) if key[1] is None else self._place(key[1])
                return inner / key[2]
        value = self._evaluate(factor)
        element = Element(self, exact if value > 0 else -exact, abs(value))
        return self._log_generator(("log", element.exact), element)

    def _log_generator(self, key: Any, inside: Element) -> Element:
        made = self._generator(key, mp.log(inside.number))
        self.bases[self.keys.index(key)] = inside
        return made

    def _place(self, place: int) -> Element:
        return Element(self, self.generators[place], self.values[place])

    def _evaluate(self, poly: Any) -> Any:
        total = mp.mpf(0)
        for monomial, coefficient in poly.terms():
            fraction = fraction_of(coefficient)
            term = mp.mpf(fraction.numerator) / fraction.denominator
            for k, power in enumerate(monomial):
                if power:
                    term *= self.values[k] ** power
            total += term
        return total

    def sqrt(self, x: Any) -> Element:
        """A symbol of its own, but for squares."""
        x = self.mpf(x)
        if x.number < 0:
            raise Undecided("a root of a negative number")
        if not x.exact:
            return x
        content, factors = x.exact.numer.factor_list()
        beneath, others = x.exact.denom.factor_list()
        outside, inside = self.mpf(1), self.mpf(fraction_of(content) / fraction_of(beneath))
        for found, sign in ((factors, 1), (others, -1)):
            for factor, power in found:
                value = self._evaluate(factor)
                element = Element(self, self.field.field_new(factor), value)
                outside = outside * abs(element) ** (sign * (power // 2))
                inside = inside * element ** (sign * (power % 2))
        if inside.exact.numer.is_ground and inside.exact.denom.is_ground:
            root = _root(inside.rational())
            if root is not None:
                return outside * root
        made = self._opaque("sqrt", inside, mp.sqrt(inside.number))
        self.bases[self.keys.index(("sqrt", inside.exact))] = inside
        return outside * made

    def is_zero(self, x: Element) -> bool:
        """Whether it is 0, with the squares of roots taken out."""
        numer = x.exact.numer
        for place in [k for k, key in enumerate(self.keys) if key[0] == "sqrt"]:
            inside = self.bases[place].exact
            if not inside.denom.is_ground:
                continue
            total = self.field(0)
            for monomial, coefficient in numer.terms():
                power = monomial[place]
                left = tuple(p % 2 if k == place else p for k, p in enumerate(monomial))
                term = self.field.field_new(numer.ring.term_new(left, coefficient))
                total += term * inside ** (power // 2)
                self.tick()
            numer = total.numer
        return not numer

    def log1p(self, x: Any) -> Any:
        return self.log(1 + x)

    def expm1(self, x: Any) -> Any:
        return self.exp(x) - 1

    def tanh(self, x: Any) -> Any:
        square = self.exp(2 * x)
        return (square - 1) / (square + 1)

    def floor(self, x: Any) -> Any:
        return self.mpf(int(mp.floor(number_of(x))))

    def sin(self, x: Any) -> Element:
        return self._opaque("sin", self.mpf(x), mp.sin(number_of(x)))

    def cos(self, x: Any) -> Element:
        return self._opaque("cos", self.mpf(x), mp.cos(number_of(x)))

    def acos(self, x: Any) -> Element:
        return self._opaque("acos", self.mpf(x), mp.acos(number_of(x)))

    def atan(self, x: Any) -> Element:
        return self._opaque("atan", self.mpf(x), mp.atan(number_of(x)))

    def erf(self, x: Any) -> Element:
        return self._opaque("erf", self.mpf(x), mp.erf(number_of(x)))

    def erfc(self, x: Any) -> Any:
        return 1 - self.erf(x)

    def loggamma(self, x: Any) -> Element:
        return self._opaque("loggamma", self.mpf(x), mp.loggamma(number_of(x)))

    def psi(self, order: int, x: Any) -> Element:
        return self._opaque(f"psi{order}", self.mpf(x), mp.psi(order, number_of(x)))

    @staticmethod
    def isnan(x: Any) -> bool:
        return bool(mp.isnan(number_of(x)))

    @staticmethod
    def isinf(x: Any) -> bool:
        return bool(mp.isinf(number_of(x)))


def _root(x: Fraction) -> Fraction | None:
    from math import isqrt

    top, below = isqrt(x.numerator), isqrt(x.denominator)
    return (
        Fraction(top, below)
        if top * top == x.numerator and below * below == x.denominator
        else None
    )
