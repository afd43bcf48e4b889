"""How a kernel runs through its data: passes, the loops of each, and what each loop computes.

In: a joined ``Program``.  Out: a ``Plan``.  The letters of the tensors are either

- *outer*: threads share them (``n``, and ``c`` where classes are independent),
- the *lane*: neighbours in memory that one instruction computes at once (``s``), or
- *inner*: within reach of one thread, so that sums over it are taken in place (``c`` in a softmax).

A sum over outer letters or lanes ends a pass: what depends on it is computed in the next.

    overlap[n, c] = sum_s p*t;  loss[n, c] = 1 - …;  d_x[n, c, s] = …   →   two passes over s

A loss that pairs elements or multiplies matrices raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.joined import letters_of
from lossgen.backends.c.unsupported import Unsupported
from lossgen.nodes import Letter, Read, walk
from lossgen.program import Program, Statement, without_unused

REDUCES = frozenset(("sum", "amax", "amin"))


@dataclass(frozen=True, slots=True)
class Pass:
    """One run over the data.

    Attributes:
        inner: the sums over the inner letter.
        across: the sums over outer letters or lanes that the pass takes.
        writes: the results with a value for each element or item that the pass stores.
        local: the statements that it computes on the way, in order.
    """

    inner: tuple[Statement, ...]
    across: tuple[Statement, ...]
    writes: tuple[Statement, ...]
    local: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A kernel as passes.

    Attributes:
        outer, lane, inner: what each letter is to the loops.
        split: the outer letters that results of the passes have.
        between: after each pass, the small statements that its sums make possible.
        small: the names of what is known only between passes.
        item: the unreduced loss; `divisor`: the terms of what its mean divides by, if any.
        gradients: the results that the kernel stores for each element.
    """

    program: Program
    outer: tuple[Letter, ...]
    lane: Letter | None
    inner: Letter | None
    split: tuple[Letter, ...]
    passes: tuple[Pass, ...]
    between: tuple[tuple[Statement, ...], ...]
    small: frozenset[str]
    item: str
    divisor: str | None
    gradients: tuple[str, ...]

    @property
    def spreads(self) -> bool:
        """Whether vectors may run along rows, where these are short.

        Then all rows are one lane: each has a loss, and a place in every tensor, alike. It pays
        where elements have dear functions, not where they would only be fetched one by one.
        Items of every element stand between the rows, which then are no lane.
        """
        rows = {*self.outer, *([] if self.lane is None else [self.lane])}
        if self.lane is not None and self.inner in self.program.statement(self.item).free:
            return False
        arrays = [{*a.axes} for a in self.program.inputs]
        return (
            self.inner is not None
            and len(self.outer) == 1
            and not self.split
            and all(rows <= axes or not rows & axes for axes in arrays)
            and not any(y.name.isdigit() for axes in arrays for y in axes)
            and any(dear(x) and self.inner in x.free for x in self.program.statements)
            and not self._weighs_elements()
        )

    def _weighs_elements(self) -> bool:
        """Whether what the mean divides by is summed from what has the inner letter."""
        terms = () if self.divisor is None else (self.divisor,)
        read = {r for x in without_unused(self.program.statements, terms) for r in x.reads()}
        return any(
            self.inner in a.axes and self.lane in a.axes and a.name in read
            for a in self.program.inputs
        )

    @property
    def valued(self) -> int:
        """The last pass that the loss needs: those after it are for gradients alone."""
        made = zip(self.passes, self.between, strict=True)
        return next(
            k
            for k, (one, small) in enumerate(made)
            if self.item in {x.name for x in (*one.writes, *one.across, *small)}
        )


def planned(program: Program, *, partial: bool = False) -> Plan:
    """The passes of a joined program; `partial` where it has no gradient.

    Raises:
        Unsupported: where its sums do not nest in this way.
    """
    return _Planner(program).plan(partial=partial)


