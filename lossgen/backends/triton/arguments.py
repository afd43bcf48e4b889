"""What a formula's functions take: its tensors, its options, the sizes of its axes.

In: a ``Formula`` and its ``Kernels``.  Out: Python text. A local name is marked by ``§``, so that
an option of the loss may have it.
"""

from __future__ import annotations

import re

import sympy as sp

from lossgen.backends.c.page import Kernels
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument
from lossgen.nodes import Compare, Given, Letter, Param


class Arguments:
    """The arguments of a formula's functions."""

    def __init__(self, f: Formula, kernels: Kernels) -> None:
        self.f, self.kernels, self.plan = f, kernels, kernels.plan
        self.spec, self.stem = f.spec, f.plain.lstrip("_")
        self.tensors = [t.name for t in f.spec.tensors]
        self.options = [*(p.name for p in f.spec.parameters), "reduction"]
        self.sources = [g.removeprefix("d_") for g in self.plan.gradients]
        self.lead = f.checks.lead

    def typed_tensors(self) -> list[str]:
        """The tensors, as parameters."""
        kinds = {t.name: "Tensor | None" if t.optional else "Tensor" for t in self.spec.tensors}
        return [f"{name}: {kind}" for name, kind in kinds.items()]

    def typed_options(self) -> list[str]:
        """The options, as parameters."""
        typed = [f"{a.name}: {a.annotation}" for a in map(parameter_argument, self.spec.parameters)]
        return [*typed, "reduction: str"]

    def named(self, line: str) -> str:
        """A line in which local names, marked by ``§``, are none of the loss's own."""
        own = {*self.tensors, *self.options}
        return re.sub(r"§(\w+)", lambda m: f"{m[1]}_" if m[1] in own else m[1], line)

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

    def switch(self, condition: sp.Basic) -> str:
        """Code for a condition that a kernel is compiled for."""
        if isinstance(condition, Given):
            return f"{condition.name} is not None"
        if isinstance(condition, Param):
            return f"bool({condition.name})"
        assert isinstance(condition, Compare)
        return self.f.options.code(condition).strip("()")
