"""Holds the statements of a program in the making: their names, kinds and ranges.

Equal statements are one, no two have one name, and an unnamed one is called after what it is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp

from lossgen.lower.families import Member
from lossgen.lower.order import letter_order
from lossgen.nodes import TRUE, Letter
from lossgen.program import Array, Extent, Op, Statement, extents_of, kind_of
from lossgen.roles import Kind
from lossgen.spec import TAKEN, LossSpec

ITEM, DIVISOR = "loss", "divisor"


class Recording:
    """The statements so far, and what is known of every array.

    Attributes:
        arrays: the letters of each array, and the ranges of those that do not run over their axis.
        inside: the author's names around what is being lowered.
        families: the statements that would have one name, by that name.
    """

    def __init__(self, spec: LossSpec, expressions: Sequence[sp.Expr]) -> None:
        self.spec = spec
        self.order = letter_order(spec, expressions)
        self.axes = dict(spec.axes)
        self.inputs = tuple(Array(t.name, t.axes, t.role.kind, t.optional) for t in spec.tensors)
        self.kinds: dict[str, Kind] = {a.name: a.kind for a in self.inputs}
        self.arrays: dict[str, tuple[tuple[Letter, ...], dict[Letter, Extent]]] = {
            a.name: (a.axes, {}) for a in self.inputs
        }
        self.statements: list[Statement] = []
        self.shared: dict[object, str] = {}
        self.taken = {*self.kinds, *(p.name for p in spec.parameters), *TAKEN}
        self.results: list[str] = []
        self.inside: list[str] = []
        self.families: dict[str, list[Member]] = {}

    def add(
        self,
        name: str,
        free: tuple[Letter, ...],
        body: sp.Expr,
        op: Op = "map",
        bound: tuple[Letter, ...] = (),
        where: sp.Expr = TRUE,
        *,
        target: tuple[sp.Expr, ...] = (),
        named: bool = False,
    ) -> str:
        """Add a statement, and give its name; one that is there already is not made again."""
        key = (free, body, op, bound, where, target)
        if key in self.shared and not (named and name in (ITEM, DIVISOR)):
            return self.shared[key]
        if name not in (ITEM, DIVISOR):
            name = self._unique(name)
        kind: Kind = kind_of(body, self.kinds)
        kind = "integer" if op == "count" else "boolean" if op == "any" else kind
        if name == ITEM or op in ("sum", "mean"):
            kind = "real"
        extents = extents_of((body, where, *target), self.arrays)
        if name == DIVISOR:  # each item's, so where the items are
            extents = {**extents, **self.spans(free)}
        self.statements.append(
            Statement(name, free, body, op, bound, where, kind, target, extents=extents)
        )
        self.shared[key] = name
        self.kinds[name] = kind
        self.arrays[name] = (free, {k: v for k, v in extents.items() if k in free})
        return name

    def spans(self, letters: Iterable[Letter]) -> dict[Letter, Extent]:
        """Where the items do not run over whole axes, of the letters given."""
        items = self.arrays[self.results[0]][1] if self.results else {}
        return {x: items[x] for x in letters if any(items.get(x, ()))}

    def _unique(self, name: str) -> str:
        alone, around = name, tuple(x for x in reversed(self.inside) if x != name)
        if name in self.taken:
            # From within; but a name that another value has, too, says less of this one.
            apart = sorted(around, key=lambda x: x in self.taken)
            longer = (f"{x}_{name}" for x in apart)
            name = next((x for x in longer if x not in self.taken), name)
        base, number = name, 2
        while name in self.taken:
            name, number = f"{base}{number}", number + 1
        self.taken.add(name)
        self.families.setdefault(alone, []).append(Member(name, around))
        return name

    def ordered(self, letters: Iterable[Letter]) -> tuple[Letter, ...]:
        """Letters in the program's order."""
        wanted = set(letters)
        for letter in sorted(wanted - self.axes.keys(), key=str):
            self._admit(letter)
        return tuple(x for x in self.order if x in wanted)

    def _admit(self, letter: Letter) -> None:
        """Give a letter that renaming made, ``d_`` for ``d``, the axis of the one it renames."""
        origin = letter
        while origin not in self.axes and origin.name.endswith("_"):
            origin = Letter(origin.name[:-1])
        self.axes[letter] = self.axes[origin]
        place = self.order.index(origin) + 1
        self.order = (*self.order[:place], letter, *self.order[place:])
