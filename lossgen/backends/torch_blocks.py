"""Losses of many steps in blocks that a processor's cache holds.

In: a ``Formula``, and the line that calls its ``Function``.  Out: the lines that do so block by
block where the tensors are large; the call alone where a loss has one step or two, or joins rows.

    loss, *_ = apply(input, target, reduction)
    →  loss = _sum_in_blocks(function, (input, target), "sum")

What one step makes is still there for the next, and is never there for all elements at once. Of a
sum, forward and backward of a block follow one another: what the forward computed is still there,
and nothing but the gradient is kept.

With few steps that pays only where arrays are so large (32 MB) that the C library maps them anew
each time: then their pages cost more than the arithmetic.

A block is some rows, the first axis; of an elementwise loss, some elements.  It refuses nothing.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_choices import without_branches
from lossgen.backends.torch_formula import Formula
from lossgen.compiled import usual_truths
from lossgen.keep import cost
from lossgen.nodes import Letter, Read, Where, is_scalar, is_static, walk
from lossgen.program import Program, Statement, without_unused
from lossgen.static import NEVER, narrow, resolve

# Passes of plain arithmetic in the forward; with fewer, to part and join costs what is gained.
_SOME = 3  # where every array of that size is new memory, which is dearer than arithmetic
_MANY = 6  # for each tensor, where the caches do not hold them
_GATE = 3  # of a choice between values, beside that of the values


def in_blocks(f: Formula, call: str) -> list[str]:
    """The call of the ``Function``, block by block where that is quicker."""
    if f.spec.tensors[0].role.kind != "real":
        return [call]  # a block's upstream gradient is made in the type of the first tensor
    if not (_elementwise(f) if f.reduces else _by_row(f)):
        return [call]
    if f.slopes():
        # In half precision nothing is kept but what was given: all is computed twice.
        return _items(f, call, "", f"{f.checks.lead.name}.dtype is not compute and ")
    passes = _passes(f)
    if passes < _SOME:
        return [call]
    parted = sum(not t.optional for t in f.spec.tensors)
    least = "" if passes >= _MANY * parted else "least=_MAPPED"
    return _sums(f, call, least) if f.reduces else _items(f, call, least)


def _sums(f: Formula, call: str, least: str) -> list[str]:
    given = [t.name for t in f.spec.tensors if not t.optional]
    absent = [t.name for t in f.spec.tensors if t.optional]
    # One without a gradient takes no part in the derivatives.
    parted = [x if x in f.backward.gradients else f"{x}.detach()" for x in given]
    rest = [*("None" for _ in absent), *(p.name for p in f.spec.parameters), '"sum"']
    return [
        f"if {_test(f, absent, given, least)}:",
        f"    {f.item} = _sum_in_blocks(function, ({tuple_text(parted)}), {', '.join(rest)})",
        '    if reduction == "mean":',
        f"        {f.item} = {f.item} / {f.checks.lead.name}.numel()",
        "else:",
        f"    {call}",
    ]


def _items(f: Formula, call: str, least: str, where: str = "") -> list[str]:
    row = f.checks.lead.axes[0]
    given = [t.name for t in f.spec.tensors if row in t.axes and not t.optional]
    absent = [t.name for t in f.spec.tensors if row in t.axes and t.optional]
    results = f.compiled.forward.results
    blocks = f"for {_names(given)} in blocks"
    if len(results) == 1:
        joined = [f"    {results[0]} = torch.cat([{_applied(f, absent)}[0] {blocks}])"]
    else:
        joined = [
            f"    parts = [{_applied(f, absent)}[:{len(results)}] {blocks}]",
            f"    {', '.join(results)} = (torch.cat(x) for x in zip(*parts, strict=True))",
        ]
    return [
        f"if {where}{_test(f, absent, given, least)}:",
        f"    blocks = _rows({', '.join(given)})",
        *joined,
        "else:",
        f"    {call}",
    ]


def _test(f: Formula, absent: list[str], given: list[str], least: str) -> str:
    whole = ['reduction != "none"'] if f.reduces else []
    large = f"_large({', '.join((*given, *filter(None, (least,))))})"
    return " and ".join((*whole, *(f"{x} is None" for x in absent), large))


def _applied(f: Formula, absent: list[str]) -> str:
    inner = ["None" if t.name in absent else t.name for t in f.spec.tensors]
    inner += [p.name for p in f.spec.parameters]
    inner += ['"sum"'] if f.reduces else []
    return f"apply({', '.join(inner)})"


def _names(given: list[str]) -> str:
    return ", ".join(given) if len(given) > 1 else f"({given[0]},)"


def _elementwise(f: Formula) -> bool:
    """Whether each element's loss is computed from that element alone."""
    forward, lead = f.compiled.forward, f.checks.lead
    return (
        len(forward.results) == 1
        and all(t.axes == lead.axes for t in f.spec.tensors if not t.optional)
        and all(_reads_its_own(x, forward) for x in forward.statements)
    )


