"""The programs of a loss as a compiler wants them: little kept, and nothing it cannot fuse.

In: a ``Compiled`` loss.  Out: a ``Split``.

    keeps prob[n, c, s], mass[n, c]  →  keeps mass; the gradients compute prob again

Between two kernels an array as large as an input costs a pass to write and another to read; inside
one, computing it again costs nothing.  It refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lossgen.compiled import Compiled
from lossgen.program import REDUCTIONS, Array, Program, Statement, check
from lossgen.static import ALWAYS


@dataclass(frozen=True, slots=True)
class Split:
    """A loss in two programs.

    Attributes:
        kept: what the first computes and the second reads, results of the formula among them.
        extra: those that are no results.
        gradients: the second program; ``kept`` and ``grad_<result>`` are inputs of it.
    """

    kept: tuple[str, ...]
    extra: tuple[str, ...]
    gradients: Program


def split(compiled: Compiled) -> Split:
    """The forward's small values, and a backward that needs no others."""
    forward, backward = compiled.forward, compiled.backward
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
    program = check(replace(backward.program, inputs=tuple(arrays), statements=statements))
    order = [x.name for x in forward.statements if x.name in kept]
    extra = [x for x in order if x not in forward.results]
    return Split(tuple(order), tuple(extra), program)


def _array(x: Statement) -> Array:
    return Array(x.name, x.free, x.kind, extents=x.extents)
