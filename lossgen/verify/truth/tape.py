"""Numbers that remember how they were made, for reverse-mode differentiation in mpmath.

In: elements of tensors as ``Num``s on a ``Tape``; arithmetic between them and plain mpmath
numbers. Out: the derivative of weighted results with respect to every element. A slope of exactly 0
is dropped, so that what a formula leaves out cannot send back ``0 * inf``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import mpmath

# 50 digits remain where a formula cancels and a difference quotient takes the rest.
DIGITS = 120
mp = mpmath.MPContext()
mp.dps = DIGITS
ZERO, ONE = 0, 1  # exact in every algebra


class Algebra(Protocol):
    """What numbers a formula is worked out in: ``mp``, or one with symbols."""

    @property
    def pi(self) -> Any: ...
    @property
    def e(self) -> Any: ...
    @property
    def inf(self) -> Any: ...
    @property
    def nan(self) -> Any: ...
    def isnan(self, x: Any) -> bool: ...
    def isinf(self, x: Any) -> bool: ...
    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def log1p(self, x: Any) -> Any: ...
    def expm1(self, x: Any) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def sin(self, x: Any) -> Any: ...
    def cos(self, x: Any) -> Any: ...
    def acos(self, x: Any) -> Any: ...
    def atan(self, x: Any) -> Any: ...
    def erf(self, x: Any) -> Any: ...
    def erfc(self, x: Any) -> Any: ...
    def loggamma(self, x: Any) -> Any: ...
    def psi(self, order: int, x: Any) -> Any: ...
    def floor(self, x: Any) -> Any: ...
    def mpf(self, x: Any) -> Any: ...


class Num:
    """A number on a tape: its value, and the slope towards each number it was made of."""

    __slots__ = ("parents", "place", "value")

    def __init__(self, value: Any, parents: tuple[tuple[Num, Any], ...], place: int) -> None:
        self.value, self.parents, self.place = value, parents, place


class Tape:
    """The numbers of one evaluation, in the order in which they were made."""

    def __init__(self) -> None:
        self.nums: list[Num] = []

    def leaf(self, value: Any) -> Num:
        """An element of a tensor."""
        return self._put(value, ())

    def make(self, number: Any, *slopes: tuple[Any, Any]) -> Any:
        """A number made of others; a plain one where none of them is on the tape."""
        parents = tuple((x, s) for x, s in slopes if isinstance(x, Num) and not vanishes(s))
        return self._put(number, parents) if parents else number

    def _put(self, value: Any, parents: tuple[tuple[Num, Any], ...]) -> Num:
        num = Num(value, parents, len(self.nums))
        self.nums.append(num)
        return num

    def backward(self, seeds: Iterable[tuple[Any, Any]]) -> Mapping[int, Any]:
        """The derivative of the sum of ``weight * result``, by place on the tape."""
        adjoint: dict[int, Any] = {}
        for result, weight in seeds:
            if isinstance(result, Num):
                adjoint[result.place] = adjoint.get(result.place, ZERO) + weight
        for num in reversed(self.nums):
            given = adjoint.get(num.place)
            if given is None or vanishes(given):
                continue
            for parent, slope in num.parents:
                adjoint[parent.place] = adjoint.get(parent.place, ZERO) + given * slope
        return adjoint


def vanishes(x: Any) -> bool:
    """Whether a number is 0, with symbols whether it is so whatever they stand for."""
    exact = getattr(x, "exact", None)
    return bool(x == 0) if exact is None else not exact


def value(x: Any) -> Any:
    """The plain number."""
    return x.value if isinstance(x, Num) else x
