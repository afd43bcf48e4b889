"""Adjoints that may overflow before a sigmoid takes them back to 0: they are held finite.

In: the statements of a backward, and what is known of the values.  Out: the same, some held.

    d_miss[e] = gamma*grad_loss[e]*cross_entropy[e]; d_x[e] = d_miss[e]*sigmoid(x[e])*sigmoid(-x[e])
    →  d_miss[e] = finite(gamma*grad_loss[e]*cross_entropy[e])

Where the cross-entropy is the largest number and gamma is 2, infinity times 0 is NaN; the largest
number times 0 is what the slope is. Only products of two factors without a bound are held, which
one pass over the elements does, and only where a sigmoid multiplies them. So is an exponential
that what may be 0, for the other side of a ``max`` was taken, multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Read, is_scalar, rebuild, walk
from lossgen.program import Statement
from lossgen.stabilize.known import Known


def held_finite(
    statements: Iterable[Statement], known: Known, kept: Iterable[Statement] = ()
) -> tuple[Statement, ...]:
    """The statements, those held finite that a sigmoid multiplies and that may overflow before.

    Args:
        statements: those of a backward.
        known: what is known of the values.
        kept: the forward's, which the backward may read.
    """
    given = _held_beside_steps(tuple(statements), known, kept)
    fading = {x.name for x in (*kept, *given) if isinstance(x.body, nd.Sigmoid)}
    faded = {r for x in given if _fades(x, fading) for r in x.reads() if r.startswith("d_")}
    return tuple(
        replace(x, body=nd.Finite(x.body))
        if x.name in faded and x.op == "map" and _may_overflow(x.body, known)
        else x
        for x in given
    )


def _held_beside_steps(
    statements: tuple[Statement, ...], known: Known, kept: Iterable[Statement]
) -> tuple[Statement, ...]:
    """Exponentials without a bound, held finite in products with what a step has made 0."""
    far = {
        x.name for x in kept if isinstance(x.body, nd.Exp) and known.of(x.body.arg).high == math.inf
    }
    stepped: set[str] = set()
    done = []
    for x in statements:
        if any(isinstance(e, nd.Step) for e in walk(x.body)) or stepped & x.reads():
            stepped.add(x.name)
        done.append(replace(x, body=_beside(x.body, far, stepped)) if far else x)
    return tuple(done)


def _beside(expr: sp.Basic, far: set[str], stepped: set[str]) -> sp.Expr:
    """An expression, the factors that read ``far`` held finite beside those that are stepped."""
    if isinstance(expr, (Read, nd.Compare)) or not expr.args:
        return expr
    if isinstance(expr, sp.Mul):
        steps = any(isinstance(f, Read) and f.name in stepped for f in expr.args)
        held = [
            nd.Finite(f) if steps and isinstance(f, Read) and f.name in far else f
            for f in expr.args
        ]
        return sp.Mul(*(f if isinstance(f, nd.Finite) else _beside(f, far, stepped) for f in held))
    return rebuild(expr, [_beside(a, far, stepped) for a in expr.args])


def _fades(x: Statement, fading: set[str]) -> bool:
    parts = (part for part in walk(x.body) if isinstance(part, sp.Mul))
    return any(
        isinstance(f, nd.Sigmoid) or (isinstance(f, Read) and f.name in fading)
        for part in parts
        for f in part.args
    )


def _may_overflow(body: sp.Expr, known: Known) -> bool:
    """Whether two factors or more have no bound, and none is itself an adjoint or a quotient."""
    factors = sp.Mul.make_args(body)
    if any(isinstance(f, sp.Pow) and not is_scalar(f) for f in factors):
        return False
    # What divides does not make it larger: no axis is empty, and no option that divides is tiny.
    above = [f for f in factors if not isinstance(f, sp.Pow)]
    unbounded = [f for f in above if math.inf in (known.of(f).high, -known.of(f).low)]
    return len(unbounded) > 1 and any(not is_scalar(f) for f in unbounded)
