"""Softmaxes and likelihoods from a largest score and a total, which a compiler cannot share itself.

In: a program.  Out: the same, where each softmax over one axis, and each likelihood at a label,
reads two statements that all of one array's scores have in common.

    prob[n, c] = softmax_c x[n, c]  →  top_x[n] = amax_c x[n, c]
                                       total_x[n] = sum_c exp(x[n, c] - top_x[n])
                                       prob[n, c] = share(x[n, c], top_x[n], total_x[n])

Both are small, so that the gradients are given them instead of finding them again.  The logarithm
of a softmax reads that of the total.  Where positions stand after the classes, an adjoint of scores
is of the same two.  What is masked or runs over part of an axis it leaves alone.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.compile_written import Written
from lossgen.nodes import TRUE, Letter, Read
from lossgen.program import Program, Statement
from lossgen.static import NEVER, Guard, either


class Share(nd.Node):
    """``exp(x - top) / total``."""

    __slots__ = ()


class LogShare(nd.Node):
    """``x - top - log_total``, in that order."""

    __slots__ = ()


class Others(nd.Unary):
    """``exp(x)`` of what is at most 0; nothing where it is 0."""

    __slots__ = ()


class LogTotal(nd.Node):
    """``log(total)`` of a total of powers, and of the total of those that are not 1."""

    __slots__ = ()


def with_totals(program: Program, taken: Container[str]) -> Program:
    """The program with the largest score and the total of its softmaxes made once.

    Args:
        program: a forward or a backward.
        taken: names that stand for something else, in either.
    """
    asked: dict[str, Guard] = {}
    for x in program.statements:
        for name in _names(x)[: _count(x)]:
            asked[name] = either(asked.get(name, NEVER), x.guard)
    made: set[str] = set()
    out: list[Statement] = []
    for x in program.statements:
        names = _names(x)
        if not names or any(name in taken for name in names):
            out.append(x)
            continue
        free = tuple(y for y in x.body.subscripts if y not in x.bound)
        top, total, others, log_total = (Read(Str(name), *free) for name in names)
        below = x.body - top
        for y in (
            Statement(names[0], free, x.body, "amax", x.bound),
            Statement(names[1], free, nd.Exp(below), "sum", x.bound),
            Statement(names[2], free, Others(below), "sum", x.bound),
            Statement(names[3], free, Written(LogTotal(total, others))),
        )[: _count(x)]:
            if y.name not in made:
                made.add(y.name)
                out.append(replace(y, guard=asked[y.name]))
        if x.op == "nll":
            out.append(replace(x, target=(*x.target, top, total)))
        elif x.op == "log_softmax":
            out.append(replace(x, op="map", bound=(), body=LogShare(x.body, top, log_total)))
        else:
            out.append(replace(x, op="map", bound=(), body=Share(x.body, top, total)))
    return replace(program, statements=tuple(out))


def with_balances(program: Program) -> Program:
    """The program with adjoints of scores of what the shares are made of.

    The ``target`` of such a statement is score, largest score and total; its ``body`` is the
    adjoint of the shares.
    """
    shares = {x.name: x.body.args for x in program.statements if isinstance(x.body, Share)}
    return replace(
        program,
        statements=tuple(
            _balance(x, shares) if x.op == "balance" else x for x in program.statements
        ),
    )


def _balance(x: Statement, shares: Mapping[str, tuple[sp.Expr, ...]]) -> Statement:
    (prob,), factors = x.target, sp.Mul.make_args(x.body)
    # Neighbours in memory are summed by rows, which a cache holds.
    apart = x.bound[0] != x.free[-1]
    if not apart or prob not in factors or prob.subscripts != x.free or prob.name not in shares:
        return x
    adjoint = sp.Mul(*(f for f in factors if f != prob))
    return replace(x, body=adjoint, target=shares[prob.name])


def _count(x: Statement) -> int:
    """How many of its names something reads: a logarithm all, another the first two."""
    return 4 if x.op == "log_softmax" else 2


def _names(x: Statement) -> tuple[str, ...]:
    """Names for what normalises the whole of one axis of an array, for each axis of their own."""
    whole = len(x.bound) == 1 and x.where is TRUE and not x.extents
    if not whole or x.op not in ("softmax", "log_softmax", "nll") or type(x.body) is not Read:
        return ()
    letters, name = x.body.subscripts, x.body.name
    if not all(isinstance(y, Letter) for y in letters) or len({*letters}) < len(letters):
        return ()
    # The second axis is the classes' and the columns'; what runs along another says so.
    axis = letters.index(x.bound[0])
    mark = "" if axis == 1 or len(letters) == 1 else f"_along{axis}"
    return tuple(f"{x}_{name}{mark}" for x in ("top", "total", "others", "log_total"))
