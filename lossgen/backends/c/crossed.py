"""Rows whose positions meet one another: which loops over a row, or over two of its positions.

In: a ``Program`` as ``joined`` makes it.  Out: ``Crossed``: the loops of one row, in order.

    gap[n, c, k] = max(0, 1 - x[n, label[n, k]] + x[n, c])     for k: if listed: for c: gap = …;
    sum_gap[n] = sum_{c, k | listed[n, k]} gap[n, c, k]    →        sum_gap += gap; pull[c] += …

What has one position is an array of the thread's own, what has two is computed where it is read.
What is not of this form raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.joined import letters_of
from lossgen.backends.c.taken import Taken, taken
from lossgen.backends.c.unsupported import Unsupported
from lossgen.nodes import TRUE, ZERO, Letter, Read, free_letters, is_static, walk
from lossgen.program import Program, Statement, without_unused


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop of a row, or what stands between loops.

    Attributes:
        letters: what it runs over, the outer first; none for what a row has once.
        maps: the values that it computes on its way.
        ends: the sums that it takes, and what it adds to places.
        counted: the condition, of the outer letter alone, without which an inner loop adds nothing.
    """

    letters: tuple[Letter, ...]
    maps: tuple[Statement, ...]
    ends: tuple[Taken, ...] = ()
    counted: sp.Basic = TRUE


@dataclass(frozen=True, slots=True)
class Crossed:
    """A program whose rows meet themselves.

    Attributes:
        outer: the letters of the rows; `inner`: the axis of a row.
        loops: what is done for each row, in order.
        stored: the values that a row keeps for other loops, one for each position.
    """

    program: Program
    outer: tuple[Letter, ...]
    inner: Letter
    loops: tuple[Loop, ...]
    stored: tuple[Statement, ...]

    def positions(self, letters: Iterable[sp.Basic]) -> tuple[Letter, ...]:
        """Those of some letters that are positions of a row."""
        axes = self.program.axes
        return tuple(y for y in letters if isinstance(y, Letter) and axes.get(y) == self.inner)


def crossed(program: Program) -> Crossed:
    """The loops of a program in which the positions of a row meet.

    Raises:
        Unsupported: where it is of another form.
    """
    return _Crossing(program).crossed()


