"""What the handlers of a formula's nodes may ask of the evaluation they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import sympy as sp

from lossgen.accuracy.tape import Num, Tape
from lossgen.nodes import Letter

Environment = Mapping[Letter, int]
Handler = Callable[["Context", Any, Environment], Any]


class Elements:
    """The elements of one tensor: numbers, or integers and truth values where it holds those."""

    __slots__ = ("flat", "shape")

    def __init__(self, flat: list[Any], shape: tuple[int, ...]) -> None:
        self.flat, self.shape = flat, shape

    def at(self, position: tuple[int, ...]) -> Any:
        """The element at a position; an axis of size 1 is read everywhere."""
        place = 0
        for index, size in zip(position, self.shape, strict=True):
            if not (0 <= index < size or size == 1):
                raise IndexError(f"{position} is outside {self.shape}")
            place = place * size + (index if size > 1 else 0)
        return self.flat[place]


class Context(Protocol):
    """An evaluation: elements, options, and what is known already."""

    tape: Tape
    elements: Mapping[str, Elements]
    options: Mapping[str, Any]
    known: dict[tuple[Any, ...], Any]
    singular: bool  # whether a point without a second derivative was met

    def size(self, letter: Letter) -> int:
        """How many positions the axis of a letter has."""
        ...

    def positions(self, expr: sp.Basic, letters: tuple[Letter, ...]) -> Iterator[Environment]:
        """Every position of the letters that the expression may be read at."""
        ...

    def value(self, expr: sp.Basic, here: Environment) -> Any:
        """The value of an expression: a number, or an integer or truth value."""
        ...

    def number(self, expr: sp.Basic, here: Environment) -> Num:
        """The value of an expression as a number of the tape."""
        ...

    def decide(self, a: Num, b: Num) -> int:
        """The sign of a - b (2 where one is no number)."""
        ...
