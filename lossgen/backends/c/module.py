"""A module whose CPU path is the C kernel beside it.

In: a ``Compiled`` loss.  Out: its ``ModulePage``, with the page of the C file.

    dice_loss → checks → _dice_in_c (a kernel; CPU, nothing traced) or _dice_eager (everything else)

A loss without a kernel gets its eager page.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from lossgen.backends.c.calls import KernelCalls
from lossgen.backends.c.carried import carries
from lossgen.backends.c.crossed_kernel import crossed_kernels
from lossgen.backends.c.page import Kernels, apart, defines, kernels_of
from lossgen.backends.c.pair_calls import PairCalls
from lossgen.backends.c.pairs import Pairs, cut
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c_maths import function_names, maths_source, support_source
from lossgen.backends.c_runtime import IMPORTS
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_module import module_page
from lossgen.compiled import Compiled
from lossgen.page import FunctionPage, KernelPage, KernelsPage, Lines, ModulePage

_KEPT = ("- ``keep_gradients``: keeps the memory of gradients for later steps.",)
_IMPORTS = (
    "import functools",
    "import math",
    "import mmap",
    "import struct",
    "from typing import NoReturn",
)

_OF_BLOCKS = ("from typing import NamedTuple",)


def c_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module, with kernels where it has any."""
    formulas = [Formula(compiled, public=True)]
    if compiled.floating is not None:
        formulas.append(Formula(compiled.floating, public=False))
    try:
        cuts = [_kernels(f) for f in formulas]
    except Unsupported as why:
        return replace(module_page(compiled), note=f"no kernel in C, because {why}: plain torch")
    page = module_page(compiled)
    functions, calls = {x.name: x for x in page.functions}, list[Lines]()
    found = apart([kernels for kernels, _ in cuts])
    cuts = list(zip(found, (pairs for _, pairs in cuts), strict=True))
    switches = dict(pair for kernels in found for pair in defines(kernels))
    for f, (kernels, pairs) in zip(formulas, cuts, strict=True):
        made = _with_kernel(f, kernels, pairs, functions[f.functional], tuple(switches))
        functions[f.functional] = made[0]
        calls += made[1]
    by_blocks = ("c_pairs.py.jinja",) if any(pairs for _, pairs in cuts) else ()
    return replace(
        page,
        doc=(*page.doc[:-1], *_KEPT, page.doc[-1]),
        exported=tuple(sorted((*page.exported, "keep_gradients"))),
        imports=(*page.imports, *IMPORTS, *_IMPORTS, *_OF_BLOCKS[: len(by_blocks)]),
        functions=tuple(functions.values()),
        kernel_calls=tuple(calls),
        runtime=(
            *by_blocks,
            "c_calls.py.jinja",
            "through_autograd.py.jinja",
            "c_runtime.py.jinja",
        ),
        kernels=_kernels_page(compiled, found, switches),
    )


def _kernels(f: Formula) -> tuple[Kernels, Pairs | None]:
    """The kernels of a formula; where it pairs the rows of a batch, those of a block of rows."""
    stem = f.plain.lstrip("_")
    try:
        return kernels_of(f.compiled, stem, carry=True), None
    except Unsupported as why:
        with suppress(Unsupported):
            return crossed_kernels(f.compiled, stem), None
        try:
            pairs = cut(f.compiled)
        except Unsupported:
            raise why from None
    return kernels_of(pairs.block, f"{stem}_rows", in_place=True), pairs