class _Crossing:
    def __init__(self, program: Program) -> None:
        used = {y for x in program.statements for y in letters_of(x)}
        axes = {a for y, a in program.axes.items() if y != a and y in used}
        letters = {y for a in program.inputs for y in a.axes}
        if len(axes) != 1 or any(y.name.isdigit() for y in letters):
            raise Unsupported("it compares the elements of several axes with one another")
        (self.inner,) = axes
        self.inside = {y for y, a in program.axes.items() if a == self.inner}
        self.outer = tuple(y for y in program.order if y in letters and y != self.inner)
        self.program = self._with_whole(program)
        self.statements = {x.name: x for x in self.program.statements}
        self._refuse()
        self.ends = {
            x.name: taken(x, self.inside) for x in self.program.statements if x.op != "map"
        }
        self.depth = self._depths()

    def crossed(self) -> Crossed:
        """The loops."""
        loops = tuple(loop for k in range(self._last() + 1) for loop in self._round(k))
        stored = tuple(x for x in self.program.statements if self._is_stored(x, loops))
        return Crossed(self.program, self.outer, self.inner, loops, stored)

    # --- what is refused --------------------------------------------------------------------

    def _with_whole(self, program: Program) -> Program:
        """The program without gradients that several rows add to."""
        item, lead = program.results[0], program.inputs[0]
        across = {x.name for x in program.statements if {*x.bound} - self.inside}
        for x in program.statements:
            if x.reads() & across:
                across.add(x.name)
        if item in across or self.inner not in lead.axes:
            raise Unsupported("it compares the elements of one axis with one another")
        arrays = {f"d_{a.name}": a.axes for a in program.inputs}
        kept = tuple(
            r
            for r in program.results
            if r == item or (r not in across and program.statement(r).free == arrays.get(r))
        )
        if f"d_{lead.name}" not in kept:
            raise Unsupported(f"the gradient of '{lead.name}' is not formed row by row")
        if any(r not in arrays for r in program.results[1:]):
            raise Unsupported("its mean divides by a sum")
        return replace(program, results=kept, statements=without_unused(program.statements, kept))

    def _refuse(self) -> None:
        for x in self.program.statements:
            letters = letters_of(x)
            if letters - self.inside - {*self.outer} or x.extents or x.op == "stack":
                raise Unsupported("its rows meet by more than their positions")
            if len(letters & self.inside) > 2 or len({*x.free} & self.inside) > 2:
                raise Unsupported("it compares three elements of a row with one another")
            for read in (r for e in x.expressions() for r in walk(e) if isinstance(r, Read)):
                made = self.statements.get(read.name)
                if made is None:
                    continue
                plain = all(isinstance(s, Letter) for s in read.subscripts)
                pair = len({*made.free} & self.inside) == 2
                if not plain or (pair and read.subscripts != made.free):
                    raise Unsupported(f"it reads '{read.name}' at another place than its own")
        if {*self.statements[self.program.results[0]].free} != {*self.outer}:
            raise Unsupported("it has not one loss for each row whose elements it compares")

    # --- rounds -----------------------------------------------------------------------------

    def _positions(self, x: Statement) -> tuple[Letter, ...]:
        return tuple(y for y in x.free if y in self.inside)

    def _depths(self) -> dict[str, int]:
        """How many loops, one after another, must be over before each value is known."""
        depth: dict[str, int] = {}
        for x in self.program.statements:
            end = self.ends.get(x.name)
            letters = end.letters if end is not None else self._positions(x)
            deepest = 0
            for r in self._reads(x if end is None else end):
                made = self.statements[r.name]
                own = tuple(y for y in r.subscripts if y in self.inside)
                elsewhere = len(letters) < 2 and made.op == "map" and own != self._positions(made)
                deepest = max(deepest, depth[r.name] + elsewhere)
            depth[x.name] = deepest + (end is not None)
        return depth

    def _reads(self, x: Statement | Taken) -> Iterator[Read]:
        """What it reads of other statements."""
        for e in x.expressions():
            yield from (r for r in walk(e) if isinstance(r, Read) and r.name in self.statements)

    def _last(self) -> int:
        return max(self.depth[r] for r in self.program.results)

    def _round(self, k: int) -> Iterator[Loop]:
        """What can be done once `k` loops are over."""
        here = [x for x in self.program.statements if self.depth[x.name] == k and x.op == "map"]
        ends = [e for name, e in self.ends.items() if self.depth[name] == k + 1]
        once = tuple(x for x in here if not self._positions(x))
        # A sum that is a gradient is complete now, and leaves the thread's own memory.
        whole = [
            self.statements[r]
            for r in self.program.results
            if self.depth[r] == k and r in self.ends
        ]
        once += tuple(x for x in whole if not self._positions(x))
        if once:
            yield Loop((), once)
        for y in self.program.order:
            maps = tuple(x for x in (*here, *whole) if self._positions(x) == (y,))
            alone = tuple(e for e in ends if e.letters == (y,))
            if maps or alone:
                yield Loop((y,), maps, alone)
        nests = {frozenset(e.letters): None for e in ends if len(e.letters) == 2}
        for letters in nests:
            yield self._nest(tuple(e for e in ends if {*e.letters} == letters), letters)

    def _nest(self, ends: tuple[Taken, ...], letters: frozenset[Letter]) -> Loop:
        """A loop within a loop: the outer over the letter by which most is left out.

        What must hold is taken to be rarer than what must not.
        """
        common = set.intersection(*(set(self._needed(e)) for e in ends))
        alone = {y: [c for c in common if self._letters(c) <= {y}] for y in letters}
        held = {y: sum(not isinstance(c, nd.Not) for c in of) for y, of in alone.items()}
        outer = max(self.program.sorted(letters), key=lambda y: (held[y], len(alone[y])))
        (inner,) = letters - {outer}
        counted = nd.And(*sorted(alone[outer], key=str))
        return Loop((outer, inner), self._maps(ends), ends, counted)

    def _letters(self, e: sp.Basic) -> frozenset[Letter]:
        return frozenset(free_letters(e)) & self.inside

    def _maps(self, ends: Iterable[Taken]) -> tuple[Statement, ...]:
        """The values of two positions that sums are taken of."""
        found: set[str] = set()
        pending: list[Statement | Taken] = [*ends]
        while pending:
            for r in self._reads(pending.pop()):
                x = self.statements[r.name]
                if len(self._positions(x)) == 2 and x.name not in found:
                    found.add(x.name)
                    pending.append(x)
        return tuple(x for x in self.program.statements if x.name in found)

    # --- conditions -------------------------------------------------------------------------

    def _needed(self, e: Taken) -> Iterator[sp.Basic]:
        """The conditions without which a term of a sum adds nothing."""
        yield from self._joint(e.where)
        if e.op == "any":
            yield from self._joint(e.body)
        elif e.op == "sum":
            yield from self._not_zero(e.body)

    def _joint(self, condition: sp.Basic) -> Iterator[sp.Basic]:
        """What a condition joins, also under a name that two positions have."""
        parts = nd.conjuncts(condition)
        if len(parts) > 1:
            for part in parts:
                yield from self._joint(part)
        elif isinstance(condition, Read) and self._is_pair(condition):
            yield from self._joint(self.statements[condition.name].body)
        elif condition is not TRUE and not is_static(condition):
            yield condition

    def _not_zero(self, value: sp.Basic) -> Iterator[sp.Basic]:
        if isinstance(value, nd.Where) and value.args[2] == ZERO:
            yield from self._joint(value.args[0])
            yield from self._not_zero(value.args[1])
        elif isinstance(value, Read) and self._is_pair(value):
            yield from self._not_zero(self.statements[value.name].body)

    def _is_pair(self, read: Read) -> bool:
        x = self.statements.get(read.name)
        return x is not None and len(self._positions(x)) == 2 and x.op == "map"

    # --- memory -----------------------------------------------------------------------------

    def _is_stored(self, x: Statement, loops: tuple[Loop, ...]) -> bool:
        """Whether a value of one position is read in another loop than its own."""
        if len(self._positions(x)) != 1:
            return False
        if x.op != "map":
            return True
        others = (loop for loop in loops if x not in loop.maps)
        readers = (y for loop in others for part in (loop.maps, loop.ends) for y in part)
        return any(r.name == x.name for y in readers for r in self._reads(y))
