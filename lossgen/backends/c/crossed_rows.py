"""The loops of a row whose positions meet one another, as lines of C.

In: ``Crossed`` and its ``Places``.  Out: lines of C, for what is done with one row.

    for (int64_t k = 0; k < C; k++) {
        if (listed_row[k]) {
            for (int64_t c = 0; c < C; c++) { const real gap = …; sum_gap += gap; … }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from lossgen.backends.c.apart import at_place
from lossgen.backends.c.crossed import Crossed, Loop
from lossgen.backends.c.crossed_reads import LoopPrinter, RowReads, type_of
from lossgen.backends.c.loads import element, guard_text, under
from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.plan import Plan
from lossgen.backends.c.printed import NEUTRAL
from lossgen.backends.c.taken import Taken
from lossgen.backends.c.words import extent
from lossgen.brackets import bare
from lossgen.nodes import TRUE, ZERO, Letter, Read, walk
from lossgen.program import Statement

_CLAUSES = {"sum": "+", "amax": "max", "amin": "min", "any": "|"}
_JOINED = {
    "sum": "{0} += {1};",
    "scatter": "{0} += {1};",
    "any": "{0} |= {1};",
    "amax": "{0} = real_larger({1}, {0});",
    "amin": "{0} = real_smaller({1}, {0});",
}


def _guard(loop: Loop) -> str:
    """The condition under which anything of a loop is asked for; empty where parts have others."""
    texts = {guard_text(x) for x in (*loop.maps, *(e.statement for e in loop.ends))}
    return texts.pop() if len(texts) == 1 else ""


class CrossedRows:
    """What is done with one row.

    Args:
        used: collects the maths functions that are called.
    """

    def __init__(self, crossed: Crossed, plan: Plan, places: Places, used: set[str]) -> None:
        self.crossed, self.plan, self.places = crossed, plan, places
        self.reads = RowReads(crossed, plan, places, used)
        self.statements = self.reads.statements
        self.stored = {x.name for x in crossed.stored}
        self.extent = extent(crossed.inner)

    # --- memory -----------------------------------------------------------------------------

    def memory(self) -> Iterator[str]:
        """A task's own memory: wide numbers first, so that each lies where it must."""
        arrays = [
            (kind, f"{x.name}_row")
            for kind in ("int64_t", "real", "int32_t")
            for x in self.crossed.stored
            if type_of(x) == kind
        ]
        if not arrays:
            return
        kinds = [kind for kind, _ in arrays]
        sizes = [
            f"{kinds.count(kind)} * sizeof({kind})" if kinds.count(kind) > 1 else f"sizeof({kind})"
            for kind in dict.fromkeys(kinds)
        ]
        yield f"void *const memory = malloc((size_t){self.extent} * ({' + '.join(sizes)}) + 1);"
        yield "if (!memory) {"
        yield "    fail(status, NO_MEMORY);"
        yield "    continue;"
        yield "}"
        last, before = "", "memory"
        for kind, name in arrays:
            cast = "" if kind == last or before == "memory" else f"({kind} *)"
            inner = f"({before})" if cast and "+" in before else before
            yield f"{kind} *const {name} = {cast}{inner};"
            last, before = kind, f"{name} + {self.extent}"

    # --- loops ------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """All of them."""
        for loop in self.crossed.loops:
            made = {0: self._once, 1: self._single, 2: self._nest}[len(loop.letters)]
            lines = list(made(loop))
            loads, self.reads.loads = self.reads.loads, []
            yield from loads
            yield from lines

    def _once(self, loop: Loop) -> Iterator[str]:
        printer = LoopPrinter(self.reads, frozenset(x.name for x in loop.maps), ())
        for x in loop.maps:
            if x.op == "map":
                yield f"const {type_of(x)} {x.name} = {bare(self._value(x, printer))};"
            if x.name == self.plan.item:
                yield "if (VALUE && ITEMS)"
                yield f"    store(loss_out + {self.places.item_index(x)}, {x.name});"
                yield "if (VALUE)"
                yield f"    *total_part += {x.name};"
            elif x.name in self.plan.gradients:
                yield from under([x], [*self._written(x)])

    def _single(self, loop: Loop) -> Iterator[str]:
        (y,) = loop.letters
        own = frozenset(x.name for x in loop.maps if x.op == "map")
        printer = LoopPrinter(self.reads, own, (y,))
        sums = [e for e in loop.ends if not e.running and e.place is None]
        lines: list[str] = []
        for x in loop.maps:
            made = [*self._computed(x, printer, loop)]
            lines += [*printer.loaded(y), *made]
        lines += self._ended(loop, sums, printer)
        yield from (self._declared(e) for e in loop.ends if e in sums or e.running)
        computes = loop.ends or any(x.op == "map" for x in loop.maps)
        alone = len(sums) == len(loop.ends) and not self._picks((*loop.maps, *loop.ends))
        vectors = computes and alone
        whole = [
            *(line for e in loop.ends if e.place is not None for line in self._started(e)),
            *self._over(y, lines, self._simd(sums) if vectors else None),
        ]
        yield from under([*loop.maps, *(e.statement for e in loop.ends)], whole)

    def _nest(self, loop: Loop) -> Iterator[str]:
        outer, inner = loop.letters
        printer = LoopPrinter(self.reads, frozenset(x.name for x in loop.maps), loop.letters)
        counts = "" if loop.counted is TRUE else bare(printer.code(loop.counted))
        asked = printer.loaded(outer)
        lines: list[str] = []
        for x in loop.maps:
            made = [*self._computed(x, printer, loop)]
            lines += [*printer.loaded(inner), *printer.loaded(outer, inner), *made]
        by_outer = [e for e in loop.ends if outer in e.statement.free]
        by_inner = [e for e in loop.ends if inner in e.statement.free]
        whole = [e for e in loop.ends if e not in by_outer and e not in by_inner]
        lines += self._ended(loop, [*whole, *by_outer], printer)
        picks = self._picks((*loop.maps, *loop.ends))
        clause = None if picks else self._simd([*whole, *by_outer])
        body = [*printer.loaded(outer), *self._over(inner, lines, clause)]
        if counts:
            body = [*asked, f"if ({counts}) {{", *indented(body), "}"]
        body = [
            *(self._declared(e) for e in by_outer),
            *body,
            *(f"{e.name}_row[{outer}] = {e.name};" for e in by_outer),
        ]
        yield from (self._declared(e) for e in whole)
        both = [
            *(line for e in by_inner for line in self._started(e)),
            *self._over(outer, body, None),
        ]
        yield from under([*loop.maps, *(e.statement for e in loop.ends)], both)

    def _over(self, y: Letter, lines: Iterable[str], clause: str | None) -> Iterator[str]:
        """Lines within a loop over a row; with a clause, of vectors."""
        if clause is not None:
            yield f"#pragma omp simd{clause}"
        yield f"for (int64_t {y} = 0; {y} < {self.extent}; {y}++) {{"
        yield from indented(lines)
        yield "}"

    def _simd(self, sums: Iterable[Taken]) -> str:
        groups: dict[str, list[str]] = {}
        for e in sums:
            groups.setdefault(_CLAUSES[e.op], []).append(e.name)
        return "".join(f" reduction({sign} : {', '.join(v)})" for sign, v in groups.items())

    def _picks(self, parts: Sequence[Statement | Taken]) -> bool:
        """Whether a loop reads or writes at a place that is computed, which vectors do not."""
        return any(
            isinstance(r, Read) and at_place(r)
            for x in parts
            for e in x.expressions()
            for r in walk(e)
        )

    # --- statements -------------------------------------------------------------------------

    def _computed(self, x: Statement, printer: LoopPrinter, loop: Loop) -> Iterator[str]:
        """A value, where it stands, and where it is kept."""
        if x.op == "map":
            yield f"const {type_of(x)} {x.name} = {bare(self._value(x, printer))};"
            if x.name in self.stored:
                line = f"{x.name}_row[{printer.at[0]}] = {x.name};"
                yield from [line] if _guard(loop) == guard_text(x) else under([x], [line])
        if x.name in self.plan.gradients:
            lines = [*self._written(x)]
            yield from lines if _guard(loop) == guard_text(x) else under([x], lines)

    def _value(self, x: Statement, printer: LoopPrinter) -> str:
        """What a value is; where it is an element, that needs no second name."""
        if isinstance(x.body, Read) and x.body.name not in self.statements:
            return element(self.places, x.body, printer)[0]
        return printer.code(x.body)

    def _written(self, x: Statement) -> Iterator[str]:
        array = self.places.array(x.name.removeprefix("d_"))
        assert array is not None
        here = self.crossed.positions(x.free)
        value = f"{x.name}_row[{here[0]}]" if here and x.op != "map" else x.name
        yield f"store({self.places.gradient(array)}, {value});"

    def _declared(self, e: Taken) -> str:
        """A sum before its loop."""
        return f"{type_of(e.statement)} {e.name} = {NEUTRAL.get(e.op, '0')};"

    def _started(self, e: Taken) -> Iterator[str]:
        """The places that are added to, before anything is."""
        (y,) = self.crossed.positions(e.statement.free)
        printer = LoopPrinter(self.reads, frozenset(), (y,))
        base = e.statement.base if e.op == "scatter" else ZERO
        value = bare(printer.code(base)) if e.op == "scatter" else NEUTRAL.get(e.op, "0")
        # What is only filled or copied the compiler leaves to the C library.
        plain = base == ZERO or isinstance(base, Read)
        lines = [*printer.loaded(y), f"{e.name}_row[{y}] = {value};"]
        yield from self._over(y, lines, None if plain else "")

    def _ended(self, loop: Loop, sums: Sequence[Taken], printer: LoopPrinter) -> Iterator[str]:
        """What one turn of a loop adds to its sums and places, each where it is asked for."""
        together = _guard(loop)
        for guard, run in groupby(loop.ends, key=lambda e: guard_text(e.statement)):
            ends = list(run)
            lines = [y for e in ends for y in self._joined(e, printer, e in sums)]
            yield from printer.loaded(*loop.letters[-1:])
            if len(loop.letters) == 2:
                yield from printer.loaded(*loop.letters)
            yield from lines if guard == together else under([e.statement for e in ends], lines)

    def _joined(self, e: Taken, printer: LoopPrinter, alone: bool) -> Iterator[str]:
        """What one turn of a loop adds: to a variable, or to a place of a row."""
        value = bare(printer.code(e.body))
        test = "" if e.where is TRUE else bare(printer.code(e.where))
        if e.running:
            line = _JOINED[e.op].format(e.name, self._or_neutral(e, test, value))
            kept = f"{e.name}_row[{printer.at[0]}] = {e.name};"
            yield from (kept, line) if e.strict else (line, kept)
            return
        if e.place is not None:
            yield from self._placed(e, printer, test, value)
            return
        name = e.name if alone else f"{e.name}_row[{printer.at[-1]}]"
        yield _JOINED[e.op].format(name, self._or_neutral(e, test, value))

    def _or_neutral(self, e: Taken, test: str, value: str) -> str:
        if e.op == "any":
            return test if value == "1" and test else f"{test} & {value}" if test else value
        return f"{test} ? {value} : {NEUTRAL[e.op]}" if test else value

    def _placed(self, e: Taken, printer: LoopPrinter, test: str, value: str) -> Iterator[str]:
        """What is added at a label; one of no class is a fault where it is read at."""
        place = bare(printer.code(e.place))
        if e.op == "scatter":
            row = f"{e.name}_row[in_range({place}, {self.extent}, status)]"
            lines = [_JOINED[e.op].format(row, value)]
        else:
            there = f"{place} >= 0 && {place} < {self.extent}"
            test = f"{test} && {there}" if test else there
            lines = [_JOINED[e.op].format(f"{e.name}_row[{place}]", value)]
        yield from [f"if ({test})", *indented(lines)] if test else lines
