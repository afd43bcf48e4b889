"""One call of a kernel from Python: memory for the results, layout, scale, faults.

In: a ``Formula`` and its ``Kernels``.  Out: the definitions of ``_call_dice`` and ``_dice_kernel``.
A local name is marked by ``§``, so that an option of the loss may have it.

It refuses nothing: a loss without kernels never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossgen.backends.c.conditions import integer_macro, macro
from lossgen.backends.c.dimensions import Dimensions
from lossgen.backends.c.entry import packing
from lossgen.backends.c.page import SHORTEST, STREAMED, layouts
from lossgen.backends.c.words import ROWS, SHORT, extent
from lossgen.backends.torch_autograd import tuple_text
from lossgen.program import Statement


class OneCall(Dimensions):
    """How a formula's kernels are called."""

    # --- one call ---------------------------------------------------------------------------

    def _call(self) -> Iterator[str]:
        typed = ", ".join(self.typed_tensors())
        yield (
            f"def _call_{self.stem}({typed}, §options: tuple[Any, ...], §wanted: Sequence[bool], "
            "§upstream: float, grad_loss: Tensor | None = None) -> "
            "tuple[Tensor, list[Tensor | None]]:"
        )
        yield '    """The loss and the gradients wanted, for one upstream gradient or one each."""'
        yield from (f"    {line}" for line in self._call_body())

    def _call_body(self) -> Iterator[str]:
        like = self.like.name
        yield f"{tuple_text(self.options)} = §options"
        yield '§items = reduction == "none"'
        yield from self._sizes()
        yield from self._layout()
        needs = [f"need_{x}" for x in self.sources]
        yield f"{tuple_text(needs)} = §wanted"
        switches = ["§items", "grad_loss is None", *self._along(), *needs, *self._switches()]
        yield f"§kernel = _{self.stem}_kernel({like}.dtype, {', '.join(switches)})"
        made = f"{like}.new_empty({self._item_shape()})"
        if self._item().free:
            made = f"{made} if §items else torch.empty_like(_a_number({like}.dtype))"
        yield f"loss = {made}"
        for x in self.sources:
            given = f" and {x} is not None" if self.spec.tensor(x).optional else ""
            room = x if self.kernels.in_place else f"_gradient_like({x})"
            yield f"d_{x} = {room} if need_{x}{given} else None"
        if self._item().free:
            yield "if grad_loss is not None:"
            yield "    grad_loss = grad_loss.contiguous()"
        yield from self._scale()
        yield f"§status = §kernel({self._pack}({self._arguments()}))"
        yield "if §status:"
        yield f'    _raise_fault(§status, "{self.f.checks.function}")'
        yield f"return loss, [{', '.join(map(self._as_given, self.sources))}]"

    def _along(self) -> list[str]:
        """Code for each switch of the layout."""
        short = f"{extent(self.plan.inner)} < {SHORTEST}"
        told = {
            ROWS: "§rows",
            SHORT: f"§rows and {short}" if self.kernels.both else short,
            STREAMED: f"_streamed({self.lead.name})",
        }
        return [told[x] for x in layouts(self.kernels)]

    def _item(self) -> Statement:
        """The unreduced loss."""
        return self.plan.program.statement(self.plan.item)

    @property
    def _pack(self) -> str:
        """The name of what packs the argument."""
        return f"_pack_{self.stem}"

    def _scale(self) -> Iterator[str]:
        count = " * ".join(extent(y) for y in self._item().free) or "1"
        if self.plan.divisor is not None:
            unit = self.f.unit_divisor()
            given = f" and not ({self.f.options.opposite(unit)})" if unit is not None else ""
            yield f'§weigh = reduction == "mean"{given}'
        yield "§scale = 1.0"
        if self.plan.divisor is None or self.f.unit_divisor() is not None:
            other = "" if self.plan.divisor is None else " and not §weigh"
            yield f'if reduction == "mean"{other}:'
            yield f"    §scale = _quotient(1.0, {count})"
        for name, expr in self.spec.divisors:
            yield f'if reduction == "{name}":'
            yield f"    §scale = _quotient(1.0, {self.f.options.operand(expr)})"

    def _arguments(self) -> str:
        """What is packed, in order."""
        own = {"team": "_threads()", "upstream": "§upstream"}
        out: list[str] = []
        for m in self.kernels.members:
            name, _, axis = m.source.partition(".stride(")
            if axis == "0)":  # with those of the other axes
                out.append(self._strides(self.spec.tensor(name)))
            elif axis:
                continue
            elif m.source.startswith("size_"):
                out.append(extent(m.source.removeprefix("size_")))
            elif m.kind == "pointer":
                given = {t.name for t in self.spec.tensors if not t.optional} | {"loss"}
                missing = "" if m.source in given else f"0 if {m.source} is None else "
                out.append(f"{missing}{m.source}.data_ptr()")
            else:
                out.append(own.get(m.source, m.source))
        return ", ".join(out)

    # --- compiled functions -----------------------------------------------------------------

    def _switches(self) -> list[str]:
        """Code for each condition and exponent that C is compiled for."""
        out = map(self.switch, self.kernels.conditions)
        return [*out, *(f"_whole({p.name})" for p in self.kernels.exponents)]

    def _kernel(self) -> Iterator[str]:
        names = [f"need_{x}" for x in self.sources]
        switches = [macro(c).lower() for c in self.kernels.conditions]
        whole = [integer_macro(p).lower() for p in self.kernels.exponents]
        bools = ["items", "value", *(x.lower() for x in layouts(self.kernels)), *names, *switches]
        typed = ", ".join((*(f"{x}: bool" for x in bools), *(f"{x}: int" for x in whole)))
        yield "@functools.cache"
        yield f"def _{self.stem}_kernel(dtype: torch.dtype, {typed}) -> Callable[[bytes], int]:"
        yield '    """The function of the C file, compiled for these switches."""'
        own = [x.upper() for x in (*bools, *whole)]
        told = [f'f"{x}={{{x.lower()}:d}}"' for x in own]
        formula = self.kernels.entry.name.upper()
        told += [f'"{x}={x == formula:d}"' for x in self.every if x not in own]
        yield f"    switches = ({', '.join(told)})"
        yield f'    return _kernel_function("{self.kernels.entry.name}", dtype, switches)'
        yield ""
        yield ""
        yield f"# What `struct {self.kernels.entry.name}_call` of the C file holds."
        yield f'{self._pack} = struct.Struct("{packing(self.kernels.members)}").pack'
