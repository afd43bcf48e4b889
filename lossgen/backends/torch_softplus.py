"""The softplus, and with it the logarithm of a sigmoid, as torch computes them soonest.

In: a program.  Out: the same, with a softplus in its place where nothing is fused, and what the
softplus of a score and that of its opposite have in common computed once.

    log_sigmoid(x[n])                    →  -softplus(-x[n])
    softplus(x[n]) and softplus(-x[n])   →  tail_x[n] = softplus(-|x[n]|), then
                                            tail_x[n] + max(x[n], 0) and tail_x[n] - min(x[n], 0)

A softplus and a logarithm of a sigmoid take one exponential and one log1p each, and round alike. On
a CPU ``F.logsigmoid`` fills a second array besides, for a backward of its own that nobody here
calls. A compiler fuses both signs of a score into one, written as logarithms of sigmoids. It
refuses nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.backends.torch_rewriting import rewritten
from lossgen.nodes import Letter, LogSigmoid, Max, Min, Read, Softplus, Unary, walk
from lossgen.program import Program, Statement
from lossgen.stabilize.matching import minus


class SoftplusTail(Unary):
    """The softplus of minus the size of something."""

    __slots__ = ()
    is_positive = True


def with_softplus(program: Program) -> Program:
    """The program with a softplus in place of every logarithm of a sigmoid."""
    return rewritten(program, LogSigmoid, lambda x: -Softplus(minus(x.arg)))


def with_log_sigmoid(program: Program) -> Program:
    """The program with the logarithm of a sigmoid in place of every softplus."""
    return rewritten(program, Softplus, lambda x: -LogSigmoid(minus(x.arg)))


def with_tails(program: Program, taken: Container[str]) -> Program:
    """The program with one exponential for the softplus of both signs of a value.

    Args:
        program: what is printed.
        taken: names that stand for something else.
    """
    asked = {e.arg for x in program.statements for e in _softpluses(x)}
    both = [e for e in asked if isinstance(e, Read) and -e in asked and _whole(e, program)]
    names = {a.name for a in program.inputs} | {x.name for x in program.statements}
    tails = {e: Read(Str(f"tail_{e.name}"), *e.subscripts) for e in both}
    tails = {e: x for e, x in tails.items() if x.name not in names and x.name not in taken}

    def shared(expr: Softplus) -> sp.Expr:
        # At 0 both are of the side below, so that autograd, too, has their slopes there.
        if expr.arg in tails:
            return tails[expr.arg] + Max(expr.arg, 0, 0)
        if -expr.arg in tails:
            return tails[-expr.arg] - Min(-expr.arg, 0, 1)
        return expr

    out: list[Statement] = []
    made: set[sp.Expr] = set()
    for x in program.statements:
        for e in (e.arg if e.arg in tails else -e.arg for e in _softpluses(x)):
            if e in tails and e not in made:
                made.add(e)
                out.append(Statement(tails[e].name, tails[e].subscripts, SoftplusTail(e)))
        out.append(x)
    return rewritten(replace(program, statements=tuple(out)), Softplus, shared)


def _softpluses(x: Statement) -> Iterator[Softplus]:
    yield from (e for whole in x.expressions() for e in walk(whole) if isinstance(e, Softplus))


def _whole(expr: Read, program: Program) -> bool:
    """Whether a read is of every element of an array, each once."""
    letters = {y for y in expr.subscripts if isinstance(y, Letter)}
    shorter = {x.name for x in program.statements if x.extents}
    return len(letters) == len(expr.subscripts) and expr.name not in shorter
