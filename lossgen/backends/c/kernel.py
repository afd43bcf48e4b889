"""A kernel as one C function.

In: a ``Plan`` and the letter that vectors run along.  Out: a ``Kernel``: its parameters and its
lines.

    int dice(input, target, …, sizes, strides, options, seed, team)
        pass over the data → small values between passes → pass over the data

A kernel returns 0, or what went wrong (``NO_MEMORY``, ``BAD_LABEL``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from lossgen.backends.c.amid import amid
from lossgen.backends.c.expressions import Expressions
from lossgen.backends.c.fresh import Fresh
from lossgen.backends.c.loads import element, guard_text, under
from lossgen.backends.c.parameters import Parameter, extents
from lossgen.backends.c.places import Places, decoded, indented, nest, wrapped
from lossgen.backends.c.plan import Pass, Plan
from lossgen.backends.c.printed import JOIN, NEUTRAL
from lossgen.backends.c.rounds import Rounds
from lossgen.backends.c.words import extent
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Read
from lossgen.page import Lines
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Kernel:
    """A C function.

    Attributes:
        used: the maths functions that it calls.
        streams: whether it may write gradients past the caches.
        before: what stands before it: the type of its argument.
        only: the condition under which it is compiled; empty where it always is.
    """

    name: str
    doc: Lines
    parameters: tuple[Parameter, ...]
    body: Lines
    used: frozenset[str]
    streams: bool = False
    before: Lines = ()
    only: str = ""


def kernel(
    plan: Plan,
    vector: Letter,
    name: str,
    doc: Lines,
    parameters: tuple[Parameter, ...],
    *,
    in_place: bool,
) -> Kernel:
    """The function of one variant."""
    writer = _Writer(plan, Places(plan, vector), streams=not in_place)
    body = tuple(part for line in writer.lines() for part in wrapped(line))
    return Kernel(name, doc, parameters, body, frozenset(writer.used), writer.streamed)


class _Writer:
    def __init__(self, plan: Plan, places: Places, *, streams: bool) -> None:
        self.plan, self.places, self.streams, self.streamed = plan, places, streams, False
        self.fresh = streams and any(Fresh(x, places).written for x in plan.passes)
        self.used: set[str] = set()
        self.statements = {x.name: x for x in plan.program.statements}
        self.item = self.statements[plan.item]
        self.sums_item = plan.item not in plan.small

    def lines(self) -> Iterator[str]:
        """The body of the function."""
        yield "int failure = 0;"
        yield "int *const status = &failure;"
        yield "const real seed = (real)upstream;"
        yield from self._shape()
        yield from self._memory()
        for k, one in enumerate(self.plan.passes):
            yield ""
            yield f"// {_title(one, again=bool(k), valued=k <= self.plan.valued)}"
            lines = [*self._pass(k, one), *self._between(k)]
            if k > self.plan.valued:
                wanted = " || ".join(f"NEED_{g[2:].upper()}" for g in self.plan.gradients)
                lines = [f"if ({wanted}) {{", *indented(lines), "}"]
            yield from lines
        yield "free(memory);"
        yield "return failure;"

    # --- sizes and memory -------------------------------------------------------------------

    def _shape(self) -> Iterator[str]:
        plan, places = self.plan, self.places
        counts = [f"{extent(y)}" for y in places.rows]
        if not places.inside:
            width = f"block_width({extent(plan.inner)})" if plan.inner is not None else "BLOCK"
            yield f"const int64_t width = {width};"
            yield f"const int64_t blocks = ({extent(places.vector)} + width - 1) / width;"
            counts.append("blocks")
        yield f"const int64_t splits = {' * '.join(f'{extent(y)}' for y in plan.split) or '1'};"
        yield f"const int64_t runs = {' * '.join(counts) or '1'};"
        elements = " * ".join(extent(y) for y in extents(plan))
        yield f"const int64_t chunks = chunk_count(splits, runs, {elements});"
        yield "const int64_t tasks = splits * chunks;"
        if self.fresh:
            lead = plan.program.inputs[0].axes
            numbers = " * ".join(y.name if y.name.isdigit() else extent(y) for y in lead)
            yield f"const int64_t ahead = runs_ahead({numbers}, splits * runs);"

    def _memory(self) -> Iterator[str]:
        """One block of memory for the parts of sums and for what is known between passes."""
        parts = [
            (f"{name}_parts", f"tasks * {size}" if size != "1" else "tasks")
            for one in self.plan.passes
            for name, size in self._parts(one).items()
        ]
        small = [
            (f"{x.name}_of", " * ".join(f"{extent(y)}" for y in x.free) or "1")
            for x in self.plan.program.statements
            if x.name in self.plan.small
        ]
        blocks = [*parts, *small]
        times = Counter(size for _, size in blocks)
        sizes = " + ".join(x if n == 1 else f"{n} * {x}" for x, n in times.items()) or "1"
        count = sizes if sizes.isidentifier() else f"({sizes})"
        yield f"double *const memory = calloc((size_t){count}, sizeof(double));"
        yield "if (!memory)"
        yield "    return NO_MEMORY;"
        before = "memory"
        for name, size in blocks:
            yield f"double *const {name} = {before};"
            before = f"{name} + {size}"

    def _parts(self, one: Pass) -> dict[str, str]:
        """The sums that tasks take each for itself, and how many numbers each is."""
        inner = self.plan.inner
        found = {x.name: f"{extent(inner)}" if inner in x.free else "1" for x in one.across}
        if self.sums_item and self.item in one.writes:
            found["total"] = "1"
        return found

    # --- passes -----------------------------------------------------------------------------

    def _pass(self, k: int, one: Pass) -> Iterator[str]:
        parts = self._parts(one)
        yield "#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)"
        yield "for (int64_t task = 0; task < tasks; task++) {"
        yield from indented(self._task(one, parts))
        yield "}"
        yield from self._collected(one, parts)

    def _task(self, one: Pass, parts: dict[str, str]) -> Iterator[str]:
        places, split = self.places, self.plan.split
        yield from (f"const int64_t {y} = {at};" for y, at in decoded("task / chunks", split))
        chunk = "task % chunks" if split else "task"
        yield f"const int64_t chunk = {chunk};"
        for name, size in parts.items():
            at = "task" if size == "1" else f"task * {size}"
            yield f"double *const {name}_part = {name}_parts + {at};"
        rounds = Rounds(one, places, self.used, streamed=self.streams)
        self.streamed |= bool(rounds.streamed)
        yield from rounds.allocated()
        yield "const int64_t begin = runs * chunk / chunks, end = runs * (chunk + 1) / chunks;"
        yield "for (int64_t run = begin; run < end; run++) {"
        ahead = tuple(Fresh(one, places).lines()) if self.fresh else ()
        yield from indented(self._run(one, rounds, ahead))
        yield "}"
        yield from rounds.released()

    def _run(self, one: Pass, rounds: Rounds, before: Lines) -> Iterator[str]:
        places = self.places
        code = "run" if places.inside else "run / blocks"
        yield from (f"const int64_t {y} = {at};" for y, at in decoded(code, places.rows))
        if not places.inside:
            block = "run % blocks" if places.rows else "run"
            yield f"const int64_t start = {block} * width;"
            yield f"const int64_t lanes = smaller(width, {extent(places.vector)} - start);"
            yield from places.edges()
        yield from before
        if middle := amid(one, places):
            test, there, among = middle
            yield f"if ({test}) {{"
            yield from indented(Rounds(there, among, self.used, streamed=self.streams).lines())
            yield "} else {"
            yield from indented(rounds.lines())
            yield "}"
        else:
            yield from rounds.lines()

    # --- between passes ---------------------------------------------------------------------

    def _collected(self, one: Pass, parts: dict[str, str]) -> Iterator[str]:
        """Sums put together from the tasks' parts, in an order that never changes."""
        if not parts:
            return
        free = {y for x in one.across for y in x.free}
        places = [(y, at) for y, at in decoded("task / chunks", self.plan.split) if y in free]
        lines = [f"const int64_t {y} = {at};" for y, at in places]
        for x in one.across:
            at, size = self.places.small(x, x.free), parts[x.name]
            if size == "1":
                lines.append(f"{at} += {x.name}_parts[task];")
        inner, size = self.plan.inner, extent(self.plan.inner)
        if any(x.free and parts[x.name] != "1" for x in one.across):
            assert inner is not None
            added = [
                f"{self.places.small(x, x.free)} += {x.name}_parts[task * {size} + {inner}];"
                for x in one.across
                if parts[x.name] != "1"
            ]
            lines += nest([inner], added)
        if "total" in parts:
            lines.append("*total += total_parts[task];")
        yield "for (int64_t task = 0; task < tasks; task++) {"
        yield from indented(lines)
        yield "}"

    def _between(self, k: int) -> Iterator[str]:
        """The small values after a pass; neighbours over the same letters share a loop."""
        small = self.plan.between[k]
        for (guard, free, _), run in groupby(small, key=lambda x: (guard_text(x), x.free, x.op)):
            together = list(run)
            lines = [line for x in together for line in self._small(x)]
            if self.item in together:
                place = self.places.small(self.item, free)
                lines += [
                    "if (VALUE)",
                    f"    *total += {place};",
                    "if (VALUE && ITEMS)",
                    f"    store(loss_out + {self.places.dense(free)}, (real){place});",
                ]
            whole = list(nest(free, lines)) if free else lines
            yield from under(together, whole) if guard else whole

    def _small(self, x: Statement) -> Iterator[str]:
        """One value computed from the sums of a pass."""

        def read(r: Read) -> str:
            if r.name in self.statements:
                return f"(real){self.places.small(self.statements[r.name], r.subscripts)}"
            return element(self.places, r, printer)[0]

        printer = Expressions(read, str, self.used)
        place, body = self.places.small(x, x.free), bare(printer.code(x.body))
        if x.op == "map":
            yield f"{place} = {body};"
            return
        if x.where is not TRUE:
            body = f"{printer.code(x.where)} ? {body} : {NEUTRAL[x.op]}"
        best = f"{x.name}_so_far"
        yield f"real {best} = {NEUTRAL[x.op]};"
        yield from nest(x.bound, [f"const real value = {body};", JOIN[x.op].format(best, "value")])
        yield f"{place} = {best};"


def _title(one: Pass, *, again: bool, valued: bool) -> str:
    across = ", ".join(x.name for x in one.across)
    if not valued:
        return "Again over the data, for the gradient."
    over = "Again over the data" if again else "Over the data"
    return f"{over}: {across}." if across else f"{over}: the loss and its gradient."
