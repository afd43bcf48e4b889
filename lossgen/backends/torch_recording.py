"""What only a derivative asks for, computed only where autograd records.

In: a program of which a ``Function`` is made.  Out: the same, where a value that has the gradient
of something else is that value alone while nothing is recorded, as in every first derivative.

    straight_through(held[e], slopes[e])
    →  where(recording, straight_through(held[e], slopes[e]), held[e])

An input is not computed, and stays. It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from lossgen.nodes import Read, Recording, StraightThrough, Where, is_scalar, rebuild, walk
from lossgen.program import Program


def recorded_alone(program: Program) -> Program:
    """The program without what is made for the sake of its gradient, where there is none."""
    made = {x.name for x in program.statements}

    def chosen(expr: StraightThrough) -> sp.Expr:
        value, slope_of = expr.args
        reads = (x for x in walk(slope_of) if isinstance(x, Read))
        computed = any(x.name in made for x in reads)
        return Where(Recording(), expr, value) if computed else expr

    return _with(program, chosen)


def never_recorded(program: Program) -> Program:
    """The program without what is made for the sake of a gradient that nobody takes."""
    return _with(program, lambda expr: expr.args[0])


def _with(program: Program, choice: Callable[[StraightThrough], sp.Expr]) -> Program:
    def rewritten(expr: sp.Basic) -> sp.Basic:
        if not expr.has(StraightThrough):
            return expr
        expr = rebuild(expr, [rewritten(a) for a in expr.args])
        return choice(expr) if isinstance(expr, StraightThrough) and not is_scalar(expr) else expr

    return replace(program, statements=tuple(x.mapped(rewritten) for x in program.statements))
