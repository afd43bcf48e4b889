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

from collections.abc import Iterator

from lossgen.backends.c.one_call import OneCall
from lossgen.backends.torch_autograd import tuple_text
from lossgen.page import Lines


class KernelCalls(OneCall):
    """The definitions for one formula."""

    def definitions(self) -> Iterator[Lines]:
        """All of them, in the order in which they call one another."""
        for lines in (self._entry, self._function, self._call, self._kernel, self.eager_form):
            yield tuple(self.named(line) for line in lines())

    def one_call(self) -> Iterator[str]:
        """One call of a kernel alone."""
        return map(self.named, self._call())

    def one_kernel(self) -> Iterator[str]:
        """The kernel alone."""
        return map(self.named, self._kernel())

    # --- from the functional form -----------------------------------------------------------

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

    # --- the Function -----------------------------------------------------------------------

    def _function(self) -> Iterator[str]:
        tensors = self.tensors
        wanted = self.asked(self.sources)
        typed = ", ".join(self.typed_tensors())
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
        others = self.others()
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
        yield f"            return {self.returned(self.sources, '§gradients', 1)}"
        yield "        §gradients = None  # frees its memory"
        yield f"        {tuple_text(tensors)} = ctx.saved_tensors"
        yield f"        {tuple_text(self.options)} = ctx.options"
        yield "        §needs = ctx.needs_input_grad"
        one = "," if len(self.real) == 1 else ""
        yield f"        if {' or '.join(['§plain', *others])}:"
        if others:
            yield "            # Summed over all elements, or to be differentiated again."
        yield "            §found = _through_autograd("
        given = f"{passed}, {', '.join(self.options)}, grad_loss.dtype"
        yield f"                lambda: _{self.stem}_eager({given}),"
        yield f"                ({', '.join(self.real)}{one}), {self.asked(self.real)}, grad_loss"
        yield "            )"
        yield f"            return {self.returned(self.real, '§found', 1)}"
        yield f"        §wanted = {wanted}"
        yield '        if reduction == "none":'
        again = f"_, §gradients = _call_{self.stem}({passed}, ctx.options, §wanted"
        yield f"            {again}, 1.0, grad_loss)"
        yield "        else:"
        yield f"            §upstream = {self.function}.upstream = float(grad_loss.item())"
        yield f"            {again}, §upstream)"
        yield f"        return {self.returned(self.sources, '§gradients', 1)}"
