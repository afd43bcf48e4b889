"""The Python between a functional form and its kernel.

In: a ``Formula`` and its ``Kernels``.  Out: definitions for the module, each as lines:

    _dice_in_c       casts, lays out, applies the Function
    _DiceInC         the Function: a gradient computed with the loss, handed out once
    _call_dice       one call of a kernel: memory for the results, scale, faults
    _dice_kernel     the C function compiled for these switches
    _dice_eager      the loss in plain torch, for everything that a kernel does not take

It refuses nothing: a loss without kernels never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lossgen.backends.c.one_call import OneCall
from lossgen.backends.torch_autograd import tuple_text
from lossgen.page import Lines


class KernelCalls(OneCall):
    """The definitions for one formula."""

    def definitions(self) -> Iterator[Lines]:
        """All of them, in the order in which they call one another."""
        for lines in (self._entry, self._function, self._call, self._kernel, self._eager):
            yield tuple(self._named(line) for line in lines())

    def one_call(self) -> Iterator[str]:
        """One call of a kernel alone."""
        return map(self._named, self._call())

    def one_kernel(self) -> Iterator[str]:
        """The kernel alone."""
        return map(self._named, self._kernel())

    def _named(self, line: str) -> str:
        """A line in which local names, marked by ``§``, are none of the loss's own."""
        own = {*self.tensors, *self.options}
        return re.sub(r"§(\w+)", lambda m: f"{m[1]}_" if m[1] in own else m[1], line)

    # --- from the functional form -----------------------------------------------------------

    def parameters(self) -> str:
        """What the entry and the eager form take."""
        parts = [*self._typed_tensors(), *self._typed_options(), "dtype: torch.dtype"]
        return ", ".join(parts)

    def arguments(self) -> str:
        """The same as passed on."""
        return ", ".join((*self.tensors, *self.options, "dtype"))

    def _entry(self) -> Iterator[str]:
        yield f"def _{self.stem}_in_c({self.parameters()}) -> Tensor | None:"
        yield f'    """:func:`{self.f.functional}` by its kernel; None where there is none."""'
        yield from (f"    {line}" for line in self._cast())
        yield "    try:"
        passed = ", ".join((*self.tensors, tuple_text(self.options, alone=True)))
        if len(self.options) > 1:
            passed = f"{', '.join(self.tensors)}, ({tuple_text(self.options)})"
        yield f"        return _applied({self.function}, {passed})"
        yield "    except _NoKernel:"
        yield "        return None"

    def _cast(self) -> Iterator[str]:
        """Every tensor in the dtype of the result, and as many elements as it is paired with."""
        lead = self.lead.name
        for t in self.spec.tensors:
            if t.role.kind == "real":
                test = f"{t.name}.dtype is not dtype"
                yield f"if {f'{t.name} is not None and ' if t.optional else ''}{test}:"
                yield f"    {t.name} = {t.name}.to(dtype)"
            elif t.role.kind == "integer":
                yield f"if {t.name}.dtype is not torch.int64:"
                yield f"    {t.name} = {t.name}.long()"
            if t.broadcast:
                test = f"{t.name}.shape != {lead}.shape"
                yield f"if {f'{t.name} is not None and ' if t.optional else ''}{test}:"
                yield f"    {t.name} = {t.name}.expand({lead}.shape)"

    def _eager(self) -> Iterator[str]:
        yield f"def _{self.stem}_eager({self.parameters()}) -> Tensor:"
        yield f'    """:func:`{self.f.functional}` in plain torch."""'
        yield from (f"    {line}" if line else "" for line in self.eager.body)

    # --- the Function -----------------------------------------------------------------------

    def _function(self) -> Iterator[str]:
        tensors = self.tensors
        wanted = self._wanted()
        typed = ", ".join(self._typed_tensors())
        nothing = tuple_text(["False"] * len(self.sources))
        passed = ", ".join(tensors)
        yield f"class {self.function}(torch.autograd.Function):"
        yield f'    """What stands behind :func:`_{self.stem}_in_c`."""'
        yield ""
        yield "    # A gradient comes with its loss, for the upstream gradient that came last."
        yield "    upstream = 1.0"
        yield ""
        yield "    @staticmethod"
        yield f"    def forward(ctx: Any, {typed}, §options: tuple[Any, ...]) -> Tensor:"
        others = self._others()
        at_once = '§options[-1] != "none"' + (f" and not ({' or '.join(others)})" if others else "")
        yield "        §needs = ctx.needs_input_grad"
        yield f"        §wanted = {wanted} if {at_once} else ({nothing})"
        yield f"        §upstream = {self.function}.upstream"
        yield (
            f"        loss, §gradients = _call_{self.stem}({passed}, §options, §wanted, §upstream)"
        )
        yield f"        ctx.save_for_backward({', '.join(tensors)})"
        yield "        ctx.options, ctx.upstream = §options, §upstream"
        yield "        ctx.gradients = §gradients if any(§wanted) else None"
        yield "        return loss"
        yield ""
        yield "    @staticmethod"
        yield "    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:"
        yield "        # Given away once: whoever gets a gradient may change it."
        yield "        §gradients, ctx.gradients = ctx.gradients, None"
        yield "        §plain = torch.is_grad_enabled() or not torch._C._has_storage(grad_loss)"
        yield "        §known = §gradients is not None and not §plain"
        yield "        if §known and grad_loss.item() == ctx.upstream:"
        yield f"            return {self._returned(self.sources, '§gradients')}"
        yield "        §gradients = None  # frees its memory"
        yield f"        {tuple_text(tensors)} = ctx.saved_tensors"
        yield f"        {tuple_text(self.options)} = ctx.options"
        yield "        §needs = ctx.needs_input_grad"
        real = [x.name for x in self.spec.tensors if x.role.kind == "real"]
        all_wanted = self._needs([tensors.index(x) for x in real])
        one = "," if len(real) == 1 else ""
        yield f"        if {' or '.join(['§plain', *others])}:"
        if others:
            yield "            # Summed over all elements, or to be differentiated again."
        yield "            §found = _through_autograd("
        given = f"{passed}, {', '.join(self.options)}, grad_loss.dtype"
        yield f"                lambda: _{self.stem}_eager({given}),"
        yield f"                ({', '.join(real)}{one}), {all_wanted}, grad_loss"
        yield "            )"
        yield f"            return {self._returned(real, '§found')}"
        yield f"        §wanted = {wanted}"
        yield '        if reduction == "none":'
        again = f"_, §gradients = _call_{self.stem}({passed}, ctx.options, §wanted"
        yield f"            {again}, 1.0, grad_loss)"
        yield "        else:"
        yield f"            §upstream = {self.function}.upstream = float(grad_loss.item())"
        yield f"            {again}, §upstream)"
        yield f"        return {self._returned(self.sources, '§gradients')}"

    def _returned(self, sources: list[str], found: str) -> str:
        """A backward's result: the gradients of `sources`, and nothing for all else."""
        rest = ["None"]
        if sources == self.tensors[: len(sources)]:
            return ", ".join([f"*{found}", *["None"] * (len(self.tensors) - len(sources)), *rest])
        each = [f"{found}[{sources.index(x)}]" if x in sources else "None" for x in self.tensors]
        return ", ".join([*each, *rest])

    def _wanted(self) -> str:
        return self._needs([self.tensors.index(x) for x in self.sources])

    def _needs(self, places: list[int]) -> str:
        if places == list(range(len(places))):
            return f"§needs[:{len(places)}]"
        return f"({''.join(f'§needs[{k}], ' for k in places)})"

    def _others(self) -> list[str]:
        """Gradients that a kernel does not give."""
        return [
            f"§needs[{k}]"
            for k, t in enumerate(self.spec.tensors)
            if t.role.kind == "real" and t.name not in self.sources
        ]
