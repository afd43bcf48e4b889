"""The programs of a loss as a compiler wants them: little kept, and nothing it cannot fuse.

In: a ``Compiled`` loss.  Out: a ``Split``.

    keeps prob[n, c, s], mass[n, c]  →  keeps mass; the gradients compute prob again
    sigmoid(x[e])*sigmoid(-x[e])     →  sigmoid_slope(x[e]), of one division

Between two kernels an array as large as an input costs a pass to write and another to read; inside
one, computing it again costs nothing.  torch's compiler writes whatever has two readers and an
exponential or a logarithm in it, unless each reader has a text of its own.  It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.compile_softmax import Share, with_balances, with_totals
from lossgen.backends.compile_written import (
    TRANSCENDENTAL,
    Written,
    with_reads_apart,
    with_written,
)
from lossgen.compiled import Compiled
from lossgen.nodes import Letter, Read, rebuild, substitute, walk
from lossgen.program import REDUCTIONS, Array, Program, Statement, check, without_unused
from lossgen.static import ALWAYS

# Of larger bodies, to be written is the lesser evil.
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


def split(compiled: Compiled) -> Split:
    """The forward's small values, and a backward that needs no others."""
    taken = {p.name for p in compiled.spec.parameters}
    for program in (compiled.backward.recorded, compiled.backward.program):
        taken |= {a.name for a in program.inputs} | {x.name for x in program.statements}
    both = (compiled.backward.recorded, compiled.backward.program)
    forward, program = with_reads_apart([with_totals(x, taken) for x in both], taken)
    backward = replace(compiled.backward, program=program)
    own = {x.name for x in backward.program.statements}
    rank = max((len(a.axes) for a in forward.inputs), default=0)
    kept: set[str] = set()
    again: list[Statement] = []
    needed = {*backward.saved}
    for x in reversed(forward.statements):
        if x.name not in needed and x.name not in own:
            continue
        small = x.op in REDUCTIONS or isinstance(x.body, Written)
        small = small or (x.name in backward.saved and len(x.free) < rank)
        if small and x.guard == ALWAYS:
            kept.add(x.name)
        else:
            again.append(x)
            needed |= x.reads()
    made = {x.name for x in again} | kept
    rest = (x for x in backward.program.statements if x.name not in made)
    statements = without_unused((*reversed(again), *rest), backward.program.results)
    kept &= {name for x in statements for name in x.reads()}
    arrays = [a for a in backward.program.inputs if a.name not in backward.saved]
    arrays += [_array(x) for x in forward.statements if x.name in kept]
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
        with_written(_with_slopes(_spelt_out(program, {*program.results}))),
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
        small = sum(1 for _ in walk(x.body)) <= _LARGEST and isinstance(x.body, TRANSCENDENTAL)
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
