"""Short rows turned into columns, a block of them at a time, for vectors that run along rows.

In: a pass and its ``Places``.  Out: lines of C, where its vectors may run so:

    turn(input_tile, width, input + …, input_s, lanes, C);
    …  load(input_block + c * input_step + i)  …  store(d_input_block + c * input_step + i, …)  …
    turn(d_input_out + …, input_s, d_input_tile, width, C, lanes);

Elements a row apart are fetched one by one; turned, in registers, they are neighbours. Where rows
are long or their elements are not the neighbours, a block is a part of the tensor itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.plan import Pass
from lossgen.backends.c.words import extent
from lossgen.program import Array


class Turned:
    """The tensors whose rows a pass turns.

    Attributes:
        read: the inputs; `written`: those whose gradients it writes.
    """

    def __init__(self, one: Pass, places: Places) -> None:
        self.places = places
        inputs = [a for a in places.plan.program.inputs if places.turns(a)]
        read = {r for x in (*one.local, *one.across) for r in x.reads()}
        written = {x.name for x in one.writes}
        self.read = [a for a in inputs if a.name in read]
        self.written = [a for a in inputs if f"d_{a.name}" in written]

    def declared(self) -> Iterator[str]:
        """The tiles, and rows turned into them."""
        when = self.places.turned
        for a in self.read:
            yield from self._tile(a, a.name, a.name, "const ")
        for a in self.written:
            yield from self._tile(a, f"d_{a.name}", f"d_{a.name}_out", "")
        if when:
            for a in (*self.read, *(a for a in self.written if a not in self.read)):
                yield f"const int64_t {a.name}_step = {when} ? width : {a.name}_{self._inner};"
        lines = []
        for a in self.read:
            turn = f"turn({a.name}_tile, width, {self._rows(a, a.name)}, lanes, {self._count});"
            lines += [f"if (GIVEN_{a.name.upper()})", f"    {turn}"] if a.optional else [turn]
        yield from self._where_turned(lines)

    def afterwards(self) -> Iterator[str]:
        """Gradients turned back into rows."""
        lines = []
        for a in self.written:
            rows, columns = self._rows(a, f"d_{a.name}_out"), f"d_{a.name}_tile, width"
            lines.append(f"if (NEED_{a.name.upper()})")
            lines.append(f"    turn({rows}, {columns}, {self._count}, lanes);")
        yield from self._where_turned(lines)

    @property
    def _inner(self) -> str:
        return str(self.places.plan.inner)

    @property
    def _count(self) -> str:
        return extent(self._inner)

    def _tile(self, a: Array, name: str, tensor: str, const: str) -> Iterator[str]:
        yield f"scalar {name}_tile[TILE];"
        if when := self.places.turned:
            there = f"{tensor} + {self.places.first(a)}"
            block = self.places.block(name)
            yield f"{const}scalar *const {block} = {when} ? {name}_tile : {there};"

    def _rows(self, a: Array, tensor: str) -> str:
        """The first row of a run, and how far apart rows are."""
        step = f"{a.name}_{self.places.vector}"
        return f"{tensor} + {self.places.first(a, turned=True)}, {step}"

    def _where_turned(self, lines: list[str]) -> Iterator[str]:
        when = self.places.turned
        yield from [f"if ({when}) {{", *indented(lines), "}"] if when and lines else lines