class _Planner:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.statements = {x.name: x for x in program.statements}
        item, *rest = program.results
        self.item = item
        self.gradients = tuple(r for r in rest if r.startswith("d_"))
        self.carried = tuple(r for r in rest if r.startswith("carried_"))
        self.divisor = next((r for r in rest if not r.startswith(("d_", "carried_"))), None)
        self._refuse_pairs()
        self.inner = self._inner()
        letters = self._letters()
        self.tile = tuple(y for y in letters if y != self.inner)
        if not self.tile:
            raise Unsupported("its loss is one number for all its elements at once")
        self.lane = self._lane()
        self.across = frozenset(
            x.name for x in program.statements if x.op in REDUCES and not {*x.bound} <= {self.inner}
        )
        self.small = self._small()

    def plan(self, *, partial: bool) -> Plan:
        outer = tuple(y for y in self.tile if y != self.lane)
        of_sums = {y for name in self.across for y in self.statements[name].free}
        split = tuple(y for y in outer if y in of_sums)
        if self.lane in of_sums:
            raise Unsupported(f"it sums over {outer[0]} for each {self.lane}")
        depth = self._depths()
        whole = tuple(g for g in self.gradients if self._whole(g))
        if whole != self.gradients:
            kept = tuple(r for r in self.program.results if r not in self.gradients or r in whole)
            rest = without_unused(self.program.statements, kept)
            return planned(replace(self.program, results=kept, statements=rest), partial=partial)
        lead = next(a.name for a in self.program.inputs if a.kind == "real")
        if f"d_{lead}" not in self.gradients and not partial:
            raise Unsupported(f"the gradient of '{lead}' is not formed element by element")
        last = max(depth[r] - (r in self.small) for r in (self.item, *self.gradients))
        passes, between = [], []
        for k in range(last + 1):
            passes.append(self._pass(k, depth))
            between.append(
                tuple(
                    x
                    for x in self.program.statements
                    if x.name in self.small and x.name not in self.across and depth[x.name] == k + 1
                )
            )
        return Plan(
            self.program, outer, self.lane, self.inner, split, tuple(passes), tuple(between),
            self.small, self.item, self.divisor, self.gradients,
        )  # fmt: skip

    # --- letters ----------------------------------------------------------------------------

    def _refuse_pairs(self) -> None:
        for letter, axis in self.program.axes.items():
            if letter != axis and any(letter in letters_of(x) for x in self.program.statements):
                raise Unsupported("it compares the elements of one axis with one another")
        for x in self.program.statements:
            for read in (r for e in x.expressions() for r in walk(e) if isinstance(r, Read)):
                if read.name in self.statements and any(
                    not isinstance(s, Letter) for s in read.subscripts
                ):
                    raise Unsupported(f"it reads '{read.name}' at another place than its own")

    def _letters(self) -> tuple[Letter, ...]:
        found = {y for a in self.program.inputs for y in a.axes if not y.name.isdigit()}
        return tuple(y for y in self.program.order if y in found)

    def _inner(self) -> Letter | None:
        """The letter that sums run over while another stands still, if it is neither n, s nor e."""
        found = {
            x.bound[0]
            for x in self.statements.values()
            if x.op in REDUCES and len(x.bound) == 1 and x.bound[0].name not in ("n", "s", "e")
        }
        item = self.statements[self.item]
        if self.item not in {x.name for x in self.statements.values() if x.op in REDUCES}:
            # A letter of the input that the items lack, and that nothing sums over.
            summed = {y for x in self.statements.values() if x.op in REDUCES for y in x.bound}
            lead = {y for y in self.program.inputs[0].axes if not y.name.isdigit()}
            found |= lead - {*item.free} - summed
        if len(found) > 1:
            raise Unsupported("it sums over two axes in turn")
        if any(
            y.name.isdigit() for x in self.statements.values() for y in x.bound if x.op in REDUCES
        ):
            raise Unsupported("it sums over an axis of fixed length")
        return next(iter(found), None)

    def _lane(self) -> Letter | None:
        lead = self.program.inputs[0].axes
        axes = [y for y in lead if not y.name.isdigit()]
        return axes[-1] if axes and axes[-1] != self.inner else None

    # --- statements -------------------------------------------------------------------------

    def _small(self) -> frozenset[str]:
        """What is known only between passes: results of sums across, and what they alone make."""
        small = set(self.across)
        for x in self.program.statements:
            read = x.reads() & self.statements.keys()
            if x.name in small or not read or not read <= small:
                continue
            spread = {*letters_of(x)} & {self.lane}
            other = x.reads() - read
            elements = {
                a.name for a in self.program.inputs if self.lane is not None and self.lane in a.axes
            }
            if self.inner is not None:
                elements |= {a.name for a in self.program.inputs if self.inner in a.axes}
            if self.lane is not None and self.lane not in self.statements[self.item].free:
                # What comes in from upstream for sums is as small as they are.
                elements.discard(f"grad_{self.item}")
            if not spread and not other & elements:
                small.add(x.name)
        return frozenset(small)

    def _depths(self) -> dict[str, int]:
        """How many passes must be over before each statement can be computed."""
        depth: dict[str, int] = {}
        for x in self.program.statements:
            deepest = max((depth[r] for r in x.reads() if r in depth), default=0)
            depth[x.name] = deepest + (x.name in self.across)
        return depth

    def _whole(self, gradient: str) -> bool:
        """Whether each element of a gradient is computed in one place."""
        x = self.statements[gradient]
        return x.name not in self.small and {*self.tile} <= {*x.free} and x.op in ("map", "stack")

    def _pass(self, k: int, depth: dict[str, int]) -> Pass:
        across = tuple(
            x for x in self.program.statements if x.name in self.across and depth[x.name] == k + 1
        )
        writes = [
            self.statements[r]
            for r in (self.item, self.divisor, *self.carried, *self.gradients)
            if r is not None and r not in self.small and depth[r] == k
        ]
        needed: set[str] = set()
        pending = [*across, *writes]
        while pending:
            x = pending.pop()
            for name in x.reads() & self.statements.keys():
                if name not in needed and name not in self.small:
                    needed.add(name)
                    pending.append(self.statements[name])
        needed |= {x.name for x in writes}
        local = tuple(x for x in self.program.statements if x.name in needed)
        inner = tuple(x for x in local if x.op in REDUCES)
        return Pass(inner, across, tuple(writes), local)


def dear(x: Statement) -> bool:
    """Whether computing a statement again costs more than reading it back."""
    return any(dear_parts(x))


def dear_parts(x: Statement) -> Iterator[sp.Basic]:
    """The functions in a statement that take long."""
    of, not_of = (nd.Unary, nd.Xlogy, nd.LogAddExp, nd.LogMixture), (nd.Abs, nd.Sign, nd.Step)
    for y in walk(x.body):
        if isinstance(y, of) and not isinstance(y, (*not_of, nd.StopGradient)):
            yield y
