"""What the loops of a row read: elements of inputs, and what other loops have left.

In: ``Crossed`` and its ``Places``.  Out: expressions as C where they stand, and before them the
lines that load what an outer loop, or the row, has once:

    x[n, label[n, k]] in a loop over c  →  const real x_of_label_at_k = x_of_label_row[k];
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from lossgen.backends.c.apart import at_place
from lossgen.backends.c.crossed import Crossed
from lossgen.backends.c.expressions import Expressions
from lossgen.backends.c.loads import element
from lossgen.backends.c.places import Places
from lossgen.backends.c.plan import Plan
from lossgen.brackets import bare
from lossgen.nodes import Letter, Read, Size, free_letters
from lossgen.program import Statement

_TYPES = {"real": "real", "integer": "int64_t", "boolean": "int32_t"}


def type_of(x: Statement) -> str:
    """The type of a value in C."""
    return "real" if x.op in ("sum", "amax", "amin") else _TYPES[x.kind]


class RowReads:
    """What is read once for a row.

    Args:
        used: collects the maths functions that are called.
    """

    def __init__(self, crossed: Crossed, plan: Plan, places: Places, used: set[str]) -> None:
        self.crossed, self.plan, self.places, self.used = crossed, plan, places, used
        self.statements = {x.name: x for x in crossed.program.statements}
        self.names: dict[str, str] = {}
        self.loads: list[str] = []

    def axis(self, letter: sp.Basic) -> sp.Basic:
        """The axis that a letter runs along."""
        return self.crossed.program.axes.get(letter, letter)

    @property
    def taken(self) -> set[str]:
        """The names that something has in all loops."""
        inputs = {a.name for a in self.crossed.program.inputs}
        return inputs | {*self.statements, *self.names.values()}


class LoopPrinter(Expressions):
    """Prints where loops stand.

    Args:
        own: the values that are computed there.
        at: what the loops run over, the outer first.
    """

    def __init__(self, rows: RowReads, own: frozenset[str], at: tuple[Letter, ...]) -> None:
        super().__init__(self._element, str, rows.used)
        self.rows, self.own, self.at = rows, own, at
        self.loads: dict[tuple[Letter, ...], list[str]] = {}
        self.names: dict[str, str] = {}

    def _element(self, read: Read) -> str:
        rows = self.rows
        here = rows.crossed.positions(free_letters(read))
        here = tuple(y for y in self.at if y in here)
        x = rows.statements.get(read.name)
        if x is None:
            text, kind = element(rows.places, read, self)
        elif read.name in self.own or not here:
            return str(read.name)
        else:
            text, kind = f"{read.name}_row[{here[0]}]", type_of(x)
            if here[-1] == self.at[-1]:  # an array of one's own needs no second name
                return text
        return self._named(read, here, f"const {kind} {{}} = {bare(text)};", text)

    def _named(self, read: Read, here: tuple[Letter, ...], line: str, text: str) -> str:
        """The variable that holds an element from the loop on that reaches it first."""
        known = self.rows.names if not here else self.names
        if text not in known:
            place = "of_label" if at_place(read) else f"at_{here[0]}" if here else "here"
            stem = read.name.removesuffix(f"_{self.rows.plan.item}")
            taken = self.rows.taken | {*self.names.values()}
            known[text] = unused(f"{stem}_{place}", taken)
            loads = self.rows.loads if not here else self.loads.setdefault(here, [])
            loads.append(line.format(known[text]))
        return known[text]

    def loaded(self, *here: Letter) -> list[str]:
        """The lines that load what one loop reaches."""
        return self.loads.pop(here, [])

    def _print_Size(self, expr: Any) -> str:
        return super()._print_Size(Size(self.rows.axis(expr.letter)))

    def _print_Compare(self, expr: Any) -> str:
        if isinstance(expr.left, Letter) and isinstance(expr.right, Letter):
            # In 64 bits one instruction would compare half as many.
            return f"((int32_t){expr.left} {expr.op} (int32_t){expr.right})"
        return str(super()._print_Compare(expr))


def unused(name: str, taken: set[str]) -> str:
    """A name that nothing has yet."""
    while name in taken:
        name += "_"
    return name
