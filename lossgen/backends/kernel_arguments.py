"""What the functions around a formula's kernels take, whatever the kernels are written in.

In: a ``Formula`` and its ``Kernels``.  Out: Python text. A local name is marked by ``§``, so that
an option of the loss may have it.

    dice  →  input: Tensor, target: Tensor, smooth: float, reduction: str, dtype: torch.dtype
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import sympy as sp

from lossgen.backends.c.page import Kernels
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument
from lossgen.nodes import Compare, Given, Param
from lossgen.page import FunctionPage


class KernelArguments:
    """The arguments of a formula's functions, and what their gradients are called."""

    needs: ClassVar[str]  # what tells which gradients are asked for

    def __init__(self, f: Formula, kernels: Kernels, eager: FunctionPage) -> None:
        self.f, self.kernels, self.plan, self.eager = f, kernels, kernels.plan, eager
        self.spec, self.stem = f.spec, f.plain.lstrip("_")
        self.tensors = [t.name for t in f.spec.tensors]
        self.options = [*(p.name for p in f.spec.parameters), "reduction"]
        self.sources = [g.removeprefix("d_") for g in self.plan.gradients]
        self.real = [t.name for t in f.spec.tensors if t.role.kind == "real"]
        self.lead, self.like = f.checks.lead, f.checks.like

    def named(self, line: str) -> str:
        """A line in which local names, marked by ``§``, are none of the loss's own."""
        own = {*self.tensors, *self.options}
        return re.sub(r"§(\w+)", lambda m: f"{m[1]}_" if m[1] in own else m[1], line)

    def typed_tensors(self) -> list[str]:
        """The tensors, as parameters."""
        kinds = {t.name: "Tensor | None" if t.optional else "Tensor" for t in self.spec.tensors}
        return [f"{name}: {kind}" for name, kind in kinds.items()]

    def typed_options(self) -> list[str]:
        """The options, as parameters."""
        typed = [f"{a.name}: {a.annotation}" for a in map(parameter_argument, self.spec.parameters)]
        return [*typed, "reduction: str"]

    def parameters(self) -> str:
        """What the entry and the eager form take."""
        return ", ".join((*self.typed_tensors(), *self.typed_options(), "dtype: torch.dtype"))

    def arguments(self) -> str:
        """The same as passed on."""
        return ", ".join((*self.tensors, *self.options, "dtype"))

    def switch(self, condition: sp.Basic) -> str:
        """Code for a condition that a kernel is compiled for."""
        if isinstance(condition, Given):
            return f"{condition.name} is not None"
        if isinstance(condition, Param):
            return f"bool({condition.name})"
        assert isinstance(condition, Compare)
        return self.f.options.code(condition).strip("()")

    def eager_form(self) -> Iterator[str]:
        """The loss in plain torch, for whatever the kernels do not take."""
        yield f"def _{self.stem}_eager({self.parameters()}) -> Tensor:"
        yield f'    """:func:`{self.f.functional}` in plain torch."""'
        yield from (f"    {line}" if line else "" for line in self.eager.body)

    # --- gradients --------------------------------------------------------------------------

    def returned(self, sources: Sequence[str], found: str, options: int) -> str:
        """A backward's result: the gradients of `sources`, and nothing for all else."""
        rest = ["None"] * options
        if sources == self.tensors[: len(sources)]:
            return ", ".join([f"*{found}", *["None"] * (len(self.tensors) - len(sources)), *rest])
        each = [f"{found}[{sources.index(x)}]" if x in sources else "None" for x in self.tensors]
        return ", ".join([*each, *rest])

    def asked(self, sources: Sequence[str]) -> str:
        """Code for which gradients of these tensors are asked for."""
        places = [self.tensors.index(x) for x in sources]
        if places == list(range(len(places))):
            return f"{self.needs}[:{len(places)}]"
        return f"({''.join(f'{self.needs}[{k}], ' for k in places)})"

    def others(self) -> list[str]:
        """Code for each gradient that the kernels do not give."""
        missing = [x for x in self.real if x not in self.sources]
        return [f"{self.needs}[{self.tensors.index(x)}]" for x in missing]
