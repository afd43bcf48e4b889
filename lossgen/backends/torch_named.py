"""What a backward computes again of the forward, by the names that it has for parts of it.

In: a backward, and its forward.  Out: the backward, in which a small part that it names is computed
once, also where a value of the forward that it computes again holds it.

    angle[n] = acos(cosine[n, label[n]]), at_label[n] = cosine[n, label[n]]
    →  at_label[n] = cosine[n, label[n]], angle[n] = acos(at_label[n])

What is as large as an input takes no memory before its time, and stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, free_letters, rebuild
from lossgen.program import Program, Statement
from lossgen.sharing import worth_a_name


def with_names_read(program: Program, forward: Program) -> Program:
    """The backward, what it computes again first."""
    made = {x.name for x in forward.statements}
    earlier = [x for x in program.statements if x.name in made]
    later = [x for x in program.statements if x.name not in made]
    there = {a.name for a in program.inputs}
    rank = max((len(a.axes) for a in program.inputs), default=0)
    named: dict[sp.Basic, Statement] = {}
    for x in later:
        known = x.reads() <= there | {y.name for y in named.values()}
        plain = x.op == "map" and not x.extents and {*x.free} == free_letters(x.body)
        if plain and known and len(x.free) < rank and worth_a_name(x.body, 1):
            named[x.body] = x
    wanted: set[str] = set()

    def reading(expr: sp.Basic) -> sp.Basic:
        expr = rebuild(expr, [reading(a) for a in expr.args]) if expr.args else expr
        if (x := named.get(expr)) is None:
            return expr
        wanted.add(x.name)
        return Read(Str(x.name), *x.free)

    told = tuple(x if x.extents else x.mapped(reading) for x in earlier)
    first = tuple(x for x in later if x.name in wanted)
    rest = (x for x in later if x.name not in wanted)
    return replace(program, statements=(*first, *told, *rest))
