"""Forms of an expression, measured: errors in bits, and forms that change at a cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Read, walk
from lossgen.stabilize.measure import Point
from lossgen.stabilize.numbers import LEAST_NORMAL

WORST = 32.0  # bits: what NaN or infinity in place of a number counts for
_EPS = 2.0**-23


def bits(found: float, true: float) -> float:
    """The error of a float32 in bits: 0 where it is the nearest one."""
    if not math.isfinite(found):
        return WORST
    gap = abs(found - true) / (_EPS * max(abs(true), LEAST_NORMAL))
    return min(WORST, math.log2(gap + 1))


def mean_of(errors: Sequence[float]) -> float:
    """The mean of errors."""
    return sum(errors) / len(errors)


def size(expr: sp.Expr) -> int:
    """How many different parts an expression has."""
    return sum(1 for _ in walk(expr))


@dataclass(frozen=True, slots=True)
class Measured:
    """A form, its place among the candidates, and its errors at the points."""

    number: int
    expr: sp.Expr
    errors: list[float]

    @property
    def mean(self) -> float:
        return mean_of(self.errors)

    @property
    def worst(self) -> float:
        return max(self.errors)

    @property
    def key(self) -> tuple[float, int, int]:
        """What forms are ordered by: error, size, and place, so that the order never changes."""
        return round(self.mean, 1), size(self.expr), self.number

    def on(self, chosen: list[bool]) -> tuple[float, int, int]:
        """The same by the error at chosen points alone."""
        part = [e for e, c in zip(self.errors, chosen, strict=True) if c]
        return round(mean_of(part), 1) if part else 0.0, size(self.expr), self.number


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one form is taken above a bound, and another up to it.

    Attributes:
        size: whether it is the size of what is read that is compared.
    """

    read: Read
    bound: sp.Expr
    size: bool = False

    def above(self, point: Point) -> bool:
        """Whether a point lies above the bound."""
        bound = float(self.bound) if self.bound.is_number else point[self.bound]
        return (abs(point[self.read]) if self.size else point[self.read]) > bound

    def joined(self, first: sp.Expr, second: sp.Expr) -> sp.Expr:
        """Both forms, each reading something harmless where it is not taken."""
        read, bound = self.read, self.bound
        compared = nd.Abs(read) if self.size else read
        higher, lower = nd.Compare(">", compared, bound), nd.Compare("<=", compared, bound)
        over, under = (bound + 1, bound or -ONE) if bound.is_number else (bound, bound)
        yes = first.xreplace({read: nd.Where(higher, read, over)})
        no = second.xreplace({read: nd.Where(lower, read, under)})
        return nd.Where(higher, yes, no)
