"""What only a derivative asks for, computed only where autograd records.

In: a program of which a ``Function`` is made.  Out: the same, where a value that has the gradient
of something else is that value alone while nothing is recorded, as in every first derivative.

    straight_through(held[e], slopes[e])
    →  where(recording, straight_through(held[e], slopes[e]), held[e])

An input is not computed, and stays. It refuses nothing.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from lossgen.nodes import Read, Recording, StraightThrough, Where, is_scalar, rebuild
from lossgen.program import Program


def recorded_alone(program: Program) -> Program:
    """The program without what is made for the sake of its gradient, where there is none."""
    made = {x.name for x in program.statements}

    def without(expr: sp.Basic) -> sp.Basic:
        if not expr.has(StraightThrough):
            return expr
        expr = rebuild(expr, [without(a) for a in expr.args])
        if not isinstance(expr, StraightThrough) or is_scalar(expr):
            return expr
        value, slope_of = expr.args
        computed = any(
            isinstance(x, Read) and x.name in made for x in sp.preorder_traversal(slope_of)
        )
        return Where(Recording(), expr, value) if computed else expr

    return replace(program, statements=tuple(x.mapped(without) for x in program.statements))
