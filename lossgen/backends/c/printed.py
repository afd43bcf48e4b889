"""The statements of a run as lines of C.

In: a statement of a ``Division``.  Out: the lines that compute it, add it up or store it.

    e[n, c] = exp(x - max)  →  const real e = real_exp(x_here - max_x);
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.backends.c import stacks
from lossgen.backends.c.carried import CARRIED, condition
from lossgen.backends.c.conditions import macro
from lossgen.backends.c.division import Division
from lossgen.backends.c.loads import Loads, Part, element, guard_text
from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.plan import Pass
from lossgen.backends.c.streams import beside, streams
from lossgen.backends.c.unsupported import Unsupported
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Read, free_letters, word
from lossgen.program import Statement

NEUTRAL = {"sum": "0", "amax": "-INFINITY", "amin": "INFINITY"}
JOIN = {
    "sum": "{0} += {1};",
    "amax": "{0} = {1} > {0} ? {1} : {0};",
    "amin": "{0} = {1} < {0} ? {1} : {0};",
}


class Printed(Division):
    """Prints the statements of one run.

    Args:
        used: collects the maths functions that are called.
        streamed: whether gradients have memory of their own, and may be written past the caches.
    """

    def __init__(self, one: Pass, places: Places, used: set[str], *, streamed: bool) -> None:
        super().__init__(one, places)
        self.used, self.own_memory = used, streamed
        self.loads = Loads(places, frozenset(self.statements))
        self.streamed = [x for x in one.writes if streamed and streams(x, places)]

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

    def _write(self, x: Statement, printer: Part, *, streamed: bool = True) -> list[str]:
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
            if streamed and x in self.streamed:
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
