"""A function of the generated module, written once for several runs of statements.

In: the runs, and how their names correspond.  Out: the function as a page, and a call for each run.

    gap = anchor - negative + eps; far = _norm(gap, -1), with hints a, b and distance
    →  def _distance(a, b, eps): gap = a - b + eps; distance = _norm(gap, -1); return distance

It refuses nothing: that the runs print the same lines is for the caller to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.layout import shape_comment
from lossgen.backends.own_names import OWN_FUNCTIONS
from lossgen.backends.torch_in_place import Ownership
from lossgen.backends.torch_names import Names
from lossgen.backends.torch_retold import name_for_all, told_of, unlike
from lossgen.backends.torch_signatures import parameter_argument
from lossgen.nodes import Letter, Param, Read, walk
from lossgen.page import Argument, FunctionPage, docstring, signature
from lossgen.program import Array, Program, Statement
from lossgen.schedule import Block, Branch, Run, in_place_of, reading, renamed, statements_of
from lossgen.spec import TAKEN, LossSpec, Parameter
from lossgen.stabilize import Known
from lossgen.stabilize.ranges import Range

_OF_METHODS = frozenset(("loss", "divisor", "grad_loss", "grad_divisor"))
_LINE = 78  # of a docstring that is one line


class Called(nd.Node):
    """The call of a function of the module: its name, the arrays and the options that it takes."""

    __slots__ = ()

    @property
    def function(self) -> str:
        return nd.text(self.args[0])

    @property
    def given(self) -> tuple[Read | Param, ...]:
        return tuple(self.args[1:])


@dataclass(frozen=True, slots=True)
class Written:
    """A function, with the runs that do what it says.

    Attributes:
        title: its name, without an underscore.
        summary: of what it computes, without a full stop.
        whole, around: the program of the runs, and where its arrays are to be found.
        ends: what each run makes for others to read.
        hints: what arrays of each run are called in the function; those that it takes come in the
            order of the hints.
    """

    spec: LossSpec
    title: str
    summary: str
    whole: Program
    around: Names
    runs: tuple[Run, ...]
    ends: tuple[tuple[str, ...], ...]
    hints: tuple[Mapping[str, str], ...]

    def page(self, lines: Sequence[str]) -> FunctionPage:
        """The function, whose lines were printed."""
        outputs = [self._renaming(0)[x] for x in self.ends[0]]
        returns = f"tuple[{', '.join(['Tensor'] * len(outputs))}]" if outputs[1:] else "Tensor"
        arguments = [Argument(x, "Tensor") for x in self._parameters()]
        arguments += [replace(parameter_argument(p), default="") for p in self._options()]
        return FunctionPage(
            self._name(),
            signature(arguments),
            docstring(self._doc()),
            (*lines, f"return {', '.join(outputs)}"),
            returns,
        )

    def call(self, k: int) -> tuple[Statement, ...]:
        """What stands in place of a run."""
        first, *others = self.ends[k]
        given = [self._read(self.runs[k].names[x]) for x in self._arrays()]
        body = Called(Str(self._name()), *given, *(p.symbol for p in self._options()))
        free = self._letters(first)
        inside = frozenset(y for x in given for y in x.subscripts) - {*free}
        target = tuple(map(self._read, others))
        return (Statement(first, free, body, "call", self.whole.sorted(inside), target=target),)

    def called(self, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        """The blocks around the runs, with calls in their place."""
        return in_place_of(blocks, [(x, self.call(k)) for k, x in enumerate(self.runs)])

    def blocks(self, k: int) -> tuple[Block, ...]:
        """A run in the names of the function."""
        return renamed(self.runs[k].blocks, self._renaming(k))

    def program(self, k: int) -> Program:
        """The same as a program."""
        arrays = self.around.arrays
        inputs = tuple(
            Array(p, arrays[x][0], self.around.kinds[x], extents=arrays[x][1])
            for x, p in self._parameters_of(k).items()
        )
        results = tuple(self._renaming(k)[x] for x in self.ends[k])
        statements = tuple(statements_of(self.blocks(k)))
        return Program(inputs, statements, results, self.whole.order, self.whole.axes)

    def names(self, k: int, blocks: Sequence[Block]) -> Names:
        """Where the arrays and the sizes of the function are to be found.

        Args:
            k: the run.
            blocks: it in the names of the function, as they will be printed.
        """
        called = self._renaming(k)
        parameters = self._parameters_of(k)
        sizes: dict[Letter, str] = {}
        for x, p in parameters.items():
            for place, axis in enumerate(self.around.along(self._letters(x))):
                if axis.name != "e":
                    sizes.setdefault(axis, f"{p}.shape[{place}]")
        real = [p for x, p in parameters.items() if self.around.kinds[x] == "real"]
        own = self.around.ownership
        return replace(
            self.around,
            arrays={new: self.around.arrays[old] for old, new in called.items()},
            kinds={new: self.around.kinds[old] for old, new in called.items()},
            sizes=sizes,
            like=real[0],
            known=_Renamed(self.around.known, {new: old for old, new in called.items()}),
            numbers=_told(self.around.numbers, called),
            ownership=None if own is None else self._owned(own, k, blocks),
            guards=frozenset(reading(x, called) for x in self.around.guards),
        )

    def told(self, part: str) -> str:
        """What a value of the first run is called in the function."""
        return self._renaming(0)[part]

    def parts(self) -> tuple[str, ...]:
        """What the first run makes, in order."""
        return tuple(dict.fromkeys(x.name for x in statements_of(self.runs[0].blocks)))

    def hints_of_gradient(self, k: int) -> dict[str, str]:
        """What arrays of a run, and their gradients, are called in the function's gradient."""
        told = self._renaming(k)
        return told | {f"d_{old}": f"d_{new}" for old, new in told.items()}

    def _name(self) -> str:
        name = f"_{self.title}"
        return name if name not in OWN_FUNCTIONS else f"_{self.spec.function_name}{name}"

    def _doc(self) -> tuple[str, ...]:
        """What it computes, with the shapes of what it takes and gives."""
        given, made = (
            ", ".join(shape_comment(self.around.along(self._letters(x))) for x in arrays)
            for arrays in (self._arrays(), self.ends[0])
        )
        line = f"{self.summary}: {given} -> {made}."
        return (line,) if len(line) <= _LINE else (f"{self.summary}.", "", f"{given} -> {made}.")

    def _owned(self, own: Ownership, k: int, blocks: Sequence[Block]) -> Ownership:
        """What the lines of the function may overwrite."""
        called = self._renaming(k)
        pairs = zip(statements_of(self.runs[k].blocks), statements_of(blocks), strict=True)
        return replace(
            own,
            moving=_told(own.moving, called),
            thin=_told(own.thin, called),
            roots={new: own.roots[old] for old, new in called.items() if old in own.roots},
            sure={new: own.sure[old] for old, new in called.items() if old in own.sure},
            consumed={
                id(new): _told(own.consumed[id(old)], called)
                for old, new in pairs
                if id(old) in own.consumed
            },
        )

    # --- what it takes ----------------------------------------------------------------------

    def _arrays(self) -> tuple[str, ...]:
        """What the first run reads and does not make: first what has a name already, masks last."""
        made = {*self.parts()}
        order = [*self.hints[0]]
        read = [name for name in self.runs[0].names if name not in made]

        def place(name: str) -> tuple[bool, int]:
            known = order.index(name) if name in order else len(order)
            return self.around.kinds[name] != "real", known

        return tuple(sorted(read, key=place))

    def _parameters(self) -> tuple[str, ...]:
        """The arrays as the function calls them."""
        found: list[str] = []
        for x in self._arrays():
            name = self._hinted(x) or name_for_all([run.names[x] for run in self.runs])
            found.append(unlike(name, {*found, *self._taken()}))
        return tuple(found)

    def _hinted(self, array: str) -> str:
        """The name of an array of the first run by the hints; nothing where they are silent."""
        told = (h.get(run.names[array]) for run, h in zip(self.runs, self.hints, strict=True))
        return next((x for x in told if x is not None), "")

    def _parameters_of(self, k: int) -> dict[str, str]:
        """The arrays that a run reads, each with the parameter that it is."""
        arrays = (self.runs[k].names[x] for x in self._arrays())
        return dict(zip(arrays, self._parameters(), strict=True))

    def _options(self) -> list[Parameter]:
        """The options that a run asks for."""
        asked = {
            y.name
            for x in self.runs[0].blocks
            for e in _expressions(x)
            for y in walk(e)
            if isinstance(y, Param)
        }
        return [p for p in self.spec.parameters if p.name in asked]

    # --- names ------------------------------------------------------------------------------

    def _renaming(self, k: int) -> dict[str, str]:
        """What a run makes and reads, each with its name in the function."""
        inside = dict(zip(self._arrays(), self._parameters(), strict=True))
        for x in self.runs[0].names:
            if x not in inside:
                told = [
                    told_of(run.names[x], self._parameters_of(at))
                    for at, run in enumerate(self.runs)
                ]
                name = self._hinted(x) or name_for_all(told)
                inside[x] = unlike(name, {*inside.values(), *self._taken()})
        return {self.runs[k].names[x]: name for x, name in inside.items()}

    def _taken(self) -> frozenset[str]:
        """What names of the function would hide."""
        return (TAKEN - _OF_METHODS) | {p.name for p in self.spec.parameters}

    def _letters(self, array: str) -> tuple[Letter, ...]:
        return self.around.arrays[array][0]

    def _read(self, array: str) -> Read:
        return Read(Str(array), *self._letters(array))


class _Renamed(Known):
    """What is known of values that have other names here."""

    def __init__(self, inner: Known, names: Mapping[str, str]) -> None:
        super().__init__()
        self._inner, self._real = inner, names

    def of(self, expr: sp.Basic) -> Range:
        """The range of an expression's values."""
        return self._inner.of(reading(expr, self._real))


def _told(names: frozenset[str], called: Mapping[str, str]) -> frozenset[str]:
    return frozenset(new for old, new in called.items() if old in names)


def _expressions(block: Block) -> Iterator[sp.Basic]:
    if isinstance(block, Branch):
        yield block.condition
        for x in (*block.then, *block.otherwise):
            yield from _expressions(x)
    else:
        yield from block.expressions()