def _with_kernel(
    f: Formula, kernels: Kernels, pairs: Pairs | None, page: FunctionPage, switches: Lines
) -> tuple[FunctionPage, list[Lines]]:
    """The functional form that asks a kernel first, and the definitions that it needs for it."""
    tail = FunctionPage("", "", (), tuple(eager_tail(f, page)))
    if pairs is None:
        calls = KernelCalls(f, kernels, tail, switches)
    else:
        calls = PairCalls(f, pairs, kernels, tail, switches)
    stem = f.plain.lstrip("_")
    tensors = ", ".join(t.name for t in f.spec.tensors)
    body = [
        *refusals(f, page),
        _dtype(f),
        "tracing = torch.compiler.is_compiling()",
        # Asked one by one, each of these costs more than a small batch should.
        "if (tracing or torch._C._is_any_autocast_enabled()) and "
        f"_in_autocast({f.checks.lead.name}.device.type):",
        "    dtype = torch.promote_types(dtype, torch.float32)",
        "loss = None",
        f"if not tracing and _native(dtype, {tensors}):",
        f"    loss = _{stem}_in_c({calls.arguments()})",
        "if loss is None:",
        f"    loss = _{stem}_eager({calls.arguments()})",
    ]
    if f.checks.unbatched_rank is not None:
        body.append('return loss.squeeze(0) if unbatched and reduction == "none" else loss')
    else:
        body.append("return loss")
    return replace(page, body=tuple(body)), list(calls.definitions())


def _dtype(f: Formula) -> str:
    """The dtype of the result; where it is that of one tensor, nothing is asked of others."""
    real = [t for t in f.spec.tensors if t.role.kind == "real"]
    given = [t for t in real if not t.optional]
    line = f.checks.dtypes()[0]
    if len(given) != 1 or len(real) == 1:
        return line
    absent = " is ".join((*(t.name for t in real if t.optional), "None"))
    return f"dtype = {given[0].name}.dtype if {absent} else {line.removeprefix('dtype = ')}"


def refusals(f: Formula, page: FunctionPage) -> Lines:
    """The lines before the dtypes: what is refused."""
    first = f.checks.dtypes()[0]
    return page.body[: page.body.index(first)]


def eager_tail(f: Formula, page: FunctionPage) -> list[str]:
    """The lines after the dtypes: casts, layout, the Function and the reduction."""
    dtypes = f.checks.dtypes()
    start = page.body.index(dtypes[0]) + len(dtypes)
    lines = list(page.body[start:])
    if f.checks.unbatched_rank is not None:
        at = lines.index("if unbatched:")
        del lines[at : at + 2]
    return ["compute = torch.promote_types(dtype, torch.float32)", *lines]


def _kernels_page(
    compiled: Compiled, found: Sequence[Kernels], switches: dict[str, str]
) -> KernelsPage:
    every = [k for kernels in found for k in kernels.all]
    used = frozenset().union(*(k.used for k in every))
    switches = switches | {
        "ITEMS": "whether there is a loss, and an upstream gradient, for each item",
        "VALUE": "whether the loss is wanted",
        "REAL_IS_DOUBLE": "whether it computes in double rather than float",
        "SCALAR_IS_BFLOAT16, SCALAR_IS_HALF": "whether tensors hold these, not what it computes in",
    }
    width = max(map(len, switches))
    # The page includes the headers itself.
    maths = maths_source(used & {*function_names()}).strip()
    maths = "\n\n".join(x for x in maths.split("\n\n") if not x.startswith("#include"))
    lines = (line for k in every for line in (*k.before, *k.body))
    return KernelsPage(
        doc=(compiled.spec.summary,),
        switches=tuple(f"{name:<{width}}  {words}" for name, words in switches.items()),
        carried=tuple(dict.fromkeys(x.upper() for k in found for x in carries(k.plan))),
        short=any(k.rows is not None and (k.columns is None or not k.plan.spreads) for k in found),
        support=support_source("\n".join((maths, *lines))),
        maths=maths,
        kernels=tuple(
            KernelPage(
                k.name,
                k.doc,
                tuple(p.declaration for p in k.parameters),
                tuple(map(_indented, k.body)),
                k.before,
                k.only,
            )
            for k in every
        ),
    )


def _indented(line: str) -> str:
    """A line of a function's body; what the preprocessor chooses by stands at the margin."""
    at_margin = not line or line.startswith(("#if ", "#else", "#endif"))
    return line if at_margin else f"    {line}"
