"""Exponentials whose slope a second derivative multiplies by infinity, or infinite by 0.

In: a program.  Out: the same, the arguments of some exponentials held where it is computed again to
be differentiated.

    expm1(log_prob[n])      →  expm1(steep(log_prob[n])), held where its slope is 0
    exp(logp[n] - old[n])   →  exp(bounded(logp[n] - old[n])), held where it would be infinite

A second derivative is autograd's of the closed-form backward. What comes back to an exponential
that is 0 may be out of range, and what comes back to one out of range may be 0: their product is
NaN where the derivative is 0. The first kind is held if its argument is at most 0 and has no other
bound, the second if the backward holds the exponential finite. It refuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_rewriting import rewritten
from lossgen.nodes import Read, walk
from lossgen.program import Program
from lossgen.stabilize.known import Known


class Steep(nd.Unary):
    """The argument, held where its exponential is 0 and so is the slope of that."""

    __slots__ = ()


class Bounded(nd.Unary):
    """The argument, held where its exponential would be infinite, its slope as it is."""

    __slots__ = ()


def held_finite(program: Program) -> frozenset[str]:
    """The values that a program holds finite."""
    held = (e.args[0] for x in program.statements for e in walk(x.body) if isinstance(e, nd.Finite))
    return frozenset(e.name for e in held if isinstance(e, Read))


def with_held_slopes(program: Program, known: Known, finite: Container[str]) -> Program:
    """The program, the arguments of some exponentials held.

    Args:
        program: what autograd may differentiate.
        known: what is known of the values that it reads.
        finite: the values that are held finite where they are multiplied.
    """

    def steep(x: nd.Unary) -> sp.Expr:
        range_ = known.of(x.arg)
        return x.func(Steep(x.arg)) if range_.high <= 0 and range_.low == -math.inf else x

    for kind in (nd.Exp, nd.Expm1):
        program = rewritten(program, kind, steep)
    return replace(
        program,
        statements=tuple(
            x.mapped(lambda body: nd.Exp(Bounded(body.arg)) if isinstance(body, nd.Exp) else body)
            if x.name in finite
            else x
            for x in program.statements
        ),
    )
