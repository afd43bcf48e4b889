"""The state of a reverse pass: statements made so far, and the terms of each adjoint.

In: a forward ``Program``.  Out: a ``Tape``, to which adjoints add statements and terms.

    tape.add("d_sim_z", (n, d), body, "sum", (j,))  →  the name under which it stands

A name that is taken gets a number; a softmax or a count that stands already is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, ZERO, Letter, Size
from lossgen.program import Extent, Op, Program, Statement, extents_of, kind_of
from lossgen.roles import Kind
from lossgen.static import ALWAYS


@dataclass(frozen=True, slots=True)
class Scatter:
    """A term that goes where indices say."""

    body: sp.Expr
    target: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class At:
    """A term that goes to one position of a short axis."""

    body: sp.Expr
    axis: int
    position: int


# A term over the array's letters, or one of the other two.
Piece: TypeAlias = sp.Expr | Scatter | At


class Tape:
    """What a reverse pass has written."""

    def __init__(self, forward: Program) -> None:
        self.forward = forward
        self.order = list(forward.order)
        self.axes = dict(forward.axes)
        self.kinds: dict[str, Kind] = {a.name: a.kind for a in forward.inputs}
        self.arrays: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]] = {
            a.name: (a.axes, {}) for a in forward.inputs
        }
        for x in forward.statements:
            self.kinds[x.name] = x.kind
            self.arrays[x.name] = (x.free, {k: v for k, v in x.extents.items() if k in x.free})
        self.pieces: dict[str, list[Piece]] = {}
        self.out: list[Statement] = []

    def add(
        self,
        name: str,
        free: tuple[Letter, ...],
        body: sp.Expr,
        op: Op = "map",
        bound: tuple[Letter, ...] = (),
        *,
        target: tuple[sp.Expr, ...] = (),
        base: sp.Expr = ZERO,
        extents: Mapping[Letter, Extent] | None = None,
        share: bool = False,
    ) -> str:
        """Add a statement, and return its name."""
        for x in self.out:
            same = (x.free, x.body, x.op, x.bound, x.target, x.base) == (
                free,
                body,
                op,
                bound,
                target,
                base,
            )
            if same and (share or op in ("softmax", "count")):
                return x.name
        for x in self.forward.statements if op == "softmax" else ():
            if (x.free, x.body, x.op, x.bound) == (free, body, op, bound):
                return x.name
        stem, number = name, 2
        while name in self.arrays:
            name, number = f"{stem}{number}", number + 1
        found = {**extents_of((body, base, *target), self.arrays), **(extents or {})}
        kind: Kind = "integer" if op == "count" else kind_of(body, self.kinds)
        kind = "real" if op in ("sum", "scatter", "place", "balance", "stack") else kind
        self.out.append(
            Statement(name, free, body, op, bound, TRUE, kind, target, base, ALWAYS, found)
        )
        self.kinds[name] = kind
        # What is added to may be longer than what is added.
        own = (extents or {}) if op == "scatter" else found
        self.arrays[name] = (free, {k: v for k, v in own.items() if k in free})
        return name

    def sorted(self, letters: Iterable[Letter]) -> tuple[Letter, ...]:
        """Letters in the program's order."""
        wanted = set(letters)
        return tuple(x for x in self.order if x in wanted)

    def fresh(self, letter: Letter) -> Letter:
        """A new letter that runs over the same axis."""
        new = nd.fresh(letter, self.order)
        self.order.insert(self.order.index(letter) + 1, new)
        self.axes[new] = self.axes[letter]
        return new

    def count(self, x: Statement, letter: Letter) -> sp.Expr:
        """How many positions a statement's letter has."""
        low, trim = x.extents.get(letter, (0, 0))
        return Size(letter) - low - trim
