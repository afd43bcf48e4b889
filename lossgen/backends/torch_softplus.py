"""The logarithm of a sigmoid as torch computes it soonest: by its softplus.

In: a program.  Out: the same, without ``LogSigmoid`` over tensors.

    log_sigmoid(x[n])  →  -softplus(-x[n])

Both take one exponential and one log1p, and round alike. On a CPU ``F.logsigmoid`` fills a second
array besides, for a backward of its own that nobody here calls. It refuses nothing.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from lossgen.nodes import LogSigmoid, Softplus, is_scalar, rebuild
from lossgen.program import Program
from lossgen.stabilize.matching import minus


def with_softplus(program: Program) -> Program:
    """The program with a softplus in place of every logarithm of a sigmoid."""
    statements = tuple(x.mapped(_rewritten) for x in program.statements)
    return replace(program, statements=statements)


def _rewritten(expr: sp.Basic) -> sp.Basic:
    if not expr.has(LogSigmoid):
        return expr
    inner = [_rewritten(a) for a in expr.args]
    if isinstance(expr, LogSigmoid) and not is_scalar(expr):
        return -Softplus(minus(inner[0]))
    return rebuild(expr, inner)
