"""Where values stand in memory, as C.

In: a ``Plan`` and the letter that vectors run along.  Out: indices.

    input[n, c, s], vectors along s  →  input + n * input_n + c * input_c + (start + i)

Along the letter of the vectors every tensor that has it has stride 1; the other strides come in as
``input_n``, ``input_c``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from lossgen.axes import shifted_letter
from lossgen.backends.c.plan import Plan
from lossgen.backends.c.words import SHORT, extent
from lossgen.nodes import Compare, Letter, Read, Size, walk, word
from lossgen.program import Array, Statement


@dataclass(frozen=True, slots=True)
class Places:
    """One variant of a kernel: its vectors run along the lane, or along the inner letter.

    Attributes:
        amid: whether a run is known to have all its neighbours but those along the vectors.
    """

    plan: Plan
    vector: Letter
    amid: bool = False

    @property
    def inside(self) -> bool:
        """Whether vectors run along the inner letter."""
        return self.vector == self.plan.inner

    @property
    def unit(self) -> Letter | None:
        """The axis along which every tensor that has it has stride 1."""
        behind = any(
            self.vector in a.axes and a.axes[-1] != self.vector for a in self.plan.program.inputs
        )
        return None if behind and not self.inside else self.vector

    @property
    def spreads(self) -> bool:
        """Whether neighbours along the axis of the vectors may lie apart, in short rows."""
        return not self.inside and self.plan.spreads

    @property
    def rows(self) -> tuple[Letter, ...]:
        """The letters that one task runs through."""
        rows = tuple(y for y in self.plan.outer if y not in self.plan.split and y != self.vector)
        return (*rows, self.plan.lane) if self.inside and self.plan.lane is not None else rows

    def array(self, name: str) -> Array | None:
        """The input of that name."""
        return next((a for a in self.plan.program.inputs if a.name == name), None)

    def position(self, letter: sp.Basic) -> str:
        """The place of a letter in the loop that runs over it."""
        return "start + i" if letter == self.vector and not self.inside else str(letter)

    def dense(self, letters: Sequence[sp.Basic]) -> str:
        """The index of an item in an array without gaps."""
        index = ""
        for y in letters:
            at = self.position(y)
            if "+" in index:
                index = f"({index})"
            index = f"{index} * {extent(y)} + {at}" if index else at
        return index or "0"

    def index(self, read: Read, gathered: Callable[[sp.Basic], str]) -> str:
        """The index of an input's element; `gathered` prints a subscript that is computed."""
        array = self.array(read.name)
        assert array is not None
        terms = []
        for y, s in zip(array.axes, read.subscripts, strict=True):
            at = self._position_along(y, s, gathered)
            if at != "0":
                step = "1" if y == self.unit else self.stride(array, y)
                if y == self.unit and self.spreads and self.plan.inner in array.axes:
                    step = f"lane_step({self.stride(array, y)})"
                if step == "1":
                    terms.append(at)
                else:
                    terms.append(f"({at})" if " + " in at or " - " in at else at)
                    terms[-1] += f" * {step}"
        return " + ".join(terms) or "0"

    def _position_along(self, y: Letter, s: sp.Basic, gathered: Callable[[sp.Basic], str]) -> str:
        """The place that a subscript names along an axis."""
        place = shifted_letter(s)
        if place is not None:
            return self.position(place[0]) + _signed(place[1])
        return str(s) if s.is_Integer else f"in_range({gathered(s)}, {extent(y)}, status)"

    def turns(self, array: Array) -> bool:
        """Whether the rows of a tensor are turned into columns where they are short.

        The gradient that comes in has no gaps, and is read where it is.
        """
        letters = {self.vector, self.plan.inner}
        given = array.name != f"grad_{self.plan.item}"
        return given and self.spreads and array.kind == "real" and letters <= {*array.axes}

    @property
    def turned(self) -> str:
        """What says in C whether rows are turned; empty where they always are."""
        return "" if self.plan.lane is None else SHORT

    def block(self, name: str) -> str:
        """What a run reads or writes of a tensor whose rows are turned: they, or where it is."""
        return f"{name}_block" if self.turned else f"{name}_tile"

    def place(self, read: Read, gathered: Callable[[sp.Basic], str]) -> str:
        """Where an input's element is."""
        return self._place(read.name, read, gathered)

    def gradient(self, array: Array) -> str:
        """Where the gradient of the element is that the loops stand at."""
        name = f"d_{array.name}"
        out = name if self.turns(array) else f"{name}_out"
        return self._place(out, Read(word(array.name), *array.axes), str)

    def _place(self, name: str, read: Read, gathered: Callable[[sp.Basic], str]) -> str:
        array = self.array(read.name)
        assert array is not None
        if not self.turns(array):
            return f"{name} + {self.index(read, gathered)}"
        (s,) = (s for y, s in zip(array.axes, read.subscripts, strict=True) if y == self.plan.inner)
        assert self.plan.inner is not None
        at = self._position_along(self.plan.inner, s, gathered)
        step = f"{array.name}_step" if self.turned else "width"
        return f"{self.block(name)} + {at} * {step} + i"

    def within(self, read: Read) -> str:
        """Whether a neighbour of an element is there; empty where it always is."""
        array = self.array(read.name)
        assert array is not None
        tests = []
        for y, s in zip(array.axes, read.subscripts, strict=True):
            letter, shift = shifted_letter(s) or (y, 0)
            if shift and not (self.amid and self.of_run(letter)):
                end = self.end(letter, shift, y)
                tests.append(self.compared(letter, max(shift, 0), end.op, end.right))
        return " & ".join(f"({x})" for x in tests) if len(tests) > 1 else "".join(tests)

    def of_run(self, letter: Letter) -> bool:
        """Whether a letter is the same for all that one run computes."""
        return letter not in (self.vector, self.plan.inner)

    @staticmethod
    def end(letter: Letter, shift: int, axis: Letter) -> Compare:
        """What holds where there is a neighbour so far from a letter's place along an axis."""
        if shift > 0:
            return Compare("<", letter + shift, Size(axis))
        return Compare(">=", letter, sp.Integer(-shift))

    def compared(self, letter: Letter, shift: int, op: str, end: sp.Basic) -> str:
        """A place beside a letter's, and an end of its axis.

        Where vectors run, in 32 bits: in 64 one instruction would compare half as many.
        """
        at = f"{self.position(letter)}{_signed(shift)}"
        edge = extent(end.letter) if isinstance(end, Size) else str(end)
        if letter != self.vector or self.inside:
            return f"{at} {op} {edge}"
        if op == "<" and edge == extent(letter):
            return f"(int32_t)i{_signed(shift)} < left"
        if op == ">=" and end.is_Integer:
            return f"(int32_t)i{_signed(shift)} + behind >= {end}"
        return f"{at} {op} {edge}"

    def edges(self) -> Iterator[str]:
        """What such places are compared with: how many there are beside the first of a run."""
        shifts = self._shifts()
        if any(x < 0 for x in shifts):
            yield "const int32_t behind = within_reach(start);"
        if any(x > 0 for x in shifts):
            yield f"const int32_t left = within_reach({extent(self.vector)} - start);"

    def _shifts(self) -> set[int]:
        """How far from its own place anything looks where vectors run."""
        found = set()
        for x in () if self.inside else self.plan.program.statements:
            for e in (e for y in x.expressions() for e in walk(y)):
                if isinstance(e, Read):
                    places = [shifted_letter(s) for s in e.subscripts]
                    found |= {p[1] for p in places if p and p[0] == self.vector}
                elif isinstance(e, Compare) and (p := shifted_letter(e.left)) is not None:
                    back = e.op == ">=" and e.right.is_Integer
                    if p[0] == self.vector:
                        found.add(p[1] - int(e.right) if back else p[1])
        return found

    def stride(self, array: Array, axis: Letter) -> str:
        """How far apart neighbours along an axis are.

        A constant, as between the four numbers of a box, lets vectors load such groups at once.
        """
        if not dense(array):
            return f"{array.name}_{axis}"
        behind = array.axes[array.axes.index(axis) + 1 :]
        return " * ".join(y.name if y.name.isdigit() else extent(y) for y in behind) or "1"

    def run_index(self, array: Array) -> str:
        """The index of the first of the elements that one loop of vectors runs through."""
        at = (sp.S.Zero if y == self.vector else y for y in array.axes)
        index = self.index(Read(word(array.name), *at), str)
        terms = [*([] if index == "0" else [index]), "first" if self.inside else "start"]
        return " + ".join(terms)

    def step(self, array: Array) -> str:
        """How far apart in an array the neighbours are that vectors run along."""
        return "1" if self.vector == self.unit else self.stride(array, self.vector)

    def first(self, array: Array, *, inner: bool = False, turned: bool = False) -> str:
        """The index of the first element of a run: of the inner letter's own, of rows turned."""
        kept = {*self.plan.outer, self.plan.lane, *([self.plan.inner] if inner else [])}
        kept -= set() if self.inside else {self.vector}
        at = (y if y in kept else sp.S.Zero for y in array.axes)
        index = self.index(Read(word(array.name), *at), str)
        if self.inside:
            return index
        step = self.stride(array, self.vector) if turned else self.step(array)
        start = "start" if step == "1" else f"start * {step}"
        return start if index == "0" else f"{index} + {start}"

    def item_index(self, x: Statement) -> str:
        """The index of an unreduced loss."""
        return self.dense(x.free)

    def small(self, x: Statement, subscripts: Sequence[sp.Basic]) -> str:
        """A value that is known between passes."""
        return f"{x.name}_of[{self.dense(subscripts)}]"


