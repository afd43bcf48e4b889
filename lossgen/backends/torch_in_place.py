"""Arithmetic on values that nobody else has, in place.

In: what a line has computed so far, and the next operand.  Out: the line with one more step.

    (d_overlap[..., None] * target) and d_mass[..., None]
    →  (d_overlap[..., None] * target).add_(d_mass[..., None])

A value may be overwritten where it is all of this:

- made by this line, so that no other name, and no derivative, looks at it;
- as large as the result, and as the largest input: a small one is not worth the reading;
- a multiple of the gradient that comes in. Of batched gradients each has its own, and what they
  share (what the forward kept) must not be written to by any.

In anything else, and in every forward, the step makes a new value.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, Read, free_letters, is_scalar, walk
from lossgen.program import Program
from lossgen.static import resolutions


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the lines of a backward may overwrite.

    Attributes:
        rank: of the largest input.
        moving: the arrays that are multiples of the gradient that comes in.
        thin: the arrays that may be one number instead.
        consumed: by reader, the arrays that only it reads, once.
    """

    rank: int
    moving: frozenset[str]
    thin: frozenset[str]
    consumed: Mapping[str, frozenset[str]]


def ownership(program: Program, numbers: frozenset[str] = frozenset()) -> Ownership:
    """What the lines of a backward program may overwrite.

    Args:
        program: the backward.
        numbers: inputs that may be one number.
    """
    rank = max((len(a.axes) for a in program.inputs if a.kind == "real"), default=0)
    moving = {a.name for a in program.inputs if a.name.startswith("grad_")}
    thin = set(numbers)
    readers: dict[str, list[str]] = {}
    for x in program.statements:
        if x.op == "map" and not all(spanned(b, thin) >= {*x.free} for b in resolutions(x.body)):
            thin.add(x.name)
        if x.kind == "real" and x.reads() & moving:
            moving.add(x.name)
        for expr in x.expressions():
            for name in _occurrences(expr):
                readers.setdefault(name, []).append(x.name)
    consumed: dict[str, set[str]] = {}
    for x in program.statements:
        fresh = x.op == "map" and len(x.free) >= rank and makes_a_value(x.body)
        if fresh and x.name in moving and len(readers.get(x.name, ())) == 1:
            if x.name not in thin and x.name not in program.results:
                consumed.setdefault(readers[x.name][0], set()).add(x.name)
    return Ownership(rank, frozenset(moving), frozenset(thin), {k: frozenset(v) for k, v in consumed.items()})


def spanned(expr: sp.Basic, thin: Container[str]) -> frozenset[Letter]:
    """The letters along which the value of an expression is laid out for certain."""
    if isinstance(expr, Read):
        return frozenset() if expr.name in thin else free_letters(expr)
    return frozenset().union(*(spanned(a, thin) for a in expr.args))


def _occurrences(expr: sp.Basic) -> list[str]:
    """The names that an expression reads, as often as it reads them."""
    if isinstance(expr, Read):
        return [expr.name, *(n for s in expr.subscripts for n in _occurrences(s))]
    return [n for a in expr.args for n in _occurrences(a)]


def makes_a_value(expr: sp.Basic) -> bool:
    """Whether computing an expression makes a tensor that nothing else holds."""
    if isinstance(expr, (Read, Letter, nd.StopGradient)) or is_scalar(expr):
        return False
    if isinstance(expr, nd.Where) and nd.is_static(expr.args[0]):
        return all(makes_a_value(a) for a in expr.args[1:])
    return True


def moves(expr: sp.Basic, moving: frozenset[str]) -> bool:
    """Whether an expression is a multiple of the gradient that comes in."""
    return any(isinstance(x, Read) and x.name in moving for x in walk(expr))


def atomic(code: str) -> bool:
    """Whether code binds as tightly as a name: nothing outside brackets but names, dots, calls."""
    depth = 0
    for char in code:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in " -~":
            return False
    return True
