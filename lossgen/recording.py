"""The forward as it is run for a backward: with names for what both compute.

In: a forward program, and the statements of its backward.  Out: the two, with a name for each dear
part of the forward that the backward computes again, so that its value can be kept.

    loss[e] = w[e]*log_sigmoid(x[e]); d_w[e] = g[e]*log_sigmoid(x[e])
    →  log_sigmoid_x[e] = log_sigmoid(x[e]); loss[e] = w[e]*log_sigmoid_x[e]
       d_w[e] = g[e]*log_sigmoid_x[e]

The plain function keeps its few lines: nobody reads these names there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.keep import cost
from lossgen.nodes import Junction, Read, Where, free_letters, is_static, rebuild, walk
from lossgen.program import Program, Statement, check, kind_of
from lossgen.roles import Kind
from lossgen.sharing import described, worth_a_name
from lossgen.static import ALWAYS

_DEAR = 3  # passes of plain arithmetic; what costs less is computed again


def common_parts(
    forward: Program, statements: Sequence[Statement], taken: Iterable[str]
) -> dict[sp.Basic, str]:
    """What a forward and its backward both compute, and for each a name that is not taken."""
    ours = {part for x in forward.statements for part in _parts_of(x)}
    whole = {x.body: x.name for x in statements if x.op == "map" and not x.extents}
    names = {*taken, *(a.name for a in forward.inputs)}
    names |= {x.name for x in (*forward.statements, *statements)}
    found: dict[sp.Basic, str] = {}
    for x in statements:
        for part in (p for e in x.expressions() if not x.extents for p in walk(e)):
            if part in ours and part not in found:
                name = whole.get(part) or _unique(_stem(part), names)
                found[part] = name
                names.add(name)
    return found


def record(
    forward: Program, statements: Sequence[Statement], parts: Mapping[sp.Basic, str]
) -> tuple[Program, tuple[Statement, ...]]:
    """A forward and its backward with names for parts that they share."""
    kinds: dict[str, Kind] = {a.name: a.kind for a in forward.inputs}
    made: dict[sp.Basic, Read] = {}
    out: list[Statement] = []
    # What stands inside another part is there before it.
    inner_first = sorted(parts, key=cost)
    for x in forward.statements:
        own = {*_parts_of(x)}
        for part in (p for p in inner_first if p in own and p not in made):
            free = forward.sorted(free_letters(part))
            body, name = _reading(part, made), parts[part]
            out.append(Statement(name, free, body, kind=kind_of(body, kinds)))
            kinds[name] = out[-1].kind
            made[part] = Read(Str(name), *free)
        out.append(_with(x, made) if own else x)
        kinds[x.name] = x.kind
    recorded = check(replace(forward, statements=tuple(out)))
    names = {parts[p] for p in made}
    return recorded, tuple(_with(x, made) for x in statements if x.name not in names)


def _with(x: Statement, made: Mapping[sp.Basic, Read]) -> Statement:
    return x.mapped(lambda e: _reading(e, made))


def _reading(expr: sp.Basic, made: Mapping[sp.Basic, Read]) -> sp.Basic:
    if expr in made:
        return made[expr]
    return rebuild(expr, [_reading(a, made) for a in expr.args]) if expr.args else expr


def _parts_of(x: Statement) -> Iterator[sp.Basic]:
    """The dear parts that a statement computes whatever the options are."""
    if x.extents or x.guard != ALWAYS or x.op not in ("map", "sum", "mean"):
        return
    waiting = [x.body, x.where]
    while waiting:
        expr = waiting.pop(0)
        if isinstance(expr, Read) or not expr.args:
            continue
        whole = x.op == "map" and expr == x.body
        mask = isinstance(expr, Junction) and cost(expr) > 1
        if not whole and (mask or (cost(expr) >= _DEAR and worth_a_name(expr))):
            yield expr
        if not (isinstance(expr, Where) and is_static(expr.args[0])):
            waiting += expr.args


def _stem(part: sp.Basic) -> str:
    return "counted" if isinstance(part, Junction) else described(part)


def _unique(stem: str, taken: Container[str]) -> str:
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}{number}", number + 1
    return name
