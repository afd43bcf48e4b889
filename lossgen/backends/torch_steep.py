"""Exponentials whose slope a second derivative multiplies by infinity, or infinite by 0.

In: a program.  Out: the same, the arguments of some exponentials held where it is computed again to
be differentiated.

    expm1(log_prob[n])      →  expm1(steep(log_prob[n])), held where its slope is 0
    exp(logp[n] - old[n])   →  exp(bounded(logp[n] - old[n])), held where it would be infinite

A second derivative is autograd's of the closed-form backward. What comes back to an exponential
that is 0 may be out of range, and what comes back to one out of range may be 0: their product is
NaN where the derivative is 0. The first kind is held if its argument is at most 0 and has no other
bound, the second if the backward holds the exponential finite, or if only a branch reads it, which
is computed where it is not taken, too. It refuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_branches import LARGEST, choices
from lossgen.backends.torch_rewriting import rewritten
from lossgen.nodes import Read, Where, is_scalar, is_static, rebuild, walk
from lossgen.program import Program
from lossgen.stabilize.known import Known


class Steep(nd.Unary):
    """The argument, held where its exponential is 0 and so is the slope of that."""

    __slots__ = ()


class Bounded(nd.Unary):
    """The argument, held where its exponential would be infinite, its slope as it is."""

    __slots__ = ()


def finite(program: Program) -> frozenset[str]:
    """The values that a program holds finite."""
    held = (e.args[0] for x in program.statements for e in walk(x.body) if isinstance(e, nd.Finite))
    return frozenset(e.name for e in held if isinstance(e, Read))


def with_held_slopes(
    program: Program, known: Known, finite: Container[str], chosen: Iterable[str]
) -> Program:
    """The program, the arguments of some exponentials held.

    Args:
        program: what autograd may differentiate.
        known: what is known of the values that it reads.
        finite: the values that are held finite where they are multiplied.
        chosen: the values that only branches read.
    """

    def steep(x: nd.Unary) -> sp.Expr:
        range_ = known.of(x.arg)
        return x.func(Steep(x.arg)) if range_.high <= 0 and range_.low == -math.inf else x

    for kind in (nd.Exp, nd.Expm1):
        program = rewritten(program, kind, steep)
    program = replace(
        program,
        statements=tuple(
            x.mapped(lambda body: _held(body) if isinstance(body, nd.Exp) else body)
            if x.name in finite
            else x
            for x in program.statements
        ),
    )
    return _with_branches_held(program, known, chosen)


def _with_branches_held(program: Program, known: Known, chosen: Iterable[str]) -> Program:
    """The program, every exponential held that a branch reads alone and that may be infinite."""
    chosen = {*chosen, *choices(program)}

    def visit(expr: sp.Basic, branch: bool) -> sp.Basic:
        if not expr.has(nd.Exp, nd.Expm1):
            return expr
        chooses = isinstance(expr, Where) and not is_static(expr.args[0])
        parts = [visit(a, branch or (chooses and k > 0)) for k, a in enumerate(expr.args)]
        made = rebuild(expr, parts)
        grows = branch and isinstance(made, (nd.Exp, nd.Expm1)) and not is_scalar(made.arg)
        return _held(made) if grows and known.of(made.arg).high > LARGEST else made

    done = [replace(x, body=visit(x.body, x.name in chosen)) for x in program.statements]
    return replace(program, statements=tuple(done))


def _held(expr: nd.Unary) -> sp.Expr:
    return expr if isinstance(expr.arg, (Bounded, Steep)) else expr.func(Bounded(expr.arg))
