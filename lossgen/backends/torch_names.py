"""Where the arrays and the sizes of a program are to be found in generated code.

In: a ``Program`` and its spec.  Out: ``Names``, by which expressions become code.

    input[n, c]  →  sizes {n: "input.shape[0]", c: "input.shape[1]"}

It refuses a size that no tensor has (``KeyError``): a spec without one does not load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from lossgen.backends.own_names import OWN_CLASSES
from lossgen.backends.torch_in_place import Ownership
from lossgen.backends.torch_tensors import Tensors
from lossgen.backends.wholes import whole
from lossgen.nodes import Letter, Where, walk
from lossgen.program import Extent, Program
from lossgen.roles import Kind
from lossgen.spec import LossSpec
from lossgen.stabilize import Known


def autograd_name(class_name: str) -> str:
    """The name of a loss's ``Function``: that of its module, unless something has it already."""
    name = f"_{class_name.removesuffix('Loss')}"
    return f"{name}Function" if name in OWN_CLASSES else name


@dataclass(frozen=True, slots=True)
class Names:
    """Where arrays and sizes are to be found.

    Attributes:
        arrays: the letters and extents of each array.
        kinds: what its elements are.
        sizes: the code for the size of each axis.
        axes: the axis of each letter.
        lead: the tensor whose shape the others follow.
        like: a tensor whose dtype and device new values take.
        numbers: arrays that may be one number, which is cheap to scale.
        ownership: what lines may overwrite; None where nothing may be.
        known: the ranges of tensors, options and statements.
        inputs: the arrays that the program is given.
        rank: of the largest of them.
        guards: conditions that keep arguments in a function's domain, and nearly always hold.
        plain: whether each function is torch's own of that name, whatever its last digits.
        held: whether what is printed has no gradient.
        fusing: whether a compiler is to fuse the lines: positions are compared, not written to.
    """

    arrays: Mapping[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]]
    kinds: Mapping[str, Kind]
    sizes: Mapping[Letter, str]
    axes: Mapping[Letter, Letter]
    lead: str
    like: str
    known: Known
    inputs: frozenset[str] = frozenset()
    rank: int = 0
    guards: frozenset[sp.Basic] = frozenset()
    numbers: frozenset[str] = frozenset()
    ownership: Ownership | None = None
    plain: bool = False
    held: bool = False
    fusing: bool = False

    def size(self, letter: Letter) -> str:
        """The size of the axis a letter runs over."""
        axis = self.axes.get(letter, letter)
        return axis.name if axis.name.isdigit() else self.sizes[axis]

    def along(self, letters: Sequence[Letter]) -> list[Letter]:
        """The axes that letters run over."""
        return [self.axes.get(y, y) for y in letters]


def names_for(program: Program, spec: LossSpec, known: Known) -> Names:
    """Where a program's arrays and sizes are to be found."""
    sizes: dict[Letter, str] = {}
    tensors = Tensors(spec, "")
    lead, like = tensors.lead, tensors.like.name
    for t in (lead, *(t for t in spec.tensors if not t.optional)):
        for place, axis in enumerate(t.axes):
            every = axis.name == "e"
            sizes.setdefault(axis, f"{t.name}.numel()" if every else f"{t.name}.shape[{place}]")
    arrays = {a.name: (a.axes, a.extents) for a in program.inputs}
    kinds = {a.name: a.kind for a in program.inputs}
    for x in program.statements:
        arrays[x.name] = (x.free, x.window)
        # A choice between numbers alone, where(c == label[n], 1, 0), is printed as real ones.
        chosen = isinstance(x.body, Where) and x.op == "map" and not whole(x.body, kinds)
        kinds[x.name] = "real" if x.kind == "integer" and chosen else x.kind
    rank = max((len(a.axes) for a in program.inputs if a.kind == "real"), default=0)
    guards = frozenset(c for x in program.statements for e in x.expressions() for c in _guards(e))
    inputs = frozenset(t.name for t in spec.tensors)
    return Names(arrays, kinds, sizes, program.axes, lead.name, like, known, inputs, rank, guards)


def _guards(expr: sp.Basic) -> Iterator[sp.Basic]:
    """The conditions of choices within a choice on the same condition."""
    for outer in (x for x in walk(expr) if isinstance(x, Where)):
        inner = (y for a in outer.args[1:] for y in walk(a) if isinstance(y, Where))
        yield from (outer.args[0] for y in inner if y.args[0] == outer.args[0])
