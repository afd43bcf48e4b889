"""What a part of a kernel loads before it computes, and under which conditions it runs.

In: reads of inputs.  Out: one line of C for each element, before the first line that needs it.

    input[n, c, s]  →  const real input_here = load(input + n * input_n + c * input_c + start + i);
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lossgen.axes import shifted_letter
from lossgen.backends.c.apart import at_place
from lossgen.backends.c.conditions import static_code
from lossgen.backends.c.expressions import Expressions
from lossgen.backends.c.places import Places, indented
from lossgen.brackets import bare
from lossgen.nodes import Letter, Read, free_letters
from lossgen.program import Statement
from lossgen.static import ALWAYS, condition_of


class Part(Expressions):
    """A printer for lines that stand together, and what they load before them."""

    def __init__(
        self,
        read: Callable[[Read], str],
        letter: Callable[[Letter], str],
        used: set[str],
        loads: Loads,
    ) -> None:
        super().__init__(read, letter, used)
        self.loads = loads

    def _print_Compare(self, expr: Any) -> str:
        place, places = shifted_letter(expr.left), self.loads.places
        if place is None or place[0] != places.vector:
            return super()._print_Compare(expr)
        if not places.inside:
            return f"({places.compared(*place, expr.op, expr.right)})"
        if isinstance(expr.left, Letter) and self._is_label(expr.right):
            # The label of a row: beside 64 bits, one instruction would compare half as many.
            return f"({self.code(expr.left)} {expr.op} narrowed({bare(self.code(expr.right))}))"
        return super()._print_Compare(expr)

    def _is_label(self, expr: Any) -> bool:
        """Whether an expression is an integer input that is the same along the vectors."""
        array = self.loads.places.array(expr.name) if isinstance(expr, Read) else None
        same = self.loads.places.vector not in free_letters(expr)
        return array is not None and array.kind == "integer" and same

    def _print_LeftThere(self, expr: Any) -> str:
        (read,), places = expr.args, self.loads.places
        array = places.array(read.name)
        assert array is not None
        return f"load({places.gradient(array)})"


class Loads:
    """Elements of inputs, each loaded once into a variable."""

    def __init__(self, places: Places, taken: frozenset[str]) -> None:
        self.places, self.taken = places, set(taken)
        self.found: dict[str, str] = {}
        self.fresh: list[str] = []

    def name(self, read: Read, printer: Expressions) -> str:
        """The variable that holds an element."""
        text, kind = element(self.places, read, printer)
        if text not in self.found:
            apart = [str(s) for s in read.subscripts if not isinstance(s, Letter)]
            words = "_".join(re.sub(r"(\w+) ([+-]) (\w+)", _beside, s) for s in apart)
            ending = "of_label" if at_place(read) else words or "here"
            name = f"{read.name.removesuffix(f'_{self.places.plan.item}')}_{ending}"
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            self.found[text] = name
            self.fresh.append(f"const {kind} {name} = {bare(text)};")
        return self.found[text]

    def before(self, lines: list[str]) -> list[str]:
        """Lines after the loads that they are the first to need."""
        loads, self.fresh = self.fresh, []
        return [*loads, *lines]


def _beside(found: re.Match[str]) -> str:
    """``h + 1``, ``h - 1``: a neighbour in words."""
    letter, sign, count = found.groups()
    return f"{'after' if sign == '+' else 'before'}_{letter}{'' if count == '1' else '_' + count}"


def element(places: Places, read: Read, printer: Expressions) -> tuple[str, str]:
    """An element of an input as C text, and its type."""
    array = places.array(read.name)
    assert array is not None
    if read.name == f"grad_{places.plan.item}":
        return (
            f"(ITEMS && !VALUE ? load(grad_loss + {places.dense(read.subscripts)}) : seed)",
            "real",
        )
    if array.kind == "real":
        text = f"load({places.place(read, lambda s: bare(printer.code(s)))})"
    else:
        text = f"{read.name}[{places.index(read, lambda s: bare(printer.code(s)))}]"
    if there := places.within(read):
        text = f"({there} ? {text} : 0)"
    kind = {"real": "real", "integer": "int64_t", "boolean": "int"}[array.kind]
    return (f"(GIVEN_{read.name.upper()} ? {text} : 0)" if array.optional else text), kind


def guard_text(x: Statement) -> str:
    """The condition under which a statement is needed; empty where it always is."""
    if x.guard == ALWAYS:
        return ""
    return bare(static_code(condition_of(x.guard)))


def under(statements: Sequence[Statement], lines: Sequence[str]) -> Iterator[str]:
    """Lines, under the condition that anything they compute is asked for."""
    texts = list(dict.fromkeys(guard_text(x) for x in statements))
    if "" in texts:
        yield from lines
        return
    joined = texts[0] if len(texts) == 1 else " || ".join(f"({t})" for t in texts)
    yield f"if ({joined}) {{"
    yield from indented(lines)
    yield "}"
