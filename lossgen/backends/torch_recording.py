"""What only a derivative asks for, computed only where autograd records.

In: a program of which a ``Function`` is made.  Out: the same, where a value that has the gradient
of something else is that value alone while nothing is recorded, as in every first derivative.

    straight_through(held[e], slopes[e])
    →  where(recording, straight_through(held[e], slopes[e]), held[e])

An input is not computed, and stays. It refuses nothing.
"""

from __future__ import annotations

import sympy as sp

from lossgen.backends.torch_rewriting import rewritten
from lossgen.nodes import Read, Recording, StraightThrough, Where, walk
from lossgen.program import Program


def recorded_alone(program: Program) -> Program:
    """The program without what is made for the sake of its gradient, where there is none."""
    made = {x.name for x in program.statements}

    def chosen(expr: StraightThrough) -> sp.Expr:
        value, slope_of = expr.args
        reads = (x for x in walk(slope_of) if isinstance(x, Read))
        computed = any(x.name in made for x in reads)
        return Where(Recording(), expr, value) if computed else expr

    return rewritten(program, StraightThrough, chosen)


def never_recorded(program: Program) -> Program:
    """The program without what is made for the sake of a gradient that nobody takes."""
    return rewritten(program, StraightThrough, lambda x: x.args[0])
