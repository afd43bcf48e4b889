"""Branches that autograd can differentiate where they are not taken.

In: the statements of a program.  Out: the same values, with no branch that overflows, or whose
slope does, where its condition keeps it out: autograd multiplies that slope by 0.

    where(a <= d, a**2/2, …)  →  where(a <= d, min(a, d)**2/2, …)
    where(kept, exp(a), 0)    →  where(kept, exp(where(kept, a, 0)), 0)

A value with a name is bounded by what chooses wherever it is read. A power is bounded by a
comparison with a number alone: else it would have to be out of range itself. A closed-form backward
needs none of it but to be differentiated: there, exponentials are held while something is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.branches import Choice, choices
from lossgen.nodes import (
    ONE,
    ZERO,
    Compare,
    Read,
    Where,
    free_letters,
    is_scalar,
    is_static,
    rebuild,
    walk,
)
from lossgen.program import Program, Statement
from lossgen.stabilize.known import Known

# What a reader of such a line will ask.
REASON = "Bounded also where it is not taken: autograd's 0 times an infinite slope is NaN."
_GROWING = (nd.Exp, nd.Expm1)
_LARGEST = 80.0  # a number whose exponential is in range, in float32 too

Choices = Mapping[str, tuple[Choice, ...]]
Bound = Callable[[sp.Expr, Choice], sp.Expr]  # a branch as its condition bounds it


class Taken(nd.Node):
    """The first argument; where the second fails, while something is recorded, 0."""

    __slots__ = ()


def bounded(program: Program, known: Known) -> Program:
    """A forward program whose branches are bounded as their conditions say.

    Args:
        program: what autograd differentiates as it is written.
        known: what is known of the values that it reads.
    """

    def masked(arg: sp.Expr, choice: Choice) -> sp.Expr:
        condition, holds = choice
        return Where(condition, arg, ZERO) if holds else Where(condition, ZERO, arg)

    def bound(branch: sp.Expr, choice: Choice) -> sp.Expr:
        return _within(branch, choice, known, masked, _limit(*choice))

    return _each_bounded(program, choices(program), bound)


def with_branches_held(program: Program, known: Known, chosen: Choices) -> Program:
    """A program of a ``Function``, every exponential in a branch held where that is not taken.

    Args:
        program: what autograd differentiates for a second derivative.
        known: what is known of the values that it reads.
        chosen: what must hold wherever a value of the forward is read.
    """

    def masked(arg: sp.Expr, choice: Choice) -> sp.Expr:
        condition = choice[0] if choice[1] else nd.Not(choice[0])
        held = isinstance(arg, Taken) and arg.args[1] == condition
        return arg if held else Taken(arg, condition)

    def bound(branch: sp.Expr, choice: Choice) -> sp.Expr:
        return _within(branch, choice, known, masked, None)

    return _each_bounded(program, {**choices(program), **chosen}, bound)


def _each_bounded(program: Program, chosen: Choices, bound: Bound) -> Program:
    """The program, its branches and what only branches read bounded."""
    done: list[Statement] = []
    made = {a.name for a in program.inputs}
    for x in program.statements:
        body = _bounded(x.body, bound)
        for choice in chosen.get(x.name, ()):
            if free_letters(choice[0]) <= {*x.free} and _names(choice[0]) <= made:
                body = bound(body, choice)
        done.append(replace(x, body=body))
        made.add(x.name)
    return replace(program, statements=tuple(done))


def _chosen_by(expr: sp.Expr, known: Known) -> sp.Basic | None:
    """What decides which of two values an expression is, if something does."""
    made = known.body(expr.name) if isinstance(expr, Read) else expr
    return made.args[0] if isinstance(made, Where) else None


def has_bounded_branch(expr: sp.Expr) -> bool:
    """Whether an expression chooses between branches one of which reads what bounds the choice."""
    return any(
        _bounds(inner, x.args[0])
        for x in walk(expr)
        if isinstance(x, Where)
        for branch in x.args[1:]
        for inner in walk(branch)
    )


def _bounds(inner: sp.Basic, condition: sp.Basic) -> bool:
    if isinstance(inner, _GROWING) and isinstance(inner.arg, Where):
        return bool(inner.arg.args[0] == condition)
    if isinstance(inner, (nd.Min, nd.Max)) and isinstance(condition, Compare):
        return {*inner.args[:2]} == {*condition.args[1:]}
    return False


def _names(expr: sp.Basic) -> set[str]:
    return {x.name for x in walk(expr) if isinstance(x, Read)}


def _bounded(expr: sp.Expr, bound: Bound) -> sp.Expr:
    if isinstance(expr, Read) or not expr.args:
        return expr
    expr = rebuild(expr, [_bounded(a, bound) for a in expr.args])
    if not isinstance(expr, Where) or is_static(expr.args[0]):
        return expr
    condition, yes, no = expr.args
    return Where(condition, bound(yes, (condition, True)), bound(no, (condition, False)))


def _within(
    expr: sp.Expr, choice: Choice, known: Known, masked: Bound, limit: sp.Expr | None
) -> sp.Expr:
    """A branch in which what may grow reads no number that its condition keeps out."""

    def inside(e: sp.Expr) -> sp.Expr:
        if limit is not None and e == limit.args[0]:
            return limit
        return e if isinstance(e, Read) or not e.args else rebuild(e, [inside(a) for a in e.args])

    def visit(e: sp.Expr) -> sp.Expr:
        if isinstance(e, Read) or not e.args:
            return e
        grows = isinstance(e, sp.Pow) and e.exp.is_Integer and e.exp > 1
        if grows or isinstance(e, _GROWING):
            held = inside(e)
            if held != e:
                return held
        e = rebuild(e, [visit(a) for a in e.args])
        if not isinstance(e, _GROWING) or is_scalar(e) or known.of(e.arg).high <= _LARGEST:
            return e
        held = e.func(masked(e.arg, choice))
        return e if e.arg == held.arg or _chosen_by(e.arg, known) == choice[0] else held

    return visit(expr)


def _limit(condition: sp.Basic, holds: bool) -> sp.Expr | None:
    """What a comparison with a number compares, held where it holds; of any other, nothing."""
    if not isinstance(condition, Compare) or condition.op in ("==", "!="):
        return None
    x, bound, below = condition.left, condition.right, condition.op in ("<", "<=")
    if is_scalar(x):
        x, bound, below = bound, x, not below
    if is_scalar(x) or not is_scalar(bound):
        return None
    return nd.Min(x, bound, ONE) if below == holds else nd.Max(x, bound, ONE)
