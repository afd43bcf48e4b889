"""Where values stand in memory, as Triton.

In: a ``Plan`` and a ``Task``.  Out: offsets from a pointer.

    input[n, c, s]  →  n * input_n + c * input_c + s * input_s

Strides of tensors come in; what a kernel hands to the next lies without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from lossgen.backends.c.plan import Plan
from lossgen.backends.c.words import extent
from lossgen.backends.triton.tasks import Task
from lossgen.nodes import Letter, Read
from lossgen.program import Array


@dataclass(frozen=True, slots=True)
class Places:
    """The offsets of a kernel."""

    plan: Plan
    task: Task

    def array(self, name: str) -> Array | None:
        """The input of that name."""
        return next((a for a in self.plan.program.inputs if a.name == name), None)

    def dense(self, letters: Sequence[Letter]) -> str:
        """The offset of an item among items without gaps."""
        if tuple(letters) == self.task.rows and not self.task.split:
            return str(letters[0]) if len(letters) == 1 else "row"
        index = ""
        for y in letters:
            index = f"({index}) * {extent(y)} + {y}" if " " in index else index
            if " " not in index:
                index = f"{index} * {extent(y)} + {y}" if index else str(y)
        return index or "0"

    def index(self, read: Read, gathered: Callable[[sp.Basic], str]) -> str:
        """The offset of an input's element; `gathered` prints a subscript that is computed."""
        array = self.array(read.name)
        assert array is not None
        terms = []
        for y, s in zip(array.axes, read.subscripts, strict=True):
            at = str(s) if isinstance(s, Letter) or s.is_Integer else gathered(s)
            if at != "0":
                at = f"({at})" if " " in at else at
                terms.append(f"{at} * {read.name}_{y}")
        return " + ".join(terms) or "0"

    def mask(self, read: Read, gathered: Callable[[sp.Basic], str]) -> str:
        """Which of a block's elements there are."""
        letters = {s for s in read.subscripts if isinstance(s, Letter)}
        computed = [s for s in read.subscripts if not isinstance(s, Letter) and not s.is_Integer]
        found = {z for s in computed for z in s.atoms(Letter)}
        array = self.array(read.name)
        of_rows = bool({*self.task.rows} & (letters | found))
        parts = []
        if self.task.inner is not None and self.task.inner in letters | found:
            parts.append("valid" if of_rows else "inside")
        elif of_rows:
            parts.append("rows")
        if array is not None:
            for y, s in zip(array.axes, read.subscripts, strict=True):
                if s in computed:
                    code = gathered(s)
                    parts.append(f"({code} >= 0) & ({code} < {extent(y)})")
        return " & ".join(parts)


def decoded(code: str, letters: Sequence[Letter]) -> Iterator[tuple[Letter, str]]:
    """Letters from one running number, the last of them fastest."""
    for k, y in enumerate(letters):
        divisor = " * ".join(f"{extent(z)}" for z in letters[k + 1 :])
        text = code
        if divisor:
            text = f"{code} // ({divisor})" if len(letters) - k > 2 else f"{code} // {divisor}"
        yield y, f"{text} % {extent(y)}" if k else text
