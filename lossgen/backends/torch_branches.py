"""Branches that autograd can differentiate where they are not taken.

In: the statements of a forward program.  Out: the same values, with no branch that overflows, or
whose slope does, where its condition keeps it out: autograd multiplies that slope by 0.

    where(a <= d, a**2/2, …)  →  where(a <= d, min(a, d)**2/2, …)

Only what a comparison with a number bounds is bounded; a closed-form backward needs none of it.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Compare, Read, Where, is_scalar, is_static, rebuild, walk
from lossgen.program import Program

# What a reader of such a line will ask.
REASON = "Bounded also where it is not taken: autograd's 0 times an infinite slope is NaN."
_GROWING = (nd.Exp, nd.Expm1)


def bounded(program: Program) -> Program:
    """A forward program whose branches are bounded as their conditions say."""
    done = tuple(replace(x, body=_bounded(x.body)) for x in program.statements)
    return replace(program, statements=done)


def has_bounded_branch(expr: sp.Expr) -> bool:
    """Whether an expression chooses between branches one of which reads what bounds the choice."""
    return any(
        {*inner.args[:2]} == {*x.args[0].args[1:]}
        for x in walk(expr)
        if isinstance(x, Where) and isinstance(x.args[0], Compare)
        for branch in x.args[1:]
        for inner in walk(branch)
        if isinstance(inner, (nd.Min, nd.Max))
    )


def _bounded(expr: sp.Expr) -> sp.Expr:
    if isinstance(expr, Read) or not expr.args:
        return expr
    expr = rebuild(expr, [_bounded(a) for a in expr.args])
    if not isinstance(expr, Where) or is_static(expr.args[0]):
        return expr
    condition, yes, no = expr.args
    return Where(condition, _within(yes, condition, True), _within(no, condition, False))


def _within(expr: sp.Expr, condition: sp.Basic, holds: bool) -> sp.Expr:
    """A branch in which what may grow reads no number that its condition keeps out."""
    if not isinstance(condition, Compare) or condition.op in ("==", "!="):
        return expr
    x, bound, below = condition.left, condition.right, condition.op in ("<", "<=")
    if is_scalar(x):
        x, bound, below = bound, x, not below
    if is_scalar(x) or not is_scalar(bound):
        return expr
    extreme = nd.Min if below == holds else nd.Max

    def inside(e: sp.Expr) -> sp.Expr:
        if e == x:
            return extreme(x, bound, ONE)
        return e if isinstance(e, Read) or not e.args else rebuild(e, [inside(a) for a in e.args])

    def visit(e: sp.Expr) -> sp.Expr:
        if isinstance(e, Read) or not e.args:
            return e
        grows = isinstance(e, sp.Pow) and e.exp.is_Integer and e.exp > 1
        if grows or isinstance(e, _GROWING):
            return inside(e)
        return rebuild(e, [visit(a) for a in e.args])

    return visit(expr)