def _reads_its_own(x: Statement, forward: Program) -> bool:
    if x.op != "map" or x.extents or {*x.free} != {*forward.statement(forward.results[0]).free}:
        return False
    return all(_plain(e, x) for e in x.expressions())


def _plain(expr: sp.Basic, x: Statement) -> bool:
    if isinstance(expr, Read):
        return not expr.subscripts or expr.subscripts == x.free
    if isinstance(expr, (Letter, nd.Size)):
        return False
    return all(_plain(a, x) for a in expr.args)


def _by_row(f: Formula) -> bool:
    """Whether rows are computed apart."""
    forward, lead = f.compiled.forward, f.checks.lead
    if not lead.axes or lead.axes[0].name.isdigit():
        return False
    row = lead.axes[0]
    tensors = [t for t in f.spec.tensors if row in t.axes or (t.axes and not t.optional)]
    rows = _Rows(forward, row)
    return (
        all(t.axes[0] == row for t in tensors)
        and all(rows.apart(x) for x in forward.statements)
        and all(rows.letter(forward.statement(x)) is not None for x in forward.results)
    )


def _passes(f: Formula) -> int:
    """The forward's passes over arrays as large as the largest input, where no option is given."""
    forward, rank = f.compiled.forward, _rank(f)
    usual = usual_truths(f.spec, forward)
    printed = without_branches(f.backward.recorded).statements
    taken = tuple(replace(x, body=resolve(x.body, usual)) for x in printed)
    return sum(
        max(1, cost(x.body) + _GATE * _choices(x.body))
        for x in without_unused(taken, forward.results)
        if len({*x.free, *x.bound}) >= rank and x.kind == "real" and narrow(x.guard, usual) != NEVER
    )


def _choices(expr: sp.Basic) -> int:
    return sum(isinstance(x, Where) and not is_static(x.args[0]) for x in walk(expr))


def _rank(f: Formula) -> int:
    """The number of axes of the largest input, those of a fixed length apart."""
    return max(sum(not x.name.isdigit() for x in a.axes) for a in f.compiled.forward.inputs)


class _Rows:
    """What a program does with the letters of the first axis."""

    def __init__(self, forward: Program, row: Letter) -> None:
        self.forward, self.row = forward, row
        self.axes = {a.name: a.axes for a in forward.inputs}
        for x in forward.statements:
            self.axes[x.name] = tuple(forward.axes[y] for y in x.free)

    def letter(self, x: Statement) -> Letter | None:
        """The letter of a statement that runs over the rows."""
        found = [y for y in x.free if self.forward.axes[y] == self.row]
        return found[0] if len(found) == 1 else None

    def apart(self, x: Statement) -> bool:
        """Whether a statement reads, in each row, that row alone."""
        over = [y for y in (*x.free, *x.bound) if self.forward.axes[y] == self.row]
        if len(over) > 1 or (over and over[0] not in x.free) or {*over} & {*x.extents}:
            return False
        return all(self._own(e, self.letter(x)) for e in x.expressions())

    def _own(self, expr: sp.Basic, own: Letter | None) -> bool:
        if isinstance(expr, Read):
            axes = self.axes.get(expr.name, ())
            for axis, at in zip(axes, expr.subscripts, strict=False):
                if axis == self.row and at != own:
                    return False
                if axis != self.row and not isinstance(at, Letter) and not self._own(at, own):
                    return False
            return True
        if isinstance(expr, nd.Size):
            return self.forward.axes.get(expr.args[0]) != self.row
        if isinstance(expr, Letter):
            return expr != own
        return is_scalar(expr) or all(self._own(a, own) for a in expr.args)
