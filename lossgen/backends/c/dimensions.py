"""The sizes, layouts and strides that a kernel is told.

In: a ``Formula`` and its ``Kernels``.  Out: lines of Python.

    input[n, c, s]  →  N, C, *s_sizes = input.shape; input_strides = C * S, S, 1; …

What has no gaps is taken as it is, without a view of it: each costs as much as half a small batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lossgen.backends.c.page import Kernels
from lossgen.backends.c.parameters import extents
from lossgen.backends.c.words import extent
from lossgen.backends.kernel_arguments import KernelArguments
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.nodes import Letter
from lossgen.page import FunctionPage
from lossgen.spec import TensorArg


class Dimensions(KernelArguments):
    """What a formula's kernels are told about the tensors."""

    needs = "§needs"

    def __init__(
        self, f: Formula, kernels: Kernels, eager: FunctionPage, switches: Sequence[str]
    ) -> None:
        super().__init__(f, kernels, eager)
        self.every = switches  # of all kernels in the C file, which is compiled as a whole
        self.function = f"{f.autograd}InC"

    def _sizes(self) -> Iterator[str]:
        """The sizes of the axes, and the shapes of what is returned."""
        for x in filter(self._ragged, self.sources):
            absent = f"torch.Size() if {x} is None else " if self.spec.tensor(x).optional else ""
            yield f"{x}_shape = {absent}{x}.shape"
        if self._item_shape() == "§shape":
            yield f"§shape = {self.f.checks.output_shape()} if §items else ()"
        sizes = {extent(y): self._size(y) for y in extents(self.plan)}
        lead, missing = self.lead, dict(sizes)
        if len(lead.axes) > 1 and not any(y.name.isdigit() for y in lead.axes):
            names = []
            for k, y in enumerate(lead.axes):
                missing.pop(extent(y))
                names.append(f"*§{y}_sizes" if k == lead.ragged else extent(y))
            yield f"{', '.join(names)} = {lead.name}.shape"
            if lead.ragged is not None:
                y = lead.axes[lead.ragged]
                yield f"{extent(y)} = math.prod(§{y}_sizes)"
        if missing:
            yield f"{', '.join(missing)} = {', '.join(missing.values())}"

    def _ragged(self, name: str) -> bool:
        """Whether an axis of a tensor stands for any number of dimensions."""
        t = self.spec.tensor(name)
        return t.ragged is not None and t.axes[t.ragged].name != "e"

    def _as_given(self, x: str) -> str:
        """A gradient in the shape of its tensor."""
        return f"_shaped(d_{x}, {x}_shape)" if self._ragged(x) else f"d_{x}"

    def _item_shape(self) -> str:
        """The shape of the unreduced loss."""
        item = self.plan.program.statement(self.plan.item)
        if self.lead.axes[0].name == "e":
            return f"{self.lead.name}.shape"
        if self.f.checks.output_shape():
            return "§shape"
        sizes = [extent(y) for y in item.free if not y.name.isdigit()]
        return f"({tuple_text(sizes)})"

    def _size(self, letter: Letter) -> str:
        for t in (self.lead, *(t for t in self.spec.tensors if not t.optional)):
            if letter in t.axes:
                return self._extent_of(t, t.axes.index(letter))
        raise KeyError(letter)

    def _extent_of(self, t: TensorArg, k: int) -> str:
        if t.axes[k].name == "e":
            return f"{t.name}.numel()"
        if t.ragged is None or k < t.ragged:
            return f"{t.name}.shape[{k}]"
        back = k - len(t.axes)
        if k > t.ragged:
            return f"{t.name}.shape[{back}]"
        stop = "" if back == -1 else str(back + 1)
        return f"math.prod({t.name}.shape[{k}:{stop}])"

    def _layout(self) -> Iterator[str]:
        """Every tensor so that vectors can run through it, and the strides of those that vary."""
        for t in self.spec.tensors:
            lines = list(self._laid_out(t))
            if t.optional and len(lines) > 1:
                yield from self._varying_optional(t, lines)
            else:
                yield from lines

    def _varying_optional(self, t: TensorArg, lines: list[str]) -> Iterator[str]:
        yield lines[0]
        yield f"if {t.name} is not None:"
        yield from (f"    {line}" for line in lines[1:])

    def _laid_out(self, t: TensorArg) -> Iterator[str]:
        plan, x = self.plan, t.name
        if not t.axes:
            return
        if not self._varies(t):
            yield (
                f"{x} = None if {x} is None else {x}.contiguous()"
                if t.optional
                else (f"{x} = {x}.contiguous()")
            )
            return
        shape = tuple_text([extent(y) for y in t.axes])
        flat = f"{x}.reshape({shape})" if self._ragged(x) else x
        dense = f"{x}_strides: tuple[int, ...] = {self._dense(t)}"
        if not self._both(t):
            axis = t.axes.index(plan.lane if plan.lane in t.axes else plan.inner)
            yield dense
            yield f"{x} = _laid_out({flat}, {axis})"
            yield f"{x}_strides = {x}.stride()"
            return
        assert plan.lane is not None
        lane, inner = t.axes.index(plan.lane), t.axes.index(plan.inner)
        lanes = extent(plan.lane)
        chosen = f"{inner} if §rows else {lane}"
        if t == self.lead:
            yield f"§rows = {lanes} == 1"
            yield dense
            yield f"if not {x}.is_contiguous():"
            yield "    # Vectors run along the classes where those are neighbours in memory."
            if flat != x:
                yield f"    {x} = {flat}"
            yield f"    §rows = {lanes} == 1 or {x}.stride({inner}) == 1"
            yield f"    {x} = _laid_out({x}, {chosen})"
        else:
            yield dense
            yield f"if §rows and {lanes} != 1 or not {x}.is_contiguous():"
            yield f"    {x} = _laid_out({flat}, {chosen})"
        yield f"    {x}_strides = {x}.stride()"

    def _both(self, t: TensorArg) -> bool:
        """Whether vectors may run along either of two axes of a tensor."""
        plan = self.plan
        return self.kernels.both and plan.lane in t.axes and plan.inner in t.axes

    def _varies(self, t: TensorArg) -> bool:
        """Whether a kernel takes a tensor in several layouts."""
        plan = self.plan
        if t.axes[0].name == "e" or any(y.name.isdigit() for y in t.axes):
            return False
        if self._both(t):
            return True
        axis = plan.lane if plan.lane in t.axes else plan.inner
        return axis in t.axes and t.axes[-1] != axis

    def _dense(self, t: TensorArg) -> str:
        """The strides of a tensor whose elements lie one after another."""
        if t.axes[0].name == "e":
            return "1"
        sizes = [y.name if y.name.isdigit() else extent(y) for y in t.axes]
        return ", ".join(" * ".join(sizes[k + 1 :]) or "1" for k in range(len(sizes)))

    def _strides(self, t: TensorArg) -> str:
        return f"*{t.name}_strides" if self._varies(t) else self._dense(t)
