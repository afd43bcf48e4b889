"""Adjoints that may overflow before a sigmoid takes them back to 0: they are held finite.

In: the statements of a backward, and what is known of the values.  Out: the same, some held.

    d_miss[e] = gamma*grad_loss[e]*cross_entropy[e]; d_x[e] = d_miss[e]*sigmoid(x[e])*sigmoid(-x[e])
    →  d_miss[e] = finite(gamma*grad_loss[e]*cross_entropy[e])

Where the cross-entropy is the largest number and gamma is 2, infinity times 0 is NaN; the largest
number times 0 is what the slope is. Only products of two factors without a bound are held, which
one pass over the elements does, and only where a sigmoid multiplies them. So is an exponential
that what may be 0, for the other side of a ``max`` or another branch was taken, multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
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
    """Exponentials without a bound, held finite in products with what may have been made 0."""
    # The backward's own, slopes of logsumexps, are at most 1, which is not always known.
    far = {e for x in kept for e in walk(x.body) if _is_far(e, known)}
    names = {x.body: x.name for x in kept if x.body in far}
    # Where a condition chose the argument too, the exponential is harmless where nothing comes.
    loose = {e for e in far if not _is_chosen(e.arg, known)}
    stepped: set[str] = set()
    gated: set[str] = set()
    done = []
    for x in statements:
        if any(isinstance(e, nd.Step) for e in walk(x.body)) or stepped & x.reads():
            stepped.add(x.name)
        if any(map(_gates, sp.Mul.make_args(x.body))) or gated & x.reads():
            gated.add(x.name)
        body = x.body
        for zero, large in ((stepped, far), (gated, loose)):
            body = _beside(body, zero, large | {names[e] for e in large & names.keys()})
        done.append(replace(x, body=body))
    return tuple(done)


def _is_far(expr: sp.Basic, known: Known) -> bool:
    """Whether an expression is an exponential without a bound."""
    grows = isinstance(expr, (nd.Exp, nd.Expm1)) and not is_scalar(expr)
    return grows and bool(known.of(expr.arg).high == math.inf)


def _is_chosen(expr: sp.Expr, known: Known) -> bool:
    """Whether a condition on elements decides which of two values an expression is."""
    made = (known.body(expr.name) or expr) if isinstance(expr, Read) else expr
    return any(isinstance(e, nd.Where) and not nd.is_static(e.args[0]) for e in walk(made))


def _gates(expr: sp.Basic) -> bool:
    """Whether an expression is 0 where elements decide so."""
    gates = isinstance(expr, nd.Where) and nd.ZERO in expr.args[1:]
    return gates and not nd.is_static(expr.args[0])


def _beside(expr: sp.Basic, zero: Container[str], large: Container[sp.Basic | str]) -> sp.Expr:
    """An expression, its factors that are large held finite beside those that may be 0."""
    if isinstance(expr, (Read, nd.Compare, nd.Finite)) or not expr.args:
        return expr
    args = [_beside(a, zero, large) for a in expr.args]
    if isinstance(expr, sp.Mul) and any(isinstance(f, Read) and f.name in zero for f in args):
        found = [(f.name if isinstance(f, Read) else f) in large for f in args]
        args = [nd.Finite(f) if is_large else f for f, is_large in zip(args, found, strict=True)]
    return rebuild(expr, args)


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
