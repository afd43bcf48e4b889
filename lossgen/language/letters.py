"""Letters: each runs over one axis, which is inferred from where it stands."""

from __future__ import annotations

import typing

from lossgen.nodes import Letter, Size
from lossgen.roles import Broadcast

Expr = typing.Any  # a SymPy expression; specs are read as mathematics, not type-checked


class FollowsError(TypeError):
    """What only follows from a name that is not defined, which is told already."""


n, c, s, e, d = (Letter(name) for name in "ncsed")
i, j, k, m, t, h, w = (Letter(name) for name in "ijkmthw")


def axes(names: str) -> tuple[Letter, ...]:
    """More letters: ``t, h, w = axes("t h w")``."""
    return tuple(Letter(name) for name in names.split())


def broadcast(letter: Letter) -> Broadcast:
    """Permit an input to be of size 1, or missing, along this axis."""
    return Broadcast(letter)


def size(letter: Letter) -> Expr:
    """The number of positions along the axis a letter runs over."""
    if not isinstance(letter, Letter):
        raise TypeError(f"size() takes a letter, not {letter}")
    return Size(letter)
