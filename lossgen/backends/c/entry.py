"""The C function that Python calls: one for each formula, with one packed argument.

In: the kernels of a formula.  Out: a ``Kernel`` that calls them, and its ``Member``s.

    struct dice_call { const scalar *input; …; int64_t N; …; double upstream; double scale; };
    int dice(const struct dice_call *call)
        what the mean divides by → the kernel that suits the layout → the loss

One argument, since ctypes converts each by itself: twenty cost more than a small batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from lossgen.backends.c.kernel import Kernel
from lossgen.backends.c.parameters import Parameter, extents
from lossgen.backends.c.places import indented, wrapped
from lossgen.backends.c.plan import Plan
from lossgen.backends.c.words import ROWS, SHORT, extent
from lossgen.nodes import Letter

_CODES = {"pointer": "P", "int64_t": "q", "double": "d"}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the packed argument.

    Attributes:
        kind: ``pointer``, ``int64_t`` or ``double``.
        source: what the caller packs: that of a kernel's parameter; ``§weigh``, whether the mean
            divides by a sum; ``§scale``, what the sum of the items is multiplied by where it does
            not.
    """

    declaration: str
    name: str
    kind: str
    source: str


def members(parameters: tuple[Parameter, ...], *, weigh: bool) -> tuple[Member, ...]:
    """The members of the packed argument: pointers, integers, numbers."""
    found = [_member(p) for p in parameters if p.source != "total"]
    found += [Member("int64_t weigh", "weigh", "int64_t", "§weigh")] if weigh else []
    found.append(Member("double scale", "scale", "double", "§scale"))
    return tuple(sorted(found, key=lambda m: [*_CODES].index(m.kind)))


def _member(p: Parameter) -> Member:
    declaration = p.declaration.replace("*restrict ", "*")
    name = declaration.split()[-1].removeprefix("*")
    if "*" in declaration:
        return Member(declaration, name, "pointer", p.source)
    kind = "double" if declaration.startswith("double") else "int64_t"
    return Member(f"{kind} {name}", name, kind, p.source)


def packing(packed: tuple[Member, ...]) -> str:
    """The members as Python's ``struct`` packs them.

    >>> packing((Member("double scale", "scale", "double", "scale"),))
    '1d'
    """
    return "".join(
        f"{len(list(run))}{_CODES[kind]}" for kind, run in groupby(m.kind for m in packed)
    )


def entry(
    plan: Plan,
    name: str,
    columns: Kernel | None,
    rows: Kernel | None,
    divisor: Kernel | None,
    *,
    again: Letter | None = None,
) -> Kernel:
    """The function that Python calls; `again`: an axis whose positions all meet one another."""
    first = columns or rows
    assert first is not None
    packed = members(first.parameters, weigh=divisor is not None)
    fields = [f"{m.declaration};" for m in packed]
    lines = _lines(plan, name, columns, rows, divisor, again)
    return Kernel(
        name,
        ("One call from Python.",),
        (Parameter(f"const struct {name}_call *call", "call"),),
        tuple(part for line in lines for part in wrapped(line)),
        frozenset(),
        before=(f"struct {name}_call {{", *indented(fields), "};"),
    )


def _lines(
    plan: Plan,
    name: str,
    columns: Kernel | None,
    rows: Kernel | None,
    divisor: Kernel | None,
    again: Letter | None,
) -> Iterator[str]:
    if rows is not None and columns is not None and plan.lane is not None and plan.spreads:
        yield from _one_lane(plan, name)
    axes = (*extents(plan), *([] if again is None else [again]))
    elements = " * ".join(f"call->{extent(y)}" for y in axes)
    yield f"const int team = {elements} < GRAIN ? 1 : (int)call->team;"
    yield "double total = 0, scale = call->scale;"
    yield "int failure = 0;"
    if divisor is not None:
        yield "if (call->weigh) {"
        yield "    double weights = 0;"
        yield f"    failure = {divisor.name}({_passed(divisor, 'weights')});"
        yield "    scale = 1 / weights;"
        yield "}"
    calls = [f"{k.name}({_passed(k, 'total')})" for k in (rows, columns) if k is not None]
    yield "if (!failure)"
    if len(calls) == 2:
        chosen = [ROWS] * (plan.lane is not None) + [f"!{SHORT}"] * plan.spreads
        yield f"#if {' && '.join(chosen)}"
        yield f"    failure = {calls[0]};"
        yield "#else"
        yield f"    failure = {calls[1]};"
        yield "#endif"
    else:
        yield f"    failure = {calls[0]};"
    yield "if (VALUE && !ITEMS)"
    yield "    store(call->loss_out, (real)(total * scale));"
    yield "return failure;"


def _one_lane(plan: Plan, name: str) -> Iterator[str]:
    """Short rows become one lane: they, and what there is for each, come without gaps."""
    (outer,), lane = plan.outer, plan.lane
    one, many = f"call->{extent(outer)}", f"call->{extent(lane)}"
    yield f"#if {ROWS} && {SHORT}"
    yield f"struct {name}_call joined = *call;"
    for a in plan.program.inputs:
        if {lane, plan.inner} <= {*a.axes}:
            along, across = f"call->{a.name}_{lane}", f"call->{a.name}_{outer}"
            yield f"joined.{a.name}_{lane} = {many} == 1 ? {across} : {along};"
    yield f"joined.{extent(lane)} = {one} * {many};"
    yield f"joined.{extent(outer)} = 1;"
    yield "call = &joined;"
    yield "#endif"


def _passed(kernel: Kernel, total: str) -> str:
    """What a kernel is called with."""
    alone = total == "weights"  # a sum that has neither loss nor gradient
    out = []
    for p in kernel.parameters:
        name = _member(p).name
        if p.source == "total":
            out.append(f"&{total}")
        elif p.source == "team":
            out.append("team")
        elif p.source == "upstream":
            out.append("1" if alone else "call->upstream * scale")
        elif alone and (name == "grad_loss" or name.endswith("_out")):
            out.append("NULL")
        else:
            out.append(f"call->{name}")
    return ", ".join(out)
