"""The author's functions as functions of the generated module.

In: blocks, and the functions that the author wrote for parts of the loss.  Out: the blocks, with a
call in place of each run that does what such a function says, and the functions.

    gap = anchor - negative + eps            far = _distance(anchor, negative, p, eps)
    far = _norm(gap, -1)                 →   near = _distance(anchor, positive, p, eps)
    near_gap = anchor - positive + eps
    near = _norm(near_gap, -1)

Runs are one function only if each, told in the names of the function, prints the same lines. What
would be longer stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from lossgen.backends.torch_names import Names
from lossgen.backends.torch_retold import name_for_all
from lossgen.backends.torch_written import Written
from lossgen.page import FunctionPage
from lossgen.program import Program
from lossgen.schedule import Block, Run, hoisted, repeated
from lossgen.spec import InnerFunction, LossSpec

Printer = Callable[[Program, Names, Sequence[Block]], list[str]]
_AROUND = 3  # lines that a function has besides its own: its head, its docstring, its return


class Repeats:
    """Puts calls in place of what the author's functions say, and gathers what they call.

    Attributes:
        values: the functions of the formula so far.
        gradients: those of its backward.
    """

    def __init__(self, spec: LossSpec, printer: Printer) -> None:
        self.spec, self.printer = spec, printer
        self.values: list[FunctionPage] = []
        self.gradients: list[FunctionPage] = []
        self._made: dict[str, Written] = {}

    @property
    def pages(self) -> tuple[FunctionPage, ...]:
        """All functions so far."""
        return (*self.values, *self.gradients)

    def in_formula(
        self,
        program: Program,
        names: Names,
        blocks: tuple[Block, ...],
        kept: Collection[str],
    ) -> tuple[Block, ...]:
        """The blocks of a formula with calls of the author's functions.

        Args:
            program: what is printed.
            names: where its arrays are to be found.
            blocks: its statements as they will run.
            kept: what must have its name afterwards.
        """
        for author in self.spec.functions:
            ends = [x.targets for x in author.calls]
            runs = repeated(blocks, ends, kept, _kinds(names))
            if runs:
                hints = tuple(_hints(author, runs, k) for k in range(len(runs)))
                summary = author.summary.rstrip(".") or f"The formula's ``{author.name}``"
                made = Written(
                    self.spec, author.name, summary, program, names, runs, tuple(ends), hints
                )
                told = self._made.get(author.name)
                page = self._worth_it(made) if told is None else self._same(made)
                if page is None:
                    continue
                if told is None:
                    self.values.append(page)
                    self._made[author.name] = made
                blocks = made.called(blocks)
        return blocks

    def in_gradient(
        self,
        program: Program,
        names: Names,
        blocks: tuple[Block, ...],
        kept: Collection[str],
    ) -> tuple[Block, ...]:
        """The blocks of a backward with calls of the gradients of the author's functions."""
        for title, forward in [*self._made.items()]:
            hints = tuple(forward.hints_of_gradient(k) for k in range(len(forward.runs)))
            for part in forward.parts():
                ends = [(f"d_{run.names[part]}",) for run in forward.runs]
                # The gradients of its values come in.
                given = {f"d_{x}" for end in forward.ends for x in end} & names.arrays.keys()
                small = {x for x in given if len(names.arrays[x][0]) < names.rank}
                early = hoisted(blocks, small)
                runs = repeated(early, ends, kept, _kinds(names), given)
                if not runs:
                    continue
                what = f"with respect to ``{forward.told(part)}``"
                summary = f"The gradient of ``{title}`` {what}, in closed form"
                made = Written(
                    *(self.spec, f"{title}_gradient", summary, program, names),
                    *(runs, tuple(ends), hints),
                )
                page = self._worth_it(made)
                if page is not None:
                    self.gradients.append(page)
                    blocks = made.called(early)
                    break
        return blocks

    def _worth_it(self, made: Written) -> FunctionPage | None:
        """A function that does not make the module longer; None where it does."""
        page = self._page(made)
        runs = len(made.runs)
        if page is None or (runs - 1) * (len(page.body) - 1) < runs + _AROUND:
            return None
        return page

    def _same(self, made: Written) -> FunctionPage | None:
        """A function that is there already; None where there is another of its name."""
        page = self._page(made)
        return page if page in self.values else None

    def _page(self, made: Written) -> FunctionPage | None:
        """A function as all of its runs have it; None where they differ."""
        first, *others = (self._lines(made, k) for k in range(len(made.runs)))
        return made.page(first) if all(x == first for x in others) else None

    def _lines(self, made: Written, k: int) -> list[str]:
        """The lines of a function as one of its runs has them."""
        blocks = made.blocks(k)
        return self.printer(made.program(k), made.names(k, blocks), blocks)


def _kinds(names: Names) -> dict[str, object]:
    return {x: (names.arrays[x], names.kinds[x]) for x in names.arrays}


def _hints(author: InnerFunction, runs: Sequence[Run], k: int) -> dict[str, str]:
    """The author's names for what the run reads, and makes if it is one value."""
    run, first = runs[k], runs[0]
    found: dict[str, str] = {}
    for place, parameter in enumerate(author.parameters):
        for x in first.names:
            arguments = [
                (other.names[x], call.arguments[place])
                for other, call in zip(runs, author.calls, strict=True)
                if place < len(call.arguments)
            ]
            given = len(arguments) == len(runs) and all(x in inside for x, inside in arguments)
            if given and parameter not in found.values() and run.names[x] not in found:
                found[run.names[x]] = parameter
    ends = [call.targets for call in author.calls]
    if len(ends[k]) == 1:
        alike = name_for_all([x for (x,) in ends], author.name)
        found[ends[k][0]] = alike
    return found