def _signed(shift: int) -> str:
    return "" if not shift else f" + {shift}" if shift > 0 else f" - {-shift}"


def dense(array: Array) -> bool:
    """Whether a tensor comes without gaps: one of several numbers for each element does."""
    return any(y.name.isdigit() for y in array.axes)


def decoded(code: str, letters: Sequence[Letter]) -> Iterator[tuple[Letter, str]]:
    """Letters from one running number, the last of them fastest."""
    for k, y in enumerate(letters):
        divisor = " * ".join(f"{extent(z)}" for z in letters[k + 1 :])
        text = code
        if divisor:
            text = f"{code} / ({divisor})" if len(letters) - k > 2 else f"{code} / {divisor}"
        yield y, f"{text} % {extent(y)}" if k else text


def nest(letters: Sequence[Letter], lines: Sequence[str]) -> Iterator[str]:
    """Lines within one loop for each letter."""
    for k, y in enumerate(letters):
        yield "    " * k + f"for (int64_t {y} = 0; {y} < {extent(y)}; {y}++) {{"
    yield from ("    " * len(letters) + line for line in lines)
    for k in reversed(range(len(letters))):
        yield "    " * k + "}"


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Lines one step further in."""
    return ("    " + line if line else line for line in lines)


def wrapped(line: str, width: int = 96) -> Iterator[str]:
    """A line, cut where it is too long: at spaces, as few brackets around them as there are."""
    indent = line[: len(line) - len(line.lstrip())]
    rest = line
    while len(rest) > width and not rest.lstrip().startswith(("//", "#")):
        at = _cut(rest, len(indent) + 8, width)
        if at < 0:
            break
        yield rest[:at]
        rest = f"{indent}    {rest[at + 1 :]}"
    yield rest


def _cut(line: str, first: int, width: int) -> int:
    """The best space to cut a line at: the last of the least nested in its second half."""
    depth, best, found = 0, 99, -1
    for at, sign in enumerate(line[:width]):
        depth += (sign in "([") - (sign in ")]")
        if sign == " " and at >= first and (depth <= best or found < width // 2):
            best, found = depth, at
    return found
