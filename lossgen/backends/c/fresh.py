"""New memory for gradients, asked of the system many pages at a time.

In: a pass and its ``Places``.  Out: lines of C, before what a run computes:

    if (ahead && (run == begin || run % ahead == 0))
        populate(d_x_out, start, ahead * width, E);

Each page of new memory comes with a fault when it is first written, and the faults of a large
gradient take as long as all else. A task asks for what its next runs write, shortly before. Of
classes that lie apart it asks for a part of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lossgen.backends.c.carried import CARRIED
from lossgen.backends.c.places import Places
from lossgen.backends.c.plan import Pass
from lossgen.backends.c.words import extent
from lossgen.program import Array

_NEXT = "ahead && (run == begin || run % ahead == 0)"


class Fresh:
    """What a pass asks for ahead of its runs."""

    def __init__(self, one: Pass, places: Places) -> None:
        self.places, self.inner = places, places.plan.inner
        names = {x.name.removeprefix("d_").removeprefix(CARRIED) for x in one.writes}
        self.written = [a for a in places.plan.program.inputs if a.name in names]

    def lines(self) -> Iterator[str]:
        """The lines of a run."""
        places, short = self.places, self.places.turned
        apart = [a for a in self.written if self._apart(a)]
        turned = [a for a in apart if places.turns(a)]
        yield from self._asked(_NEXT, [a for a in self.written if a not in apart], self._rows)
        yield from self._asked(f"{short} && {_NEXT}", turned, self._rows)
        long = f"{extent(places.vector)} >= SPAN * width"
        again = "(run == begin || start % (SPAN * width) == 0)"
        condition = f"ahead && {f'!{short} && ' if turned else ''}{long} && {again}"
        yield from self._asked(condition, apart, self._parts)

    def _apart(self, a: Array) -> bool:
        """Whether what a run writes of a tensor is a part for each class."""
        return not self.places.inside and self.inner in a.axes and self.places.unit is not None

    def _asked(
        self, condition: str, arrays: Sequence[Array], what: Callable[[Array], list[str]]
    ) -> Iterator[str]:
        if not arrays:
            return
        yield f"if ({condition}) {{"
        for a in arrays:
            yield f"    if (NEED_{a.name.upper()})"
            yield from (f"        {line}" for line in what(a))
        yield "}"

    def _rows(self, a: Array) -> list[str]:
        """All that comes next in memory."""
        places = self.places
        total = " * ".join(y.name if y.name.isdigit() else extent(y) for y in a.axes)
        turned = places.turns(a)
        if places.inside:
            count = extent(self.inner)
        else:
            step = places.stride(a, places.vector) if turned else places.step(a)
            count = "width" if step == "1" else f"width * {step}"
        first = places.first(a, turned=turned)
        return [f"populate(d_{a.name}_out, {first}, ahead * {count}, {total});"]

    def _parts(self, a: Array) -> list[str]:
        places, inner = self.places, self.inner
        first = places.first(a, inner=True)
        end = f"{first.removesuffix('start')}{extent(places.vector)}"
        return [
            f"for (int64_t {inner} = 0; {inner} < {extent(inner)}; {inner}++)",
            f"    populate(d_{a.name}_out, {first}, SPAN * width, {end});",
        ]
