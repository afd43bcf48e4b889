"""Rows over their lengths, and the slopes of those, as one step each.

In: a program.  Out: the same, where a row over its length is one node of this module, and so is
what comes back through it.

    rows[n, d] = ratio(x[n, d], length[n])               →  unit(x, length)
    s[n] = sum_{d} (g[n, d]*rows[n, d])
    d_x[n, d] = (g[n, d] - s[n]*rows[n, d])*ratio(1, length[n])  →  unit_slope(g, rows, length)

Autograd goes through a quotient by two ways, over the length each, and what it gives is their
difference. Of a short row both are infinite where the difference, which leaves out what is along
the row, is not: a row of one number does not turn. It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Read
from lossgen.program import Program, Statement


class Unit(nd.Node):
    """The first argument, a row, over the second, its length, and 0 where that is 0."""

    __slots__ = ()


class UnitSlope(nd.Node):
    """What comes back to a row from the first argument, the gradient by the second, the unit.

    The third is the row's length.
    """

    __slots__ = ()


def with_units(program: Program, before: Iterable[Statement]) -> Program:
    """The program with rows over their lengths, and what comes back through them, as one node.

    Args:
        program: what is printed.
        before: statements whose results it may read.
    """
    made = {x.name: x for x in (*before, *program.statements)}
    done, along = [], set()
    for x in program.statements:
        unit = _unit(x.body, made) or _slope(x.body, made)
        if unit is not None and x.op == "map" and not x.extents:
            along |= x.reads()
            x = replace(x, body=unit)
        done.append(x)
    along -= {name for x in done for name in x.reads()}
    return replace(program, statements=tuple(x for x in done if x.name not in along))


def _unit(body: sp.Expr, made: Mapping[str, Statement]) -> sp.Expr | None:
    """A row over its length."""
    if not isinstance(body, nd.Ratio):
        return None
    row, length = body.args
    norm = made.get(length.name) if isinstance(length, Read) else None
    if norm is None or norm.op != "norm" or norm.body != row or norm.where is not TRUE:
        return None
    return Unit(row, length) if _whole(length, norm) and len(norm.bound) == 1 else None


def _slope(body: sp.Expr, made: Mapping[str, Statement]) -> sp.Expr | None:
    """What comes back through a row over its length, less what is along the row."""
    below = next((f for f in sp.Mul.make_args(body) if isinstance(f, nd.Ratio)), None)
    if below is None or below.args[0] != 1:
        return None
    across = sp.Mul(*(f for f in sp.Mul.make_args(body) if f != below))
    for grad in (t for t in sp.Add.make_args(across) if isinstance(t, Read)):
        for along, unit in _products(grad - across):
            row, total = made.get(unit.name), made.get(along.name)
            if row is None or total is None:
                continue
            over = _unit(row.body, made)
            if over is None or over.args[1] != below.args[1]:
                continue
            summed = total.op == "sum" and total.body == grad * unit and total.where is TRUE
            if summed and _whole(along, total) and _whole(unit, row):
                return UnitSlope(grad, unit, below.args[1])
    return None


def _products(expr: sp.Expr) -> list[tuple[Read, Read]]:
    """A product of two values, in either order."""
    factors = sp.Mul.make_args(expr)
    if len(factors) != 2 or not all(isinstance(f, Read) for f in factors):
        return []
    return [(factors[0], factors[1]), (factors[1], factors[0])]


def _whole(read: Read, x: Statement) -> bool:
    """Whether a read is of the element that a statement makes, in the same letters."""
    return bool(read == Read(read.args[0], *x.free))
