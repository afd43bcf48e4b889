"""A backward that follows its forward at once.

In: a ``Compiled``.  Out: one whose backward reads every value of the forward, none of which it
makes anew.
"""

from __future__ import annotations

from dataclasses import replace

from lossgen.compiled import Compiled
from lossgen.program import Array, without_unused


def with_all_kept(compiled: Compiled) -> Compiled:
    """With a backward that follows its forward at once: it makes no value of that anew."""
    backward = compiled.backward
    results = (*backward.recorded.results, *backward.saved)
    used = without_unused(backward.recorded.statements, results)
    recorded = replace(backward.recorded, statements=used, results=results)
    made = {x.name for x in used}
    program = backward.program
    known = tuple(Array(x.name, x.free, x.kind) for x in program.statements if x.name in made)
    rest = tuple(x for x in program.statements if x.name not in made)
    rest = without_unused(rest, program.results)
    program = replace(program, inputs=(*program.inputs, *known), statements=rest)
    return replace(compiled, backward=replace(backward, program=program, recorded=recorded))
