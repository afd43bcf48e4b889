"""One call of a kernel from Python: memory for the results, layout, scale, faults.

In: a ``Formula`` and its ``Kernels``.  Out: the definitions of ``_call_dice`` and ``_dice_kernel``.
A local name is marked by ``§``, so that an option of the loss may have it.

It refuses nothing: a loss without kernels never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from lossgen.backends.c.conditions import integer_macro, macro
from lossgen.backends.c.kernel import Kernel
from lossgen.backends.c.page import Kernels
from lossgen.backends.c.words import extent
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument
from lossgen.nodes import Compare, Given, Letter, Param
from lossgen.page import FunctionPage
from lossgen.spec import TensorArg


class OneCall:
    """How a formula's kernels are called."""

    def __init__(
        self, f: Formula, kernels: Kernels, eager: FunctionPage, switches: Sequence[str]
    ) -> None:
        self.every = switches  # of all kernels in the C file, which is compiled as a whole
        self.f, self.kernels, self.plan, self.eager = f, kernels, kernels.plan, eager
        self.spec, self.stem = f.spec, f.plain.lstrip("_")
        self.function = f"{f.autograd}InC"
        self.tensors = [t.name for t in f.spec.tensors]
        self.options = [*(p.name for p in f.spec.parameters), "reduction"]
        self.sources = [g.removeprefix("d_") for g in self.plan.gradients]
        self.lead = f.checks.lead

    def _typed_tensors(self) -> list[str]:
        kinds = {t.name: "Tensor | None" if t.optional else "Tensor" for t in self.spec.tensors}
        return [f"{name}: {kind}" for name, kind in kinds.items()]

    def _typed_options(self) -> list[str]:
        typed = [f"{a.name}: {a.annotation}" for a in map(parameter_argument, self.spec.parameters)]
        return [*typed, "reduction: str"]

    # --- one call ---------------------------------------------------------------------------

    def _call(self) -> Iterator[str]:
        typed = ", ".join((*self._typed_tensors(), *self._typed_options()))
        yield (
            f"def _call_{self.stem}({typed}, §wanted: Sequence[bool], §upstream: float, "
            "grad_loss: Tensor | None = None) -> tuple[Tensor, list[Tensor | None]]:"
        )
        yield '    """The loss and the gradients wanted, for one upstream gradient or one each."""'
        yield from (f"    {line}" for line in self._call_body())

    def _call_body(self) -> Iterator[str]:
        item = self.plan.program.statement(self.plan.item)
        yield from self._layout()
        sizes = {y: self._size(y) for y in self._letters()}
        yield f"{', '.join(extent(y) for y in sizes)} = {', '.join(sizes.values())}"
        needs = [f"need_{x}" for x in self.sources]
        yield f"{tuple_text(needs)} = wanted"
        name = f'"{self._first().name}"'
        if self.kernels.columns is not None and self.kernels.rows is not None:
            name = f'"{self.kernels.rows.name}" if §rows else "{self.kernels.columns.name}"'
        switches = ", ".join(self._switches())
        switches = f", {switches}" if switches else ""
        yield '§items = reduction == "none"'
        yield (
            f"§kernel = _{self.stem}_kernel({name}, {self.lead.name}.dtype, §items, "
            f"grad_loss is None, {', '.join(needs)}{switches})"
        )
        shape = ", ".join(extent(y) for y in item.free if not y.name.isdigit())
        whole = self.lead.axes[0].name == "e"
        one = "," if len(item.free) == 1 else ""
        shape = f"{self.lead.name}.shape" if whole else f"({shape}{one})"
        yield f"loss = {self.lead.name}.new_empty({shape} if §items else ())"
        for x in self.sources:
            given = f" and {x} is not None" if self.spec.tensor(x).optional else ""
            yield f"d_{x} = torch.empty_like({x}) if need_{x}{given} else None"
        if item.free:
            yield "grad_loss = None if grad_loss is None else grad_loss.contiguous()"
        yield from self._scale()
        yield "§total = ctypes.c_double()"
        yield f"§status = §kernel({self._arguments('§upstream * §scale')})"
        yield f'_raise_if(§status, "{self.f.checks.function}")'
        yield "if not §items:"
        yield "    loss.fill_(§total.value * §scale)"
        yield f"return loss, [{', '.join(f'd_{x}' for x in self.sources)}]"

    def _first(self) -> Kernel:
        first = self.kernels.columns or self.kernels.rows
        assert first is not None
        return first

    def _letters(self) -> list[Letter]:
        found = {y for a in self.plan.program.inputs for y in a.axes if not y.name.isdigit()}
        return [y for y in self.plan.program.order if y in found]

    def _size(self, letter: Letter) -> str:
        for t in (self.lead, *(t for t in self.spec.tensors if not t.optional)):
            if letter in t.axes:
                if letter.name == "e":
                    return f"{t.name}.numel()"
                return f"{t.name}.shape[{t.axes.index(letter)}]"
        raise KeyError(letter)

    def _layout(self) -> Iterator[str]:
        plan, lead = self.plan, self.lead
        both = self.kernels.columns is not None and self.kernels.rows is not None
        if both:
            inner = lead.axes.index(plan.inner)
            yield "# Vectors run along the classes where those are neighbours in memory."
            lane = lead.axes.index(plan.lane)
            yield (f"§rows = {lead.name}.shape[{lane}] == 1 or {lead.name}.stride({inner}) == 1")
        for t in self.spec.tensors:
            code = self._laid_out(t, both)
            if code:
                if t.optional:
                    code = f"None if {t.name} is None else {code}"
                yield f"{t.name} = {code}"

    def _laid_out(self, t: TensorArg, both: bool) -> str:
        plan = self.plan
        if not t.axes:
            return ""
        if t.axes[0].name == "e":
            return f"{t.name}.contiguous()"
        lane = t.axes.index(plan.lane) if plan.lane in t.axes else None
        inner = t.axes.index(plan.inner) if plan.inner in t.axes else None
        if both and lane is not None and inner is not None:
            return f"_laid_out({t.name}, {inner} if §rows else {lane})"
        axis = inner if plan.lane is None or lane is None else lane
        if axis is None or axis == len(t.axes) - 1 or any(y.name.isdigit() for y in t.axes):
            return f"{t.name}.contiguous()"
        return f"_laid_out({t.name}, {axis})"

    def _scale(self) -> Iterator[str]:
        item = self.plan.program.statement(self.plan.item)
        count = " * ".join(extent(y) for y in item.free) or "1"
        yield "§scale = 1.0"
        yield 'if reduction == "mean":'
        if self.plan.divisor is None:
            yield f"    §scale = _quotient(1.0, {count})"
        else:
            unit = self.f.unit_divisor()
            lines = list(self._divisor())
            if unit is not None:
                yield f"    if {self.f.options.opposite(unit)}:"
                yield f"        §scale = _quotient(1.0, {count})"
                yield "    else:"
                yield from (f"        {line}" for line in lines)
            else:
                yield from (f"    {line}" for line in lines)
        for name, expr in self.spec.divisors:
            yield f'elif reduction == "{name}":'
            yield f"    §scale = _quotient(1.0, {self.f.options.operand(expr)})"

    def _divisor(self) -> Iterator[str]:
        assert self.kernels.divisor is not None
        switches = ", ".join(self._switches())
        switches = f", {switches}" if switches else ""
        off = ", ".join(["False"] * len(self.sources))
        yield "§weights = ctypes.c_double()"
        yield (
            f'§add_up = _{self.stem}_kernel("{self.kernels.divisor.name}", {self.lead.name}.dtype, '
            f"False, True, {off}{switches})"
        )
        yield f"§status = §add_up({self._arguments('1.0', alone=True)})"
        yield f'_raise_if(§status, "{self.f.checks.function}")'
        yield "§scale = _quotient(1.0, §weights.value)"

    def _arguments(self, upstream: str, *, alone: bool = False) -> str:
        """What a kernel is called with, in the order of its parameters."""
        out: list[str] = []
        for p in self._first().parameters:
            name, _, stride = p.source.partition(".stride(")
            if p.source == "total":
                out.append(f"ctypes.byref({'§weights' if alone else '§total'})")
            elif p.source in ("grad_loss", "loss", *self.plan.gradients):
                out.append("None" if alone else f"_address({p.source})")
            elif p.source in self.tensors:
                out.append(f"_address({p.source})")
            elif stride:
                t = self.spec.tensor(name)
                if t.axes[0].name == "e":
                    out.append("1")
                elif t.optional:
                    out.append(f"_stride({name}, {stride}")
                else:
                    out.append(p.source)
            elif p.source.startswith("size_"):
                out.append(extent(p.source.removeprefix("size_")))
            elif p.source == "upstream":
                out.append(upstream)
            elif p.source == "team":
                out.append("_threads()")
            else:
                out.append(p.source)
        return ", ".join(out)

    # --- compiled functions -----------------------------------------------------------------

    def _switches(self) -> list[str]:
        """Code for each condition and exponent that C is compiled for."""
        out = []
        for c in self.kernels.conditions:
            if isinstance(c, Given):
                out.append(f"{c.name} is not None")
            elif isinstance(c, Param):
                out.append(f"bool({c.name})")
            else:
                assert isinstance(c, Compare)
                out.append(self.f.options.code(c).strip("()"))
        return [*out, *(f"_whole({p.name})" for p in self.kernels.exponents)]

    def _kernel(self) -> Iterator[str]:
        names = [f"need_{x}" for x in self.sources]
        switches = [macro(c).lower() for c in self.kernels.conditions]
        whole = [integer_macro(p).lower() for p in self.kernels.exponents]
        bools = ["items", "value", *names, *switches]
        typed = ", ".join((*(f"{x}: bool" for x in bools), *(f"{x}: int" for x in whole)))
        yield "@functools.cache"
        yield f"def _{self.stem}_kernel(name: str, dtype: torch.dtype, {typed}) -> Any:"
        yield '    """The kernel of that name, compiled for these switches."""'
        own = [x.upper() for x in (*bools, *whole)]
        told = [f'f"{x}={{{x.lower()}:d}}"' for x in own]
        told += [f'"{x}=0"' for x in self.every if x not in own]
        words = ", ".join(told)
        kinds = [_kind(p.declaration) for p in self._first().parameters]
        groups = [f"*[{kind}] * {len(list(run))}" for kind, run in groupby(kinds)]
        yield f"    switches = ({words})"
        yield f"    arguments = ({', '.join(groups)})"
        yield "    return _kernel_function(name, dtype, switches, arguments)"


def _kind(declaration: str) -> str:
    if "*" in declaration:
        return "ctypes.c_void_p"
    kinds = {"int64_t": "ctypes.c_int64", "double": "ctypes.c_double", "int": "ctypes.c_int"}
    return kinds[declaration.split()[0]]
