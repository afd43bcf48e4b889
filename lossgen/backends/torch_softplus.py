"""The logarithm of a sigmoid as torch computes it soonest.

In: a program.  Out: the same, with a softplus in its place where nothing is fused.

    log_sigmoid(x[n])  →  -softplus(-x[n])

Both take one exponential and one log1p, and round alike. On a CPU ``F.logsigmoid`` fills a second
array besides, for a backward of its own that nobody here calls. A compiler fuses both signs of a
score into one, written as logarithms of sigmoids. It refuses nothing.
"""

from __future__ import annotations

from lossgen.backends.torch_rewriting import rewritten
from lossgen.nodes import LogSigmoid, Softplus
from lossgen.program import Program
from lossgen.stabilize.matching import minus


def with_softplus(program: Program) -> Program:
    """The program with a softplus in place of every logarithm of a sigmoid."""
    return rewritten(program, LogSigmoid, lambda x: -Softplus(minus(x.arg)))


def with_log_sigmoid(program: Program) -> Program:
    """The program with the logarithm of a sigmoid in place of every softplus."""
    return rewritten(program, Softplus, lambda x: -LogSigmoid(minus(x.arg)))
