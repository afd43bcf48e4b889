"""Neighbours: what is read at a place beside its own is computed there again.

In: statements of which some do not run over whole axes.  Out: as many or fewer that all do, in
which inputs alone are read at other places, under conditions on where these are.

    down[h] = x[h + 1] - x[h], h + 1 < H;  s = sum_h |down[h]|;  d_x[h] = d_down[h - 1] - d_down[h]
        →  s = sum_{h | h + 1 < H} |x[h + 1] - x[h]|
           d_x[h] = where(h >= 1, sign(x[h] - x[h - 1]), 0) - where(h + 1 < H, …, 0)

What is not computed element by element cannot be computed again: that raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.c.unsupported import Unsupported
from lossgen.nodes import ZERO, Letter, Padded, Read, Where, substitute, word
from lossgen.program import Extent, Program, Statement


def without_neighbours(
    statements: Iterable[Statement], results: frozenset[str]
) -> Iterator[Statement]:
    """The statements, each over whole axes."""
    known: dict[str, Statement] = {}

    def told(e: sp.Basic) -> sp.Basic:
        if isinstance(e, Read) and e.name in known and _elsewhere(known[e.name], e):
            return _there(known[e.name], e)
        return nd.rebuild(e, [told(a) for a in e.args])

    for given in statements:
        x = given.mapped(told)
        known[x.name] = x
        if not x.extents:
            yield x
        elif x.op == "map" and x.name not in results:
            continue  # its readers compute it
        elif {*x.extents} <= {*x.bound}:
            yield from _masked(x)
        else:
            raise Unsupported(f"'{x.name}' has no value at the ends of an axis")


def reads_neighbours(program: Program) -> bool:
    """Whether anything is read at a place beside its own."""
    expressions = (e for x in program.statements for e in x.expressions())
    reads = (r for e in expressions for r in nd.walk(e) if isinstance(r, Read))
    return any(_shift(s) for r in reads for s in r.subscripts)


def _elsewhere(x: Statement, read: Read) -> bool:
    """Whether a value is read where it does not stand."""
    return bool({*x.extents} & {*x.free}) or any(map(_shift, read.subscripts))


def _shift(subscript: sp.Expr) -> int:
    place = shifted_letter(subscript)
    return place[1] if place is not None else 0


def _there(x: Statement, read: Read) -> sp.Basic:
    """A value as it is computed at a place; beyond its ends it is 0, or nobody reads it."""
    if x.op != "map":
        raise Unsupported(f"it reads '{x.name}' at neighbours")
    there = substitute(x.body, dict(zip(x.free, read.subscripts, strict=True)))
    if not isinstance(read, Padded):
        return there
    places = dict(zip(x.free, map(shifted_letter, read.subscripts), strict=True))
    return Where(inside(places, x.extents), there, ZERO)


def inside(
    places: Mapping[Letter, tuple[Letter, int] | None], extents: Mapping[Letter, Extent]
) -> sp.Basic:
    """Whether places lie within what is there of each axis."""
    found: list[sp.Basic] = []
    for axis, place in places.items():
        low, trim = extents.get(axis, (0, 0))
        if place is not None:
            letter, shift = place
            found += [nd.Compare(">=", letter, low - shift)] if low > shift else []
            beyond = shift + trim
            found += [nd.Compare("<", letter + beyond, nd.Size(axis))] if beyond > 0 else []
    return nd.And(*found)


def _masked(x: Statement) -> Iterator[Statement]:
    """A sum over a part of its axes as one over all, where that part is."""
    where = inside({y: (y, 0) for y in x.extents}, x.extents)
    whole = replace(x, where=nd.And(where, x.where), extents={})
    if x.op != "mean":
        yield whole
        return
    total = Read(word(f"total_{x.name}"), *x.free)
    yield replace(whole, name=total.name, op="sum")
    lengths = [nd.Size(y) - sum(x.extents.get(y, (0, 0))) for y in x.bound]
    yield Statement(x.name, x.free, total / sp.Mul(*lengths), guard=x.guard)
