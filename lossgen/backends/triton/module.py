"""A module whose CUDA path is the Triton kernels beside it.

In: a ``Compiled`` loss.  Out: its ``ModulePage``, with the page of the file of kernels.

    dice_loss → checks → _dice_in_triton (CUDA, nothing traced) or _dice_eager (everything else)

A loss without kernels gets its eager page.
"""

from __future__ import annotations

import re
from dataclasses import replace

from lossgen.backends.c import Unsupported
from lossgen.backends.c.module import eager_tail, refusals
from lossgen.backends.c.neighbours import reads_neighbours
from lossgen.backends.c.page import Kernels, kernels_of
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_module import module_page
from lossgen.backends.triton.calls import TritonCalls
from lossgen.backends.triton.kernel import Kernel, kernel
from lossgen.backends.triton.launch import Launches
from lossgen.backends.triton.maths import maths_source
from lossgen.backends.triton.tasks import tasks
from lossgen.compiled import Compiled
from lossgen.page import FunctionPage, Lines, ModulePage, TritonKernelPage, TritonPage

IMPORTS = (
    "import functools",
    "import importlib.util",
    "import os",
    "from collections.abc import Callable, Sequence",
    "from pathlib import Path",
    "from typing import Any, ClassVar",
    "import torch",
)


def triton_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module, with kernels where it has any."""
    formulas = [Formula(compiled, public=True)]
    if compiled.floating is not None:
        formulas.append(Formula(compiled.floating, public=False))
    try:
        planned = [kernels_of(f.compiled, f.plain.lstrip("_")) for f in formulas]
        if any(map(reads_neighbours, (k.plan.program for k in planned))):
            raise Unsupported("it reads neighbours")
        found = [[kernel(k.plan, task) for task in tasks(k.plan)] for k in planned]
        maths = maths_source(frozenset().union(*(k.used for made in found for k in made)))
    except Unsupported as why:
        return replace(
            module_page(compiled), note=f"no kernel in Triton, because {why}: plain torch"
        )
    page = module_page(compiled)
    functions, calls = {x.name: x for x in page.functions}, list[Lines]()
    definitions, kernels = list[Lines](), list[TritonKernelPage]()
    for f, own, made in zip(formulas, planned, found, strict=True):
        form, call = _with_kernels(f, own, functions[f.functional])
        functions[f.functional] = form
        calls += call.definitions()
        launches = Launches(call, made)
        definitions += [
            tuple(map(call.named, lines)) for lines in (launches.value(), launches.gradient())
        ]
        kernels += [_kernel_page(launches, k) for k in made]
    return replace(
        page,
        imports=(*page.imports, *IMPORTS),
        functions=tuple(functions.values()),
        kernel_calls=tuple(calls),
        runtime=("triton_calls.py.jinja", "through_autograd.py.jinja"),
        kernels=TritonPage(
            doc=(f"{compiled.spec.summary.rstrip('.')}: kernels in Triton.", "", *_ABOUT),
            exported=tuple(
                sorted(
                    f"{f.plain.lstrip('_')}_{x}" for f in formulas for x in ("gradient", "value")
                )
            ),
            launches=tuple(definitions),
            kernels=tuple(kernels),
            maths=maths,
            # What is not equal to itself is NaN.
            compares_with_itself=re.search(r"\b(\w+) [!=]= \1\b", maths) is not None,
        ),
    )


_ABOUT = (
    "A kernel computes in float32, for float64 tensors in float64. ``ptr`` is where a tensor",
    "begins, and a name with an axis its stride. Sums of blocks are added by torch, in the same",
    "order each time: nothing is added atomically.",
)


def _with_kernels(
    f: Formula, kernels: Kernels, page: FunctionPage
) -> tuple[FunctionPage, TritonCalls]:
    """The functional form that takes the kernels where it can, and its definitions."""
    tail = FunctionPage("", "", (), tuple(eager_tail(f, page)))
    call = TritonCalls(f, kernels, tail)
    stem = call.stem
    tensors = ", ".join(t.name for t in f.spec.tensors)
    body = [
        *refusals(f, page),
        *f.checks.dtypes(),
        "",
        f"if _on_device(dtype, {tensors}):",
        f"    loss = _{stem}_in_triton({call.arguments()})",
        "else:",
        f"    loss = _{stem}_eager({call.arguments()})",
    ]
    if f.checks.unbatched_rank is not None:
        body.append('return loss.squeeze(0) if unbatched and reduction == "none" else loss')
    else:
        body.append("return loss")
    return replace(page, body=tuple(body)), call


_DOCS = {
    "value": "The loss of each {item}, or its sum over a block of them.",
    "sums": "Sums over a block of elements.",
    "items": "The loss of each item, from its sums.",
    "slopes": "What the gradient needs of each item, from its sums.",
    "gradient": "The gradient, for the upstream gradient of each item.",
}


def _kernel_page(launches: Launches, k: Kernel) -> TritonKernelPage:
    kind, inner = k.task.kind, k.task.inner
    parameters = [p.declaration for p in (*launches.parameters(kind), *launches.switches(kind))]
    parameters += ["REAL: tl.constexpr", "INDEX: tl.constexpr"]
    if inner is not None:
        parameters.append("BLOCK: tl.constexpr")
    parameters.append("TILE: tl.constexpr")
    parts = {"value": ["loss", "divisor"], "sums": [x.name for x in launches.sums]}.get(kind, [])
    partial = [x for x in launches.pointers(kind) if x in parts]
    return TritonKernelPage(
        name=launches.kernel_name(kind),
        doc=_DOCS[kind].format(item="row" if inner is not None else "element"),
        parameters=tuple(parameters),
        body=(*launches.options(kind), *k.body),
        key="" if inner is None else '"BLOCK"',
        partial=", ".join(f'"{x}_ptr"' for x in partial),
    )
