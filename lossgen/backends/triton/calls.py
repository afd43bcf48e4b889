"""The Python between a functional form and its kernels in Triton.

In: a ``Formula`` and its ``Kernels``.  Out: definitions for the module, each as lines:

    _dice_in_triton  casts, lays out, applies the Function
    _DiceInTriton    the Function: what the value keeps, and the gradient from it
    _dice_eager      the loss in plain torch, for everything that a kernel does not take

It refuses nothing: a loss without kernels never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossgen.backends.c.page import Kernels
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.backends.triton.arguments import Arguments
from lossgen.page import FunctionPage, Lines


class TritonCalls(Arguments):
    """The definitions for one formula."""

    def __init__(self, f: Formula, kernels: Kernels, eager: FunctionPage) -> None:
        super().__init__(f, kernels, eager)
        self.function = f"{f.autograd}InTriton"

    def definitions(self) -> Iterator[Lines]:
        """All of them, in the order in which they call one another."""
        for lines in (self._entry, self._function, self.eager_form):
            yield tuple(self.named(line) for line in lines())

    # --- from the functional form -----------------------------------------------------------

    def _entry(self) -> Iterator[str]:
        lead = self.lead
        flat = bool(lead.axes) and lead.axes[0].name == "e"
        yield f"def _{self.stem}_in_triton({self.parameters()}) -> Tensor:"
        yield f'    """:func:`{self.f.functional}` by its kernels."""'
        for line in (*self.f.checks.cast("dtype"), *self.f.checks.layout()):
            yield f"    {line}"
        if flat:
            yield f"    shape = {lead.name}.shape"
            for t in self.spec.tensors:
                if t.axes:
                    code = f"{t.name}.reshape(-1)"
                    absent = f"None if {t.name} is None else " if t.optional else ""
                    yield f"    {t.name} = {absent}{code}"
        yield f"    apply: Callable[..., Tensor] = {self.function}.apply"
        call = f"apply({', '.join((*self.tensors, *self.options))})"
        if flat or self.f.checks.output_shape():
            yield f"    loss = {call}"
            yield '    return loss.reshape(shape) if reduction == "none" else loss'
        else:
            yield f"    return {call}"

    # --- the Function -----------------------------------------------------------------------

    def _function(self) -> Iterator[str]:
        tensors, options = self.tensors, self.options
        passed = ", ".join((*tensors, *options))
        typed = ", ".join((*self.typed_tensors(), *self.typed_options()))
        yield f"class {self.function}(torch.autograd.Function):"
        yield f'    """What stands behind :func:`_{self.stem}_in_triton`."""'
        yield ""
        yield "    @staticmethod"
        yield f"    def forward(ctx: Any, {typed}) -> Tensor:"
        yield "        loss: Tensor"
        yield f"        loss, *§kept = _triton_kernels().{self.stem}_value({passed})"
        yield f"        ctx.save_for_backward({', '.join(tensors)}, *§kept)"
        yield f"        ctx.options = {tuple_text(options)}"
        yield "        return loss"
        yield ""
        yield "    @staticmethod"
        yield "    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:"
        yield f"        {', '.join(tensors)}, *§kept = ctx.saved_tensors"
        yield f"        {tuple_text(options)} = ctx.options"
        others = self.others()
        one = "," if len(self.real) == 1 else ""
        tests = ["torch.is_grad_enabled()", "not torch._C._has_storage(grad_loss)", *others]
        yield f"        if {' or '.join(tests)}:"
        if others:
            yield "            # Summed over all elements, or to be differentiated again."
        yield "            §found = _through_autograd("
        yield f"                lambda: _{self.stem}_eager({passed}, grad_loss.dtype),"
        yield f"                ({', '.join(self.real)}{one}), {self.asked(self.real)}, grad_loss"
        yield "            )"
        yield f"            return {self.returned(self.real, '§found', len(options))}"
        yield f"        §gradients = _triton_kernels().{self.stem}_gradient("
        yield f"            {', '.join(tensors)}, *§kept, {', '.join(options)},"
        yield f"            {self.asked(self.sources)}, grad_loss"
        yield "        )"
        yield f"        return {self.returned(self.sources, '§gradients', len(options))}"
