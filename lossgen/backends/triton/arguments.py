"""What the functions around a formula's kernels take, and the sizes of its axes.

In: a ``Formula`` and its ``Kernels``.  Out: Python text.
"""

from __future__ import annotations

from lossgen.backends.kernel_arguments import KernelArguments
from lossgen.nodes import Letter


class Arguments(KernelArguments):
    """The sizes of the axes, besides the arguments of a formula's functions."""

    needs = "ctx.needs_input_grad"

    def letters(self) -> list[Letter]:
        """The axes of the inputs."""
        found = {y for a in self.plan.program.inputs for y in a.axes if not y.name.isdigit()}
        return [y for y in self.plan.program.order if y in found]

    def size(self, letter: Letter) -> str:
        """Code for the size of an axis."""
        for t in (self.lead, *(t for t in self.spec.tensors if not t.optional)):
            if letter in t.axes:
                return f"{t.name}.shape[{t.axes.index(letter)}]"
        raise KeyError(letter)
