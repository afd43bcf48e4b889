"""What one run of a pass computes, as C: sections and inner loops, in rounds.

In: a ``Pass`` and its ``Places``.  Out: lines of C.  A section computes what has no inner letter,
for one item or a block of them; an inner loop what has one:

    round 0:  for c: max = …
    round 1:  for c: e = exp(x - max), rest += e
    round 2:  loss = …;  for c: d_x = e / …
"""

from __future__ import annotations

from collections.abc import Iterator

from lossgen.backends.c import stacks
from lossgen.backends.c.labelled import elsewhere, label_of, there
from lossgen.backends.c.loads import under
from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.plan import Pass, dear, dear_parts
from lossgen.backends.c.printed import NEUTRAL, Printed
from lossgen.backends.c.streams import afterwards, beforehand, in_parts
from lossgen.backends.c.turned import Turned
from lossgen.backends.c.words import extent
from lossgen.brackets import bare
from lossgen.nodes import Read, Where, is_static, walk, word
from lossgen.program import Statement

_CLAUSE = {"sum": "+", "amax": "max", "amin": "min"}


class Rounds(Printed):
    """The sections and inner loops of one run."""

    def __init__(self, one: Pass, places: Places, used: set[str], *, streamed: bool) -> None:
        super().__init__(one, places, used, streamed=streamed)
        self.turned = Turned(one, places)
        self.apart = [self._apart(rest) for _, rest in self.sections]
        self.stored += [x.name for part in self.apart for x in part if x.name not in self.stored]
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
        if apart := self.apart[k]:
            printer = self._printer(frozenset(x.name for x in apart))
            lines = [y for x in apart for y in self._computed(x, printer)]
            yield "#pragma omp simd"
            yield from ["for (int64_t i = 0; i < lanes; i++) {", *indented(lines), "}"]
            rest = [x for x in rest if x not in apart]
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
                lines += self._item(x, value)
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
        needs, at_label = self._apart_at_label(k)
        lines = [y for x in needs for y in self._computed(x, printer, k)]
        lines += [y for x in sums for y in self._joined(x, printer, targets)]
        by_place = [x for x in across if self.inside and inner in x.free]
        summed = [x for x in across if x not in by_place]
        for x in across:
            place = f"{x.name}_part[{inner}]" if x in by_place else f"{x.name}_sum"
            lines += self._added(x, printer, place)
        into = {f"{x.name}_sum": self._part(x.name, x) for x in summed}
        for x in targets:
            if x.name == self.plan.item:
                into["total_sum"] = self._part("total")
                lines += self._item(x, bare(printer.code(Read(word(x.name), *x.free))))
            elif x in self.one.writes and x.name != self.plan.divisor:
                lines += self._write(x, printer)
        start = [f"real {name} = 0;" for name in into]
        if self.inside:
            # What is the same for all: in the loop, a label to be checked would keep it scalar.
            yield from self.loads.before([])
            yield from (f"real {x.name} = {NEUTRAL[x.op]};" for x in sums)
            groups: dict[str, list[str]] = {}
            for x in sums:
                groups.setdefault(_CLAUSE[x.op], []).append(x.name)
            if into:
                groups.setdefault("+", []).extend(into)
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
            start += beforehand(self._awaited(k), self.places)
            loop = [*start, *loop, *(f"{part} += {name};" for name, part in into.items())]
            yield from under(targets, [*loop, *at_label])
            return
        clause = ", ".join(into)
        neutral = [f"    {x.name}_at[i] = {NEUTRAL[x.op]};" for x in sums]
        loop = [
            *(["for (int64_t i = 0; i < lanes; i++) {", *neutral, "}"] if sums else ()),
            f"for (int64_t {inner} = 0; {inner} < {extent(inner)}; {inner}++) {{",
            *indented(start),
            *indented(beforehand(self._awaited(k), self.places)),
            "    #pragma omp simd" + (f" reduction(+ : {clause})" if clause else ""),
            "    for (int64_t i = 0; i < lanes; i++) {",
            *indented(indented(lines)),
            "    }",
            *indented(afterwards((x for x in targets if x in self.streamed), self.places)),
            *indented(f"{part} += {name};" for name, part in into.items()),
            "}",
        ]
        yield from under(targets, loop)

    def _part(self, name: str, x: Statement | None = None) -> str:
        """Where a sum that an inner loop adds up is collected."""
        if self.inside:
            return f"*{name}_part"
        return f"{name}_part[{self.inner if x is not None and self._has_inner(x) else 0}]"

    def _item(self, x: Statement, value: str) -> list[str]:
        """An item of the loss, stored and added up."""
        return [
            "if (VALUE && ITEMS)",
            f"    store(loss_out + {self.places.item_index(x)}, {value});",
            "if (VALUE)",
            f"    total_sum += {value};",
        ]

    def _apart(self, rest: list[Statement]) -> list[Statement]:
        """The dear values that a loop of their own computes, where others are made of them.

        One loop of both is so long that a processor has too few turns of it at hand at once.
        """
        if self.inside or self.inner is not None:
            return []
        first = [
            x
            for x in rest
            if dear(x) and x not in self.one.writes and not x.reads() & self.local.keys()
            if not any(isinstance(y, Where) and is_static(y.args[0]) for y in walk(x.body))
        ]
        follows = any(
            isinstance(r, Read) and r.name in self.local
            for x in rest
            for part in dear_parts(x)
            for r in walk(part)
        )
        return first if follows and len(first) > 1 else []

    def _awaited(self, k: int) -> list[Statement]:
        """The gradients that later loops write, where the one of this round keeps dear values."""
        dear = k in self.kept.values()
        return [x for x in self.streamed if dear and self.round[x.name] > k]

    def _apart_at_label(self, k: int) -> tuple[list[Statement], list[str]]:
        """What the loop over a row computes, and the lines after it for the element at a label."""
        needs, inner = self.needs[k], self.inner
        alone = self.inside and self.own_memory
        apart = {x.name for x in self.one.writes} - {self.plan.item, self.plan.divisor}
        if not alone or any(x.name not in apart for x in self.targets[k]):
            return needs, []
        assert inner is not None
        label = label_of(needs, inner)
        if label is None:
            return needs, []
        place = bare(self._printer(frozenset()).code(label))
        printer = self._printer(frozenset(), k)
        lines = [y for x in needs for y in self._computed(there(x, inner), printer, k)]
        for x in self.targets[k]:
            lines += self._write(x, printer, streamed=False)
        block = [
            "{",
            f"    const int64_t {inner} = {place};",
            f"    if ({inner} >= 0 && {inner} < {extent(inner)}) {{",
            *indented(indented(lines)),
            "    }",
            "}",
        ]
        return [elsewhere(x, inner) for x in needs], block
