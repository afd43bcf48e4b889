"""The logarithm of a sigmoid as torch computes it soonest.

In: a program.  Out: the same, with a softplus in its place where nothing is fused.

    log_sigmoid(x[n])  →  -softplus(-x[n])

Both take one exponential and one log1p, and round alike. On a CPU ``F.logsigmoid`` fills a second
array besides, for a backward of its own that nobody here calls. A compiler fuses both signs of a
score into one, written as logarithms of sigmoids. It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from lossgen.nodes import LogSigmoid, Softplus, is_scalar, rebuild
from lossgen.program import Program
from lossgen.stabilize.matching import minus


def with_softplus(program: Program) -> Program:
    """The program with a softplus in place of every logarithm of a sigmoid."""
    return _with(program, LogSigmoid, lambda x: -Softplus(minus(x)))


def with_log_sigmoid(program: Program) -> Program:
    """The program with the logarithm of a sigmoid in place of every softplus."""
    return _with(program, Softplus, lambda x: -LogSigmoid(minus(x)))


def _with(program: Program, kind: type[sp.Basic], other: Callable[[sp.Expr], sp.Expr]) -> Program:
    def rewritten(expr: sp.Basic) -> sp.Basic:
        if not expr.has(kind):
            return expr
        inner = [rewritten(a) for a in expr.args]
        return (
            other(inner[0])
            if isinstance(expr, kind) and not is_scalar(expr)
            else rebuild(expr, inner)
        )

    return replace(program, statements=tuple(x.mapped(rewritten) for x in program.statements))
