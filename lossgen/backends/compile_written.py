"""Small values that a loop over more reads, written once: a compiler makes them anew each time.

In: a program.  Out: the same, where what is dear and has few elements stands in memory of its own.

    d_mass[n, c] = g/(mass + 1)             →  written(g/(mass + 1)), if a loop over more reads it
    gap[n, c, k] = x[n, c] - x[n, l[n, k]]  →  x_at[n, k] = written(x[n, l[n, k]])
                                             gap[n, c, k] = x[n, c] - x_at[n, k]

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import Read, free_letters, rebuild, walk
from lossgen.program import Program, Statement
from lossgen.static import Guard

# What has an exponential or a logarithm in it.
TRANSCENDENTAL = (
    nd.Exp, nd.Log, nd.Log1p, nd.Sigmoid, nd.LogSigmoid, nd.Softplus, nd.Tanh, nd.Xlogy,
)  # fmt: skip


class Written(nd.Unary):
    """A value of few numbers, as memory holds it."""

    __slots__ = ()


def with_reads_apart(programs: Sequence[Program], taken: Container[str]) -> tuple[Program, ...]:
    """The programs with statements of their own for what is read at labels, in a loop over more.

    Args:
        programs: a forward and its backward, in which equal reads have one name.
        taken: names that stand for something else, in either.
    """
    made: dict[tuple[Read, Guard], Read] = {}
    return tuple(_reads_apart(x, taken, made) for x in programs)


def _reads_apart(
    program: Program, taken: Container[str], made: dict[tuple[Read, Guard], Read]
) -> Program:
    kinds = {x.name: x.kind for x in program.inputs}
    kinds |= {x.name: x.kind for x in program.statements}
    out: list[Statement] = []
    have: set[str] = set()
    for x in program.statements:
        over, here = {*x.free, *x.bound}, {}
        for read in dict.fromkeys(e for whole in x.expressions() for e in _at_labels(whole)):
            free = program.sorted(free_letters(read))
            if kinds[read.name] != "real" or not {*free} < over:
                continue
            key = (read, x.guard)
            if key not in made:
                made[key] = Read(Str(_name(read, taken, {y.name for y in made.values()})), *free)
            here[read] = made[key]
            if made[key].name not in have:
                have.add(made[key].name)
                out.append(Statement(made[key].name, tuple(free), Written(read), guard=x.guard))
        out.append(x.mapped(partial(_with_reads, made=here)))
    return replace(program, statements=tuple(out))


def with_written(program: Program) -> Program:
    """The program with small values written where making them anew would cost a loop over more."""
    rank = max((len(a.axes) for a in program.inputs), default=0)
    large = {x.name for x in program.statements if len({*x.free, *x.bound}) >= rank}
    read = {name for x in program.statements if x.name in large for name in x.reads()}
    dear: set[str] = set()
    out: list[Statement] = []
    for x in program.statements:
        # What is put at a position is made for every position.
        free = free_letters(x.body) if x.op == "place" else {*x.free}
        asked = x.op == "place" or (x.op == "map" and x.kind == "real")
        asked = asked and not isinstance(x.body, Written)
        if asked and len(free) < rank and (x.reads() & dear or any(map(_is_dear, walk(x.body)))):
            if x.op == "place" or x.name in read:
                x = replace(x, body=Written(x.body))
            else:
                dear.add(x.name)
        out.append(x)
    return replace(program, statements=tuple(out))


def _at_labels(expr: sp.Basic) -> Iterator[Read]:
    """What is read where an index says, whatever the options are and what is given."""
    if isinstance(expr, nd.Where) and nd.is_static(expr.args[0]):
        return
    if isinstance(expr, Read):
        if any(shifted_letter(s) is None and not s.is_Integer for s in expr.subscripts):
            yield expr
        return
    for a in expr.args:
        yield from _at_labels(a)


def _name(read: Read, taken: Container[str], others: Container[str]) -> str:
    names = (f"{read.name}_at{k or ''}" for k in count())
    return next(x for x in names if x not in taken and x not in others)


def _with_reads(expr: sp.Basic, made: Mapping[Read, Read]) -> sp.Basic:
    if isinstance(expr, Read) and expr in made:
        return made[expr]
    return rebuild(expr, [_with_reads(a, made) for a in expr.args]) if expr.args else expr


def _is_dear(expr: sp.Basic) -> bool:
    """Whether an operation takes longer than to read its result."""
    if isinstance(expr, sp.Pow):
        return not (expr.exp.is_Integer and expr.exp.is_positive)
    return isinstance(expr, (nd.Ratio, nd.Sqrt, nd.Expm1, *TRANSCENDENTAL))
