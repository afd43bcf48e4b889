"""What a kernel loads, and where.

In: reads of inputs and of what earlier kernels stored.  Out: one line for each element, before the
first line that needs it; what a row has once is loaded before all else.

    input[n, c, s]  →  input = tl.load(input_ptr + n * input_n + …, valid, 0.0).to(REAL)
"""

from __future__ import annotations

import sympy as sp

from lossgen.backends.c.plan import Plan
from lossgen.backends.triton.expressions import Expressions
from lossgen.backends.triton.places import Places
from lossgen.backends.triton.tasks import Task
from lossgen.brackets import bare
from lossgen.nodes import Letter, Read


class Loads:
    """Elements, each loaded once into a variable.

    Attributes:
        first: loads that stand before all else.
        guard: the condition that the next lines stand under.
    """

    def __init__(self, places: Places, outer: Loads | None = None) -> None:
        self.places, self.outer = places, outer
        self.found: dict[tuple[str, str], str] = {}
        self.first: list[str] = []
        self.fresh: list[str] = []
        self.guard = ""
        self.taken: set[str] = outer.taken if outer is not None else _taken(places)
        # An element has one name wherever it is loaded.
        self.names: dict[str, str] = outer.names if outer is not None else {}

    def name(self, read: Read, part: Part, top: Loads) -> str:
        """The variable that holds an element."""
        text = _element(self.places, read, part)
        for loads in (self, top):
            for guard in ("", self.guard):
                if (guard, text) in loads.found:
                    return loads.found[guard, text]
        computed = [s for s in read.subscripts if not isinstance(s, Letter) and not s.is_Integer]
        inner = self.places.task.inner
        own = not computed and inner not in read.subscripts
        if text not in self.names:
            self.names[text] = self._named(read, computed=bool(computed))
        name = self.names[text]
        line = f"{name} = {text}"
        if own:
            top.found["", text] = name
            top.first.append(line)
        else:
            self.found[self.guard, text] = name
            self.fresh.append(line)
        return name

    def _named(self, read: Read, *, computed: bool) -> str:
        literal = [str(s) for s in read.subscripts if not isinstance(s, Letter) and s.is_Integer]
        ending = "_at_label" if computed else "".join(f"_{x}" for x in literal)
        item = self.places.plan.item
        name = "grad_loss" if read.name == f"grad_{item}" else f"{read.name}{ending}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def before(self, lines: list[str]) -> list[str]:
        """Lines after the loads that they are the first to need."""
        loads, self.fresh = self.fresh, []
        return [*loads, *lines]


class Part(Expressions):
    """A printer for lines that stand together, and what they load before them."""

    def __init__(self, plan: Plan, task: Task, loads: Loads, top: Loads, used: set[str]) -> None:
        super().__init__(self._text, str, used)
        self.plan, self.task, self.loads, self.top = plan, task, loads, top
        self.made = {x.name for x in (*task.statements, *task.writes)}

    def _text(self, read: Read) -> str:
        if read.name in self.made and read.name not in self.task.reads:
            return str(read.name)
        return self.loads.name(read, self, self.top)


def _taken(places: Places) -> set[str]:
    made = {x.name for x in places.task.statements}
    return made | {x.name for x in (*places.task.writes, *places.task.sums)}


def _element(places: Places, read: Read, part: Part) -> str:
    """An element as it is loaded."""

    def gathered(s: sp.Basic) -> str:
        return bare(part.whole(s))

    mask = places.mask(read, gathered)
    if read.name in places.task.reads:
        x = places.plan.program.statement(read.name)
        subscripts = tuple(s for s in read.subscripts if isinstance(s, Letter))
        text = f"tl.load({read.name}_ptr + {places.dense(subscripts)}"
        text += f", {mask}, 0.0)" if mask else ")"
        return f"{text} != 0" if x.kind == "boolean" else f"{text}.to(REAL)"
    array = places.array(read.name)
    assert array is not None
    item = places.plan.item
    if read.name == f"grad_{item}":
        index = places.index(read, gathered).replace(f"grad_{item}_", "grad_loss_")
        text = f"tl.load(grad_loss_ptr + {index}"
        return text + (f", {mask}, 0.0).to(REAL)" if mask else ").to(REAL)")
    index = places.index(read, gathered)
    text = f"tl.load({read.name}_ptr + {index}"
    if array.kind != "real":
        text += f", {mask}, 0)" if mask else ")"
        if array.kind == "boolean":
            text = f"({text} != 0)"
    else:
        # A label that is none of the classes reads nothing, and what it gives is NaN.
        other = 'float("nan")' if ">= 0" in mask else "0.0"
        text += f", {mask}, {other}).to(REAL)" if mask else ").to(REAL)"
    if not array.optional:
        return text
    return f"{text} if GIVEN_{read.name.upper()} else 0.0"
