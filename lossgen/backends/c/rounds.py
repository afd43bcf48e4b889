"""What one run of a pass computes, as C: sections and inner loops, in rounds.

In: a ``Pass`` and its ``Places``.  Out: lines of C.  A section computes what has no inner letter,
for one item or a block of them; an inner loop what has one:

    round 0:  for c: max = …
    round 1:  for c: e = exp(x - max), rest += e
    round 2:  loss = …;  for c: d_x = e / …
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lossgen.backends.c import stacks
from lossgen.backends.c.carried import CARRIED, condition
from lossgen.backends.c.conditions import macro
from lossgen.backends.c.division import Division
from lossgen.backends.c.loads import Loads, Part, element, guard_text, under
from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.plan import Pass
from lossgen.backends.c.streams import afterwards, beside, in_parts, streams
from lossgen.backends.c.turned import Turned
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import extent
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Read, free_letters, word
from lossgen.program import Statement

NEUTRAL = {"sum": "0", "amax": "-INFINITY", "amin": "INFINITY"}
JOIN = {
    "sum": "{0} += {1};",
    "amax": "{0} = {1} > {0} ? {1} : {0};",
    "amin": "{0} = {1} < {0} ? {1} : {0};",
}
_CLAUSE = {"sum": "+", "amax": "max", "amin": "min"}


class Rounds(Division):
    """The sections and inner loops of one run."""

    def __init__(self, one: Pass, places: Places, used: set[str], *, streamed: bool) -> None:
        super().__init__(one, places)
        self.used = used
        self.turned = Turned(one, places)
        self.loads = Loads(places, frozenset(self.statements))
        self.streamed = [x for x in one.writes if streamed and streams(x, places)]
        self.stacked = [
            x for x in one.writes if x.op == "stack" and not self.inside and not self._has_inner(x)
        ]

    # --- lines ------------------------------------------------------------------------------

    def allocated(self) -> Iterator[str]:
        """A task's own memory for what several loops read."""
        if self.streamed and self.inside:
            yield f"const int64_t most = STREAMED ? BLOCK : {extent(self.inner)};"
        for name in self.kept:
            size = extent(self.inner) + ("" if self.inside else " * width")
            yield f"real *const {name}_kept = malloc((size_t)({size}) * sizeof(real));"
            yield f"if (!{name}_kept) {{"
            yield "    fail(status, NO_MEMORY);"
            yield "    continue;"
            yield "}"

    def released(self) -> Iterator[str]:
        """The end of that memory."""
        yield from (f"free({name}_kept);" for name in self.kept)
        if self.streamed:
            yield "if (STREAMED)"
            yield "    streams_done();"

    def lines(self) -> Iterator[str]:
        """All rounds."""
        if not self.inside:
            for name in self.stored:
                kind = "real" if self.local[name].kind == "real" else "int32_t"
                yield f"{kind} {name}_at[SPACED];"
        yield from (f"scalar {x.name}_row[SPACED];" for x in self.streamed)
        yield from (f"real {at}[SPACED];" for x in self.stacked for at in stacks.left(x))
        yield from self.turned.declared()
        for k in range(len(self.sections)):
            yield from self._section_lines(k)
            if self.targets[k]:
                yield from self._inner_lines(k)
        yield from self.turned.afterwards()

    def _section_lines(self, k: int) -> Iterator[str]:
        picking, rest = self.sections[k]
        if picking:
            printer = self._printer(frozenset(x.name for x in picking))
            lines = [y for x in picking for y in self._computed(x, printer)]
            if not self.inside:
                lines = ["for (int64_t i = 0; i < lanes; i++) {", *indented(lines), "}"]
            yield from lines
        made = frozenset(x.name for x in rest)
        printer = self._printer(made)
        lines = [y for x in rest for y in self._computed(x, printer)]
        sums: list[str] = []
        after: list[str] = []
        written = False
        for x in self.one.across:
            if not self._spreads(x) and self.round[x.name] == k:
                sums.append(x.name)
                lines += self._added(x, printer, f"{x.name}_sum")
        for x in self.one.writes:
            if self._has_inner(x) or self.round[x.name] != k:
                continue
            written = True
            value = printer.code(Read(word(x.name), *x.free))
            if x.name == self.plan.item:
                sums.append("total")
                lines += [
                    "if (VALUE && ITEMS)",
                    f"    store(loss_out + {self.places.item_index(x)}, {value});",
                    "if (VALUE)",
                    f"    total_sum += {value};",
                ]
            elif x in self.stacked:
                values = (bare(printer.code(part)) for part in x.target)
                lines += [f"{at}[i] = {y};" for at, y in zip(stacks.left(x), values, strict=True)]
                after += stacks.afterwards(x, self.places)
            elif x.name != self.plan.divisor:
                lines += self._write(x, printer)
        if not lines:
            return
        yield from (f"real {name}_sum = 0;" for name in sums)
        if self.inside:
            yield from lines
        else:
            clause = ", ".join(f"{name}_sum" for name in sums)
            loop = [
                "#pragma omp simd" + (f" reduction(+ : {clause})" if clause else ""),
                "for (int64_t i = 0; i < lanes; i++) {",
                *indented(lines),
                "}",
            ]
            yield from loop if sums or written else under(rest, loop)
            yield from after
        yield from (f"*{name}_part += {name}_sum;" for name in sums)

    def _inner_lines(self, k: int) -> Iterator[str]:
        targets, inner = self.targets[k], self.inner
        printer = self._printer(frozenset(), k)
        sums = [x for x in targets if x in self.one.inner]
        across = [x for x in targets if x in self.one.across]
        lines = [y for x in self.needs[k] for y in self._computed(x, printer, k)]
        lines += [y for x in sums for y in self._joined(x, printer, targets)]
        by_place = [x for x in across if self.inside and inner in x.free]
        summed = [x for x in across if x not in by_place]
        for x in across:
            place = f"{x.name}_part[{inner}]" if x in by_place else f"{x.name}_sum"
            lines += self._added(x, printer, place)
        for x in targets:
            if x in self.one.writes:
                lines += self._write(x, printer)
        start = [f"real {x.name}_sum = 0;" for x in summed]
        if self.inside:
            # What is the same for all: in the loop, a label to be checked would keep it scalar.
            yield from self.loads.before([])
            yield from (f"real {x.name} = {NEUTRAL[x.op]};" for x in sums)
            groups: dict[str, list[str]] = {}
            for x in sums:
                groups.setdefault(_CLAUSE[x.op], []).append(x.name)
            for x in summed:
                groups.setdefault("+", []).append(f"{x.name}_sum")
            clause = "".join(f" reduction({s} : {', '.join(v)})" for s, v in groups.items())
            after = list(afterwards((x for x in targets if x in self.streamed), self.places))
            first, last = ("first", "last") if after else ("0", extent(inner))
            loop = [
                f"#pragma omp simd{clause}",
                f"for (int64_t {inner} = {first}; {inner} < {last}; {inner}++) {{",
                *indented(lines),
                "}",
                *after,
            ]
            loop = list(in_parts(inner, loop)) if after else loop
            loop = [*start, *loop, *(f"*{x.name}_part += {x.name}_sum;" for x in summed)]
            yield from under(targets, loop)
            return
        clause = ", ".join(f"{x.name}_sum" for x in summed)
        places = {x.name: f"{x.name}_part[{inner if inner in x.free else 0}]" for x in summed}
        neutral = [f"    {x.name}_at[i] = {NEUTRAL[x.op]};" for x in sums]
        loop = [
            *(["for (int64_t i = 0; i < lanes; i++) {", *neutral, "}"] if sums else ()),
            f"for (int64_t {inner} = 0; {inner} < {extent(inner)}; {inner}++) {{",
            *indented(start),
            "    #pragma omp simd" + (f" reduction(+ : {clause})" if clause else ""),
            "    for (int64_t i = 0; i < lanes; i++) {",
            *indented(indented(lines)),
            "    }",
            *indented(afterwards((x for x in targets if x in self.streamed), self.places)),
            *indented(f"{places[x.name]} += {x.name}_sum;" for x in summed),
            "}",
        ]
        yield from under(targets, loop)

    # --- statements -------------------------------------------------------------------------

    def _computed(self, x: Statement, printer: Part, k: int | None = None) -> list[str]:
        """A value, where it stands."""
        if x.op != "map":
            return []
        if x.name in self.kept and k is not None:
            place = str(self.inner) if self.inside else f"{self.inner} * width + i"
            place = f"{x.name}_kept[{place}]"
            if k > self.kept[x.name]:
                return [f"const real {x.name} = {place};"]
            value = bare(printer.code(x.body))
            return printer.loads.before([f"const real {x.name} = {value};", f"{place} = {x.name};"])
        kind = {"real": "real", "integer": "int64_t", "boolean": "int"}[x.kind]
        lines = [f"const {kind} {x.name} = {bare(self._value(x, printer))};"]
        if x.name in self.stored and not self.inside:
            value = f"narrowed({x.name})" if x.kind == "integer" else x.name
            lines.append(f"{x.name}_at[i] = {value};")
        return printer.loads.before(lines)

    def _value(self, x: Statement, printer: Part) -> str:
        """What a value is; where it is an element, that needs no second name."""
        if isinstance(x.body, Read) and self.places.array(x.body.name) is not None:
            return element(self.places, x.body, printer)[0]
        return printer.code(x.body)

    def _masked(self, x: Statement, printer: Part) -> str:
        value = bare(printer.code(x.body))
        if x.where is TRUE:
            return value
        return f"{printer.code(x.where)} ? {value} : {NEUTRAL[x.op]}"

    def _joined(self, x: Statement, printer: Part, targets: Sequence[Statement]) -> list[str]:
        place = x.name if self.inside else f"{x.name}_at[i]"
        value = self._masked(x, printer)
        name = "real_larger" if x.op == "amax" else "real_smaller"
        line = f"{place} += {value};" if x.op == "sum" else f"{place} = {name}({value}, {place});"
        own = guard_text(x)
        if not own or all(guard_text(y) == own for y in targets):
            return printer.loads.before([line])
        return printer.loads.before([f"if ({own})", f"    {line}"])

    def _added(self, x: Statement, printer: Part, place: str) -> list[str]:
        if x.op != "sum":
            raise Unsupported(f"it takes the extreme '{x.name}' over {x.bound[0]}")
        return printer.loads.before([f"{place} += {self._masked(x, printer)};"])

    def _write(self, x: Statement, printer: Part) -> list[str]:
        source = x.name.removeprefix("d_").removeprefix(CARRIED)
        array = self.places.array(source)
        assert array is not None
        need = f"if (NEED_{source.upper()})"
        if x.op == "stack":
            values = (bare(printer.code(part)) for part in x.target)
            lines = list(stacks.stored(x, values, self.places))
        else:
            value = bare(printer.code(Read(word(x.name), *x.free)))
            to = self.places.gradient(array)
            if x in self.streamed:
                to = f"STREAMED ? {beside(x, self.places)} : {to}"
            lines = [f"store({to}, {value});"]
            if x.name.startswith(CARRIED):
                need = f"if ({macro(condition(source))})"
        if len(lines) == 1:
            return printer.loads.before([need, f"    {lines[0]}"])
        return printer.loads.before([f"{need} {{", *indented(lines), "}"])

    # --- reads ------------------------------------------------------------------------------

    def _printer(self, made: frozenset[str], k: int | None = None) -> Part:
        """A printer for a part of the run that makes `made`; in a loop, of round `k`."""
        loads = Loads(self.places, frozenset(self.statements))
        if self.inside and k is None:  # the sections of a row stand in one block of C
            loads = self.loads

        def read(r: Read) -> str:
            if r.name in self.local:
                x = self.local[r.name]
                if self.inside or self._has_inner(x) or r.name in made:
                    return f"(int32_t){r.name}" if narrow and x.kind == "integer" else r.name
                return f"{r.name}_at[i]"
            if r.name in self.statements:  # known since the last pass
                return f"(real){self.places.small(self.statements[r.name], r.subscripts)}"
            if row is not None and not any(self.inner in free_letters(s) for s in r.subscripts):
                return self.loads.name(r, row)
            return loads.name(r, printer)

        def letter(y: Letter) -> str:
            # Next to 32-bit numbers, a 64-bit counter would halve what one instruction compares.
            return f"(int32_t){y}" if narrow and y == self.inner else self.places.position(y)

        narrow = k is not None
        row = self._printer(frozenset()) if self.inside and narrow else None
        printer = Part(read, letter, self.used, loads)
        return printer
