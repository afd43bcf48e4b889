"""What a kernel takes, in order: tensors, where results go, sizes, strides, options.

In: a ``Plan`` and its spec.  Out: the ``Parameter``s of each of the kernels of a loss.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.backends.c.places import dense
from lossgen.backends.c.plan import Plan
from lossgen.backends.c.words import c_name, extent
from lossgen.nodes import Letter
from lossgen.roles import Kind
from lossgen.spec import LossSpec

_TYPES: dict[Kind, str] = {"real": "scalar", "integer": "int64_t", "boolean": "uint8_t"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kernel.

    Attributes:
        source: what the caller passes: a tensor, its stride or size along an axis, or an option.
    """

    declaration: str
    source: str


def parameters(plan: Plan, spec: LossSpec, *, in_place: bool) -> tuple[Parameter, ...]:
    """What every kernel of a loss takes, in order; `in_place`: gradients stand for their inputs."""
    out: list[Parameter] = []
    inputs = [a for a in plan.program.inputs if a.name != f"grad_{plan.item}"]
    over = {g.removeprefix("d_") for g in plan.gradients} if in_place else {*()}
    for a in inputs:
        alone = "" if a.name in over else "restrict "
        out.append(Parameter(f"const {_TYPES[a.kind]} *{alone}{a.name}", a.name))
    out.append(Parameter("const scalar *restrict grad_loss", "grad_loss"))
    alone = "" if in_place else "restrict "
    out += [Parameter(f"scalar *{alone}{g}_out", g) for g in plan.gradients]
    out.append(Parameter("scalar *restrict loss_out", "loss"))
    out.append(Parameter("double *restrict total", "total"))
    out += [Parameter(f"int64_t {extent(y)}", f"size_{y}") for y in extents(plan)]
    for a in inputs:
        out += (
            []
            if dense(a)
            else [
                Parameter(f"int64_t {a.name}_{y}", f"{a.name}.stride({k})")
                for k, y in enumerate(a.axes)
            ]
        )
    out += [Parameter(f"double {c_name(p.name)}", p.name) for p in spec.parameters]
    out += [Parameter("double upstream", "upstream"), Parameter("int team", "team")]
    return tuple(out)


def extents(plan: Plan) -> tuple[Letter, ...]:
    """The letters whose sizes a kernel is told."""
    found = {y for a in plan.program.inputs for y in a.axes if not y.name.isdigit()}
    return tuple(y for y in plan.program.order if y in found)
