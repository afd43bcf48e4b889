"""The Python that runs a formula's kernels: memory for the results, sizes, strides, the reduction.

In: a ``Formula`` and its ``Kernel``s.  Out: two definitions, each as lines:

    dice_value(input, target, smooth, reduction)        the loss, and what the gradient needs of it
    dice_gradient(input, target, …, grad_loss, wanted)  the gradients wanted

Nothing here reads a number of the device, so that nothing waits for it. A local name is marked by
``§``, so that an option of the loss may have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossgen.backends.c.conditions import integer_macro, macro
from lossgen.backends.c.words import extent
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.triton.arguments import Arguments
from lossgen.backends.triton.conditions import switch
from lossgen.backends.triton.kernel import Kernel
from lossgen.nodes import Letter
from lossgen.page import Lines
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kernel, and what the caller passes for it."""

    declaration: str
    argument: str


class Launches:
    """The definitions for one formula."""

    def __init__(self, call: Arguments, kernels: Sequence[Kernel]) -> None:
        self.call, self.plan, self.f = call, call.plan, call.f
        self.kernels = {k.task.kind: k for k in kernels}
        self.item = self.plan.program.statement(self.plan.item)
        self.divides = self.plan.divisor is not None
        self.conditions = dict.fromkeys(map(switch, call.kernels.conditions))
        first = self.kernels.get("sums")
        self.sums = () if first is None else first.task.sums

    def kernel_name(self, kind: str) -> str:
        """The name of a kernel."""
        return f"_{self.call.stem}_{kind}_kernel"

    # --- what a kernel takes ----------------------------------------------------------------

    def pointers(self, kind: str) -> tuple[str, ...]:
        """The tensors that a kernel reads and writes."""
        kernel = self.kernels[kind]
        inputs = [a.name for a in self.plan.program.inputs if a.name != f"grad_{self.plan.item}"]
        out = {
            "value": ["loss", "divisor"],
            "items": ["loss"],
            "sums": [x.name for x in self.sums],
            "slopes": [x.name for x in kernel.task.writes],
            "gradient": list(self.plan.gradients),
        }[kind]
        names = dict.fromkeys((*inputs, *kernel.task.reads, "grad_loss", *out))
        return tuple(x for x in names if f"{x}_ptr" in kernel.words)

    def parameters(self, kind: str) -> tuple[Parameter, ...]:
        """All that a kernel takes, in order."""
        kernel = self.kernels[kind]
        words = kernel.words
        out = [Parameter(f"{x}_ptr", x) for x in self.pointers(kind)]
        if "parts" in words:
            out.append(Parameter("parts", "§parts"))
        out.append(Parameter("count", self._count(kernel)))
        out += [Parameter(f"{extent(y)}", extent(y)) for y in self.letters() if extent(y) in words]
        for a in self.plan.program.inputs:
            name = "grad_loss" if a.name == f"grad_{self.plan.item}" else a.name
            for k, y in enumerate(a.axes):
                if f"{name}_{y}" in words:
                    optional = f"_stride({name}, {k})" if a.optional else f"{name}.stride({k})"
                    out.append(Parameter(f"{name}_{y}", optional))
        for p in self.f.spec.parameters:
            if p.name in words:
                own = ": tl.float64" if p.role.kind == "real" else ""
                out.append(Parameter(f"{p.name}{own}", p.name))
        return tuple(out)

    def switches(self, kind: str) -> tuple[Parameter, ...]:
        """What a kernel is compiled for."""
        words = self.kernels[kind].words
        told = [("ITEMS", "§items")]
        told += [(f"NEED_{x.upper()}", f"need_{x}") for x in self.call.sources]
        told += [(macro(c), self.call.switch(c)) for c in self.conditions]
        told += [(integer_macro(p), f"_whole({p.name})") for p in self.call.kernels.exponents]
        return tuple(
            Parameter(f"{name}: tl.constexpr", f"{name}={code}")
            for name, code in told
            if name in words
        )

    def letters(self) -> list[Letter]:
        """The axes of the inputs."""
        return self.call.letters()

    def options(self, kind: str) -> Lines:
        """The options of a kernel that are real numbers: the interpreter hands on Python's."""
        words = self.kernels[kind].words
        return tuple(
            f"{p.name} = tl.full((), {p.name}, tl.float64)"
            for p in self.f.spec.parameters
            if p.name in words and p.role.kind == "real"
        )

    # --- one launch -------------------------------------------------------------------------

    def _count(self, kernel: Kernel) -> str:
        return " * ".join(extent(y) for y in kernel.task.rows) or "1"

    def _launch(self, kind: str) -> str:
        kernel = self.kernels[kind]
        passed = [self.kernel_name(kind)]
        splits = " * ".join(extent(y) for y in kernel.task.split)
        passed.append(f"({splits or '1'}, {self._count(kernel)})")
        passed += [p.argument for p in (*self.parameters(kind), *self.switches(kind))]
        if kernel.task.inner is not None:
            passed.append("BLOCK=§block")
        return f"_launch({', '.join(passed)}, **§types)"

    def _sizes(self, kinds: Sequence[str]) -> Iterator[str]:
        sizes = {y: self.call.size(y) for y in self.letters()}
        yield f"{', '.join(map(extent, sizes))} = {', '.join(sizes.values())}"
        if any(self.kernels[k].task.inner is not None for k in kinds):
            yield f"§block = _block({extent(self.plan.inner)})"

    def _types(self) -> str:
        return f"§types = _types({', '.join(self.call.tensors)})"

    def _rows_of_parts(self, kind: str) -> str:
        kernel = self.kernels[kind]
        block = ", §block" if kernel.task.inner is not None else ""
        return f"_parts({self._count(kernel)}{block})"

    def _shape(self, letters: Sequence[Letter]) -> str:
        return "".join(f", {extent(y)}" for y in letters)

    # --- the value --------------------------------------------------------------------------

    def value(self) -> Iterator[str]:
        """The loss."""
        call = self.call
        typed = ", ".join((*call.typed_tensors(), *call.typed_options()))
        yield f"def {call.stem}_value({typed}) -> tuple[Tensor, ...]:"
        kept = self.kept()
        also = f", and what its gradient needs: {', '.join(kept)}" if kept else ""
        yield f'    """The loss{also}."""'
        body = self._by_sums() if self.sums else self._by_rows()
        yield from (f"    {line}" for line in body)

    def kept(self) -> list[str]:
        """What the value hands to the gradient."""
        return [x.name for x in self.sums] or (["divisor"] if self.divides else [])

    def _by_rows(self) -> Iterator[str]:
        like = self.call.like.name
        yield from self._sizes(["value"])
        yield self._types()
        yield '§items = reduction == "none"'
        yield f"§parts = {self._rows_of_parts('value')}"
        shape = ", ".join(extent(y) for y in self.item.free)
        one = "," if len(self.item.free) == 1 else ""
        yield f"loss = _zeros({like}, *(({shape}{one}) if §items else (§parts,)))"
        if self.divides:
            yield f"divisor = _zeros({like}, §parts)"
        yield self._launch("value")
        also = ", divisor" if self.divides else ""
        yield "if §items:"
        yield f"    return loss.to({like}.dtype){also or ','}"
        if self.divides:
            yield "divisor = divisor.sum(dtype=torch.float64)"
        yield "loss = loss.sum(dtype=torch.float64)"
        yield from self._reduced("loss = loss")
        yield f"return loss.to({like}.dtype){also or ','}"

    def _by_sums(self) -> Iterator[str]:
        like = self.call.like.name
        yield from self._sizes(["sums", "items"])
        yield self._types()
        yield f"§parts = {self._rows_of_parts('sums')}"
        split, inner = self.kernels["sums"].task.split, self.plan.inner
        for x in self.sums:
            own = f", {extent(inner)}" if inner in x.free else ""
            yield f"{x.name} = _zeros({like}{self._shape(split)}, §parts{own})"
        yield self._launch("sums")
        for x in self.sums:
            gone = [str(k) for k, y in enumerate(split) if y not in x.free] + [str(len(split))]
            axes = gone[0] if len(gone) == 1 else f"({', '.join(gone)})"
            yield f"{x.name} = {x.name}.sum({axes}, dtype=torch.float64)"
        yield f"loss = _zeros({like}{self._shape(self.item.free)})"
        yield self._launch("items")
        kept = ", ".join(x.name for x in self.sums)
        yield 'if reduction != "none":'
        yield "    loss = loss.sum(dtype=torch.float64)"
        yield from self._reduced("loss = loss")
        yield f"return loss.to({like}.dtype), {kept}"

    def _reduced(self, start: str) -> Iterator[str]:
        """The division that a reduction asks for."""
        count = " * ".join(extent(y) for y in self.item.free) or "1"
        over = "divisor" if self.divides else f"({count})" if " " in count else count
        yield 'if reduction == "mean":'
        yield f"    {start} / {over}"
        for name, expr in self.f.spec.divisors:
            yield f'elif reduction == "{name}":'
            yield f"    {start} / {self.f.options.operand(expr)}"

    # --- the gradient -----------------------------------------------------------------------

    def gradient(self) -> Iterator[str]:
        """The gradients."""
        call = self.call
        kept = [f"{x}: Tensor" for x in self.kept()]
        typed = ", ".join(
            (*call.typed_tensors(), *kept, *call.typed_options(), "§wanted: Sequence[bool]",
             "grad_loss: Tensor")
        )  # fmt: skip
        yield f"def {call.stem}_gradient({typed}) -> list[Tensor | None]:"
        yield '    """The gradients wanted, for the upstream gradient of the loss."""'
        yield from (f"    {line}" for line in self._gradient())

    def _gradient(self) -> Iterator[str]:
        call = self.call
        like = call.like.name
        for name in call.sources:
            dense = f"_dense({name})"
            if self.f.spec.tensor(name).optional:
                dense = f"None if {name} is None else {dense}"
            yield f"{name} = {dense}"
        kinds = [k for k in ("slopes", "gradient") if k in self.kernels]
        yield from self._sizes(kinds)
        yield self._types()
        needs = [f"need_{x}" for x in call.sources]
        yield f"{tuple_text(needs)} = §wanted"
        yield from self._reduced("grad_loss = grad_loss.double()")
        shape = ", ".join(extent(y) for y in self.item.free)
        yield f"grad_loss = grad_loss.expand({shape or '()'})"
        if "slopes" in self.kernels:
            for x in self.kernels["slopes"].task.writes:
                yield f"{x.name} = {like}.new_zeros({self._tuple(x)}, dtype=torch.float64)"
            yield self._launch("slopes")
        for name in call.sources:
            given = f" and {name} is not None" if self.f.spec.tensor(name).optional else ""
            yield f"d_{name} = torch.empty_like({name}) if need_{name}{given} else None"
        yield self._launch("gradient")
        yield f"return [{', '.join(f'd_{x}' for x in call.sources)}]"

    def _tuple(self, x: Statement) -> str:
        shape = ", ".join(extent(y) for y in x.free)
        return f"({shape}{',' if len(x.free) == 1 else ''})"
