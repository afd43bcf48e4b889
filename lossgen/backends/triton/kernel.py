"""A task as one Triton kernel.

In: a ``Plan`` and a ``Task``.  Out: a ``Kernel``: its parameters and its lines. A program takes a
block of rows; elements without a common row are rows of one element. Values of a row have the shape
[ROWS, 1], those along the inner letter [ROWS, BLOCK]; rows of one element have the shape [TILE].

    _dice_gradient_kernel(input_ptr, target_ptr, …, REAL, INDEX, TILE)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lossgen.backends.c import Unsupported
from lossgen.backends.c.places import indented
from lossgen.backends.c.plan import REDUCES, Plan
from lossgen.backends.c.words import extent
from lossgen.backends.triton.guards import needed
from lossgen.backends.triton.lines import together, used
from lossgen.backends.triton.loads import Loads, Part
from lossgen.backends.triton.places import Places, decoded
from lossgen.backends.triton.rounds import Rounds
from lossgen.backends.triton.tasks import Task
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Read, word
from lossgen.page import Lines
from lossgen.program import Statement

NEUTRAL = {"sum": "0.0", "amax": 'float("-inf")', "amin": 'float("inf")'}


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel, the words that its lines use, and the maths functions that it calls."""

    task: Task
    body: Lines
    words: frozenset[str]
    used: frozenset[str]


def kernel(plan: Plan, task: Task) -> Kernel:
    """The kernel of a task.

    Raises:
        Unsupported: where something it computes has no form in Triton.
    """
    writer = _Writer(plan, task)
    body = tuple(writer.lines())
    words = frozenset(re.findall(r"(?<![\w.])\w+", "\n".join(body)))  # no attributes: tl.full
    return Kernel(task, body, words, frozenset(writer.used))


