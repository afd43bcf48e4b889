"""The programs of a loss as a compiler wants them: little kept, and nothing it cannot fuse.

In: a ``Compiled`` loss.  Out: a ``Split``.

    keeps prob[n, c, s], mass[n, c]  →  keeps mass; the gradients compute prob again
    sigmoid(x[e])*sigmoid(-x[e])     →  sigmoid_slope(x[e]), of one division
    d_mass[n, c] = g/(mass + 1)      →  written(g/(mass + 1)), if a loop over more reads it

Between two kernels an array as large as an input costs a pass to write and another to read; inside
one, computing it again costs nothing.  torch's compiler writes whatever has two readers and an
exponential or a logarithm in it, unless each reader has a text of its own; a division or a root of
few numbers it makes anew for each element of what reads them.  It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.compile_softmax import Share, with_balances, with_totals
from lossgen.compiled import Compiled
from lossgen.nodes import Letter, Read, free_letters, rebuild, substitute, walk
from lossgen.program import REDUCTIONS, Array, Program, Statement, check, without_unused
from lossgen.static import ALWAYS

# What has an exponential or a logarithm in it; of larger bodies, to be written is the lesser evil.
_WRITTEN = (
    nd.Exp, nd.Log, nd.Log1p, nd.Sigmoid, nd.LogSigmoid, nd.Softplus, nd.Tanh, nd.Xlogy,
)  # fmt: skip
_LARGEST = 12


@dataclass(frozen=True, slots=True)
class Split:
    """A loss in two programs.

    Attributes:
        forward: the first program.
        kept: what it computes and the second reads, results of the formula among them.
        extra: those that are no results.
        gradients: the second program; ``kept`` and ``grad_<result>`` are inputs of it.
    """

    forward: Program
    kept: tuple[str, ...]
    extra: tuple[str, ...]
    gradients: Program


class SigmoidSlope(nd.Unary):
    """The sigmoid of something times that of its opposite."""

    __slots__ = ()
    is_positive = True


class Written(nd.Unary):
    """A value of few numbers, as memory holds it."""

    __slots__ = ()


def split(compiled: Compiled) -> Split:
    """The forward's small values, and a backward that needs no others."""
    taken = {p.name for p in compiled.spec.parameters}
    for program in (compiled.backward.recorded, compiled.backward.program):
        taken |= {a.name for a in program.inputs} | {x.name for x in program.statements}
    backward = replace(compiled.backward, program=with_totals(compiled.backward.program, taken))
    forward = with_totals(backward.recorded, taken)
    own = {x.name for x in backward.program.statements}
    rank = max((len(a.axes) for a in forward.inputs), default=0)
    kept: set[str] = set()
    again: list[Statement] = []
    needed = {*backward.saved}
    for x in reversed(forward.statements):
        if x.name not in needed and x.name not in own:
            continue
        small = x.op in REDUCTIONS or (x.name in backward.saved and len(x.free) < rank)
        if small and x.guard == ALWAYS:
            kept.add(x.name)
        else:
            again.append(x)
            needed |= x.reads()
    made = {x.name for x in again} | kept
    arrays = [a for a in backward.program.inputs if a.name not in backward.saved]
    arrays += [_array(x) for x in forward.statements if x.name in kept]
    statements = (*reversed(again), *(x for x in backward.program.statements if x.name not in made))
    program = replace(backward.program, inputs=tuple(arrays), statements=statements)
    program = check(with_balances(program))
    order = [x.name for x in forward.statements if x.name in kept]
    extra = [x for x in order if x not in forward.results]
    outputs = {*forward.results, *order}
    return Split(
        # The gradient of a softmax reads its shares in three loops: there writing them is cheaper.
        _spelt_out(forward, outputs, Share),
        tuple(order),
        tuple(extra),
        _with_written(_with_slopes(_spelt_out(program, {*program.results}))),
    )


def _array(x: Statement) -> Array:
    return Array(x.name, x.free, x.kind, extents=x.extents)


def _spelt_out(program: Program, outputs: set[str], *spelt: type[nd.Node]) -> Program:
    """The program with large values that are dear to write standing where they are read."""
    rank = max((len(a.axes) for a in program.inputs), default=0)
    out: list[Statement] = []
    bodies: dict[str, Statement] = {}
    for x in program.statements:
        x = x.mapped(lambda e: _reading(e, bodies))
        plain = x.op == "map" and x.kind == "real" and not x.extents and x.name not in outputs
        small = sum(1 for _ in walk(x.body)) <= _LARGEST and isinstance(x.body, _WRITTEN)
        # A sum or a product would become one with what it stands in, and round otherwise.
        if plain and len(x.free) >= rank and (small or isinstance(x.body, spelt)):
            bodies[x.name] = x
        out.append(x)
    return check(replace(program, statements=without_unused(tuple(out), program.results)))


def _reading(expr: sp.Basic, bodies: Mapping[str, Statement]) -> sp.Basic:
    if not expr.args:
        return expr
    if isinstance(expr, Read) and expr.name in bodies:
        x = bodies[expr.name]
        if all(isinstance(y, Letter) for y in expr.subscripts) and not isinstance(expr, nd.Padded):
            return substitute(x.body, dict(zip(x.free, expr.subscripts, strict=True)))
    return rebuild(expr, [_reading(a, bodies) for a in expr.args])


def _with_slopes(program: Program) -> Program:
    """The program with one division for two, where nothing read beside it divides for either."""
    out: list[Statement] = []
    behind: dict[str, list[nd.Sigmoid]] = {}
    for x in program.statements:
        own = [e for whole in x.expressions() for e in walk(whole) if isinstance(e, nd.Sigmoid)]
        behind[x.name] = own + [e for name in sorted(x.reads()) for e in behind.get(name, [])]
        out.append(x.mapped(partial(_with_slope, sigmoids=behind[x.name])))
    return replace(program, statements=tuple(out))


def _with_slope(expr: sp.Basic, sigmoids: list[nd.Sigmoid]) -> sp.Basic:
    if not expr.args or len(sigmoids) != 2 or sigmoids[0].arg != -sigmoids[1].arg:
        return expr
    if isinstance(expr, sp.Mul) and all(x in expr.args for x in sigmoids):
        at = next(x.arg for x in sigmoids if not x.arg.could_extract_minus_sign())
        return sp.Mul(SigmoidSlope(at), *(a for a in expr.args if a not in sigmoids))
    return rebuild(expr, [_with_slope(a, sigmoids) for a in expr.args])


def _with_written(program: Program) -> Program:
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
        if asked and len(free) < rank and (x.reads() & dear or any(map(_is_dear, walk(x.body)))):
            if x.op == "place" or x.name in read:
                x = replace(x, body=Written(x.body))
            else:
                dear.add(x.name)
        out.append(x)
    return replace(program, statements=tuple(out))


def _is_dear(expr: sp.Basic) -> bool:
    """Whether an operation takes longer than to read its result."""
    if isinstance(expr, sp.Pow):
        return not (expr.exp.is_Integer and expr.exp.is_positive)
    return isinstance(expr, (nd.Ratio, nd.Sqrt, nd.Expm1, *_WRITTEN))
