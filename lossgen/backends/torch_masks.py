"""Masks of the pairs of a thing with itself, made once.

In: a program.  Out: the same, where the pairs that are on the diagonal, or off it, are a statement
of their own if several places ask for them.

    sum_{j | i != j} a[i, j] + sum_{j | i != j} b[i, j]
    →  off_diagonal[i, j] = i != j, and both sums where off_diagonal[i, j]

It leaves alone what asks once, and letters that do not run over their whole axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TypeGuard

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import Letter, Not, Read, rebuild, walk
from lossgen.program import Program, Statement

_NAMES = ("off_diagonal", "off_diagonal_mask", "unlike")


def with_masks(program: Program, taken: Container[str]) -> Program:
    """The program with a name for each diagonal that is asked for more than once.

    Args:
        program: a forward or a backward.
        taken: names that stand for something else.
    """
    masks = _Masks(program)
    wanted = Counter(masks.axis(e) for x in program.statements for e in masks.found(x))
    names = {a.name for a in program.inputs} | {x.name for x in program.statements}
    free = [x for x in _NAMES if x not in names and x not in taken]
    named = dict(zip((axis for axis, n in wanted.items() if n > 1), free, strict=False))
    made: dict[Letter, Statement] = {}
    for x in program.statements:
        for expr in masks.found(x):
            if (axis := masks.axis(expr)) in named and axis not in made:
                pair = program.sorted({expr.left, expr.right})
                made[axis] = Statement(named[axis], pair, nd.Compare("!=", *pair), kind="boolean")
    read = (masks.reading(x, named) for x in program.statements)
    return replace(program, statements=(*made.values(), *read))


def is_diagonal(
    expr: sp.Basic, axes: Mapping[Letter, Letter], extents: Container[Letter]
) -> TypeGuard[nd.Compare]:
    """Whether a condition compares two letters that run over the whole of one axis."""
    if not isinstance(expr, nd.Compare) or expr.op not in ("==", "!="):
        return False
    left, right = expr.left, expr.right
    if not isinstance(left, Letter) or not isinstance(right, Letter):
        return False
    return axes.get(left) == axes.get(right) and not (left in extents or right in extents)


class _Masks:
    def __init__(self, program: Program) -> None:
        self.program = program

    def axis(self, expr: sp.Basic) -> Letter:
        return self.program.axes[expr.args[1]]

    def found(self, x: Statement) -> Iterator[nd.Compare]:
        """The comparisons of a statement that ask whether two letters stand for one thing."""
        for expr in (e for whole in x.expressions() for e in walk(whole)):
            if is_diagonal(expr, self.program.axes, x.extents):
                yield expr

    def reading(self, x: Statement, named: dict[Letter, str]) -> Statement:
        """A statement that reads the masks that have a name."""
        asked = {*self.found(x)}

        def read(expr: sp.Basic) -> sp.Basic:
            if expr in asked and (name := named.get(self.axis(expr))) is not None:
                mask = Read(Str(name), *self.program.sorted({expr.left, expr.right}))
                return mask if expr.op == "!=" else Not(mask)
            return rebuild(expr, [read(a) for a in expr.args]) if expr.args else expr

        return x.mapped(read)