class _Writer:
    def __init__(self, plan: Plan, task: Task) -> None:
        self.plan, self.task = plan, task
        self.rounds, self.places = Rounds(task), Places(plan, task)
        self.used: set[str] = set()
        self.within = ""  # the condition of the loop that is being written
        self.row = "(ROWS, 1)" if task.inner is not None else "(TILE,)"

    def lines(self) -> Iterator[str]:
        """The body of the kernel."""
        top = Loads(self.places)
        body = [line for k in range(self.rounds.count) for line in self._round(k, top)]
        if self.task.kind == "value":
            body += self._totals(self._part(top, top))
        body = used([*top.first, *together(body)])
        yield from self._here(set(re.findall(r"\w+", "\n".join(body))))
        yield from body

    # --- where a program stands -------------------------------------------------------------

    def _here(self, words: Collection[str]) -> Iterator[str]:
        task = self.task
        size = "TILE"
        if task.inner is not None:
            yield "ROWS: tl.constexpr = TILE // BLOCK"
            size = "ROWS"
        block = "tl.program_id(0).to(INDEX)"
        if task.split:
            yield f"blocks = tl.cdiv(count, {size})"
            yield f"split, block = {block} // blocks, {block} % blocks"
            yield from (f"{y} = {at}" for y, at in decoded("split", task.split))
            block = "block"
        at = f"{block} * {size} + tl.arange(0, {size})"
        if task.inner is not None:
            at = f"({at})[:, None]"
        row = str(task.rows[0]) if len(task.rows) == 1 else "row"
        yield f"{row} = {at}"
        yield f"rows = {row} < count"
        if len(task.rows) > 1:
            yield from (f"{y} = {at}" for y, at in decoded("row", task.rows) if str(y) in words)

    # --- rounds -----------------------------------------------------------------------------

    def _round(self, k: int, top: Loads) -> Iterator[str]:
        yield from self._section(k, top)
        targets = self.rounds.targets(k)
        if targets:
            yield from self._loop(targets, top)

    def _section(self, k: int, top: Loads) -> Iterator[str]:
        part = self._part(top, top)
        yield from self._computed(self.rounds.section(k), part)
        for x in self.task.sums:
            if not self.rounds.spreads(x) and self.rounds.round[x.name] == k:
                value = self._masked(x, part, "rows")
                yield from part.loads.before([f"{self._part_of(x)}, tl.sum({value}))"])
        writes = [
            x
            for x in self.task.writes
            if not self.rounds.has_inner(x) and self.rounds.round[x.name] == k
        ]
        if self.task.kind != "value":
            for x in writes:
                yield from self._write(x, part, "rows")

    def _totals(self, part: Part) -> Iterator[str]:
        """The loss of each row, or the sums of a block of them."""
        items, sums = [], []
        for x in self.task.writes:
            if self.rounds.has_inner(x):
                raise Unsupported("an item of it is one of many in a row")
            value = bare(part.code(Read(word(x.name), *x.free)))
            name = "loss" if x.name == self.plan.item else "divisor"
            if x.name == self.plan.item:
                items.append(f"tl.store({name}_ptr + {self.places.dense(x.free)}, {value}, rows)")
            total = f"tl.sum(tl.where(rows, {value}, 0.0))"
            sums.append(f"tl.store({name}_ptr + tl.program_id(0), {total})")
        yield from ["if ITEMS:", *indented(items), "else:", *indented(sums)]

    def _loop(self, targets: Sequence[Statement], top: Loads) -> Iterator[str]:
        inner = self.task.inner
        loads = Loads(self.places, top)
        part = self._part(loads, top)
        self.within = self._guard(*targets)
        lines = list(self._computed(self.rounds.needs(targets), part))
        start: list[str] = []
        end: list[str] = []
        seen: set[str] = set()
        for x in targets:
            if x.name in self.rounds.joined:
                one = self.rounds.joined[x.name]
                if one.top.name in seen:
                    continue
                seen.add(one.top.name)
                start += [self._neutral(one.top), self._neutral(one.ties), self._neutral(one.rest)]
                lines += self._joined_online(one.top, one.ties, one.rest, part)
            elif x.op in REDUCES and x not in self.task.sums:
                start.append(self._neutral(x))
                lines += self._joined(x, part)
            elif x in self.task.sums and inner in x.free:
                value = self._masked(x, part, "valid")
                line = f"{self._part_of(x)}, tl.sum({value}, 0, keep_dims=True), inside)"
                lines += part.loads.before([line])
            elif x in self.task.sums:
                start.append(f"{x.name} = tl.zeros((ROWS, 1), REAL)")
                value = self._masked(x, part, "valid")
                added = f"{x.name} += tl.sum({value}, 1, keep_dims=True)"
                lines += part.loads.before([added])
                end.append(f"{self._part_of(x)}, tl.sum({x.name}))")
            else:
                lines += self._write(x, part, "valid")
        guard, self.within = self.within, ""
        yield from start
        loop = [
            f"for start in range(0, {extent(inner)}, BLOCK):",
            f"    {inner} = (start + tl.arange(0, BLOCK))[None, :].to(INDEX)",
            f"    inside = {inner} < {extent(inner)}",
            "    valid = rows & inside",
            *indented(together(lines)),
        ]
        yield from self._under(guard, loop)
        yield from end

    def _neutral(self, x: Statement) -> str:
        if x.op == "sum":
            return f"{x.name} = tl.zeros({self.row}, REAL)"
        return f"{x.name} = tl.full({self.row}, {NEUTRAL[x.op]}, REAL)"

    # --- statements -------------------------------------------------------------------------

    def _computed(self, statements: Sequence[Statement], part: Part) -> Iterator[str]:
        """Values, those under one condition together."""
        for guard, run in groupby(statements, key=self._guard):
            lines: list[str] = []
            part.loads.guard = guard
            for x in run:
                if x.op == "map":
                    value = bare(part.whole(x.body) if x.kind == "integer" else part.code(x.body))
                    lines += part.loads.before([f"{x.name} = {value}"])
            part.loads.guard = ""
            yield from self._under(guard, lines)

    def _masked(self, x: Statement, part: Part, mask: str) -> str:
        value = bare(part.code(x.body))
        if x.where is not TRUE:
            mask = f"{mask} & {part.code(x.where)}"
        return f"tl.where({mask}, {value}, {NEUTRAL[x.op]})"

    def _joined(self, x: Statement, part: Part) -> list[str]:
        guard = self._guard(x)
        part.loads.guard = guard
        if x.op == "sum":
            line = f"{x.name} += tl.sum({self._masked(x, part, 'valid')}, 1, keep_dims=True)"
        else:
            name, other = ("_larger", "_largest") if x.op == "amax" else ("_smaller", "_smallest")
            self.used |= {name, other}
            value = bare(part.code(x.body))
            mask = "valid" if x.where is TRUE else f"valid & {part.code(x.where)}"
            line = f"{x.name} = {name}({x.name}, {other}({value}, {mask}))"
        lines = part.loads.before([line])
        part.loads.guard = ""
        return list(self._under(guard, lines))

    def _joined_online(
        self, top: Statement, ties: Statement, rest: Statement, part: Part
    ) -> list[str]:
        self.used.add("_exponentials")
        value = bare(part.code(top.body))
        mask = "valid" if top.where is TRUE else f"valid & {part.code(top.where)}"
        state = f"{top.name}, {ties.name}, {rest.name}"
        line = f"{state} = _exponentials({value}, {mask}, {state})"
        return part.loads.before([line])

    def _part_of(self, x: Statement) -> str:
        """The start of a store of a block's part of a sum."""
        at = "split * parts + block" if self.task.split else "tl.program_id(0)"
        if self.task.inner is not None and self.task.inner in x.free:
            at = f"({at}) * {extent(self.task.inner)} + {self.task.inner}"
        return f"tl.store({x.name}_ptr + {at}"

    def _write(self, x: Statement, part: Part, mask: str) -> list[str]:
        if self.task.kind != "gradient":
            name = "loss" if x.name == self.plan.item else x.name
            value = bare(part.code(Read(word(x.name), *x.free)))
            line = f"tl.store({name}_ptr + {self.places.dense(x.free)}, {value}, {mask})"
            return list(self._under(self._guard(x), part.loads.before([line])))
        source = x.name.removeprefix("d_")
        array = self.places.array(source)
        assert array is not None
        part.loads.guard = guard = "" if len(self.plan.gradients) == 1 else f"NEED_{source.upper()}"
        lines = []
        if x.op == "stack":
            for position, value in enumerate(x.target):
                at = [position if y == x.bound[0] else y for y in array.axes]
                index = self.places.index(Read(word(source), *at), str)
                code = bare(part.code(value))
                lines.append(f"tl.store({x.name}_ptr + {index}, {code}, {mask})")
        else:
            index = self.places.index(Read(word(source), *array.axes), str)
            value = bare(part.code(Read(word(x.name), *x.free)))
            lines.append(f"tl.store({x.name}_ptr + {index}, {value}, {mask})")
        lines = part.loads.before(lines)
        part.loads.guard = ""
        return list(self._under(guard, lines))

    def _part(self, loads: Loads, top: Loads) -> Part:
        return Part(self.plan, self.task, loads, top, self.used)

    # --- conditions -------------------------------------------------------------------------

    def _guard(self, *statements: Statement) -> str:
        return needed(self.task.kind, self.plan.gradients, *statements)

    def _under(self, guard: str, lines: Sequence[str]) -> Iterator[str]:
        """Lines, under the condition that anything they compute is asked for."""
        if not lines or guard in ("", self.within):
            yield from lines
            return
        yield f"if {guard}:"
        yield from indented(lines)
