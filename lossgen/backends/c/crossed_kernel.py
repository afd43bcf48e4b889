"""The kernel of a loss whose rows meet themselves.

In: a ``Compiled`` loss.  Out: its ``Kernels``, as those of any other.

    int multilabel_margin_along_c(input, target, …)
        for each row: loops over it, and over two of its positions

What is not of this form raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterator

from lossgen.backends.c.crossed import Crossed, crossed
from lossgen.backends.c.crossed_rows import CrossedRows
from lossgen.backends.c.entry import entry
from lossgen.backends.c.joined import joined
from lossgen.backends.c.kernel import Kernel
from lossgen.backends.c.page import Kernels, decided, guarded
from lossgen.backends.c.parameters import parameters
from lossgen.backends.c.places import Places, decoded, indented, wrapped
from lossgen.backends.c.plan import Plan
from lossgen.backends.c.words import extent
from lossgen.compiled import Compiled


def crossed_kernels(compiled: Compiled, name: str) -> Kernels:
    """The kernels of a formula.

    Raises:
        Unsupported: where it has none.
    """
    whole = crossed(joined(compiled, meets=True)).program
    found = crossed(guarded(whole))  # for the gradients that it has
    item, *gradients = found.program.results
    plan = Plan(
        found.program, found.outer, None, found.inner, (), (), (), frozenset(), item, None,
        tuple(gradients),
    )  # fmt: skip
    takes = parameters(plan, compiled.spec, in_place=False)
    used: set[str] = set()
    lines = _lines(found, plan, used)
    doc = (compiled.spec.summary, "The positions of a row meet one another.")
    body = tuple(part for line in lines for part in wrapped(line))
    rows = Kernel(f"{name}_along_{found.inner}", doc, takes, body, frozenset(used))
    conditions, exponents = decided(plan)
    called = entry(plan, name, None, rows, None, again=found.inner)
    return Kernels(plan, None, rows, None, called, conditions, exponents)


def _lines(found: Crossed, plan: Plan, used: set[str]) -> Iterator[str]:
    """The body of the function."""
    rows = CrossedRows(found, plan, Places(plan, found.inner), used)
    runs = " * ".join(map(extent, found.outer))
    yield "int failure = 0;"
    yield "int *const status = &failure;"
    yield "const real seed = (real)upstream;"
    yield f"const int64_t runs = {runs};"
    square = f"{extent(found.inner)} * {extent(found.inner)}"
    yield f"const int64_t tasks = chunk_count(1, runs, runs * {square});"
    yield "double *const total_parts = calloc((size_t)tasks, sizeof(double));"
    yield "if (!total_parts)"
    yield "    return NO_MEMORY;"
    yield "#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)"
    yield "for (int64_t task = 0; task < tasks; task++) {"
    yield "    double *const total_part = total_parts + task;"
    yield from indented(rows.memory())
    yield "    const int64_t begin = runs * task / tasks, end = runs * (task + 1) / tasks;"
    yield "    for (int64_t run = begin; run < end; run++) {"
    places = (f"const int64_t {y} = {at};" for y, at in decoded("run", found.outer))
    yield from indented(indented(places))
    yield from indented(indented(rows.lines()))
    yield "    }"
    if found.stored:
        yield "    free(memory);"
    yield "}"
    yield "for (int64_t task = 0; task < tasks; task++)"
    yield "    *total += total_parts[task];"
    yield "free(total_parts);"
    yield "return failure;"
