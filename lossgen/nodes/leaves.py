"""What a formula reads: letters, options, elements of tensors, sizes.

``input[n, c]`` is ``Read(Str("input"), n, c)``. A name travels inside a node as SymPy's ``Str``,
so that two reads of one element are one object; ``text`` gives it back.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str

TRUE, FALSE = sp.true, sp.false
ZERO, ONE, HALF = sp.S.Zero, sp.S.One, sp.S.Half


def text(carried: str | Str) -> str:
    """The plain text of a word that a node carries."""
    return str(carried.name) if isinstance(carried, Str) else carried


def word(plain: str | Str) -> Str:
    """A plain text as a node carries it."""
    return plain if isinstance(plain, Str) else Str(plain)


class Letter(sp.Symbol):
    """An index letter: it runs over one axis."""

    __slots__ = ()

    def __new__(cls, name: str) -> Letter:
        return sp.Symbol.__new__(cls, name, integer=True)


class Param(sp.Symbol):
    """A scalar option of the loss (a Python number when the generated code runs)."""

    __slots__ = ()

    def __new__(cls, name: str, **assumptions: bool) -> Param:
        return sp.Symbol.__new__(cls, name, **(assumptions or {"real": True}))

    def __getitem__(self, subscripts: Any) -> Any:
        raise TypeError(f"'{self.name}' is an option without axes; give its role axes to read it")

    __iter__ = None  # a class with __getitem__ counts as iterable otherwise


class Unknown(sp.Dummy):
    """What a faulty spec refers to: it stands in, so that the rest of the spec can be checked."""

    __slots__ = ("axes",)

    def __new__(cls, name: str, axes: tuple[Any, ...] = ()) -> Unknown:
        made = sp.Dummy.__new__(cls, name, real=True)
        made.axes = axes
        return made

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Something that depends on what it is told."""
        return sp.Add(self, *[x for x in (*args, *options.values()) if isinstance(x, sp.Expr)])

    def __getitem__(self, axes: Any) -> Unknown:
        return Unknown(self.name, axes if isinstance(axes, tuple) else (axes,))

    __iter__ = None  # as in Param


class Node(sp.Expr):
    """Base of every operation that is not plain arithmetic."""

    __slots__ = ()
    is_commutative = True
    is_real = True
    is_number = False  # to SymPy; tanh(3) is a scalar, whose digits are for who computes it
    precedence = 1000  # printed as a call or in parentheses of its own

    def __new__(cls, *args: Any) -> Any:
        return sp.Basic.__new__(cls, *map(sp.sympify, args))


class Read(Node):
    """``name[subscripts]``: an element of an input tensor or of a statement's result.

    A subscript is a ``Letter``, a letter plus an integer (shift), an integer, or an integer
    expression over other reads (gather).
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        return text(self.args[0])

    @property
    def subscripts(self) -> tuple[sp.Expr, ...]:
        return self.args[1:]


class Padded(Read):
    """A read that is 0 outside the array: the adjoint of a shifted read."""

    __slots__ = ()


class Needs(Node):
    """Whether the gradient of an input, or any of several, is asked for: a static condition."""

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(text, self.args))


class Recording(Node):
    """Whether autograd records what is computed: a static condition."""

    __slots__ = ()


class Size(Node):
    """The number of positions along the axis a letter runs over; the letter is not free in it."""

    __slots__ = ()
    is_integer = True
    is_positive = True

    @property
    def letter(self) -> Letter:
        return self.args[0]


class Given(Node):
    """Whether an optional tensor was passed: a static condition."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return text(self.args[0])
