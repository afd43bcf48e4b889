"""Conditions on pairs that stand in several places, made once.

In: a program.  Out: the same, in which such a condition is a statement of its own.

    sum_{k | time[k] >= time[n]} a[k], count_{k} time[k] >= time[n]
    →  ordered_time[n, k] = time[k] >= time[n], and both read it

A condition is on pairs where it has more letters than anything that it reads: a comparison of all
pairs takes longer than what is read of it. It leaves alone what asks once, and letters that do not
run over their whole axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.torch_retold import unlike
from lossgen.nodes import Read, free_letters, is_static, rebuild, walk
from lossgen.program import Program, Statement

_WORDS = {"==": "same", "!=": "other"}


def with_pair_masks(program: Program, taken: Set[str]) -> Program:
    """The program with a name for each condition on pairs that is asked for more than once.

    Args:
        program: a forward or a backward.
        taken: names that stand for something else.
    """
    asked = Counter(c for x in program.statements if not x.extents for c in _conditions(x))
    known = {a.name for a in program.inputs} | {x.name for x in program.statements}
    named: dict[sp.Basic, Read] = {}
    for condition, times in asked.items():
        if times > 1:
            name = unlike(_name(condition), known | taken)
            known.add(name)
            named[condition] = Read(Str(name), *program.sorted(free_letters(condition)))
    made: list[Statement] = []
    done: set[sp.Basic] = set()
    for x in program.statements:
        for condition in _conditions(x):
            if condition in named and condition not in done:
                done.add(condition)
                read = named[condition]
                made.append(Statement(read.name, read.subscripts, condition, kind="boolean"))
        made.append(x if x.extents else x.mapped(lambda e: _reading(e, named)))
    return replace(program, statements=tuple(made))


def _conditions(x: Statement) -> Iterator[sp.Basic]:
    """The conditions on pairs in a statement, but for those inside another; not what it is."""
    for expr in x.expressions():
        if x.op != "map" or expr is not x.body:
            yield from _outermost(expr)
        else:
            yield from (c for part in expr.args for c in _outermost(part))


def _outermost(expr: sp.Basic) -> Iterator[sp.Basic]:
    if _is_on_pairs(expr):
        yield expr
        return
    for part in expr.args:
        yield from _outermost(part)


def _is_on_pairs(expr: sp.Basic) -> bool:
    if not isinstance(expr, (nd.Compare, nd.Junction)) or is_static(expr):
        return False
    reads = [x for x in walk(expr) if isinstance(x, Read)]
    whole = free_letters(expr)
    return bool(reads) and all(free_letters(x) < whole for x in reads)


def _name(condition: sp.Basic) -> str:
    """``same_target``, ``ordered_time``: what is compared, and how."""
    read = next(x for x in sp.preorder_traversal(condition) if isinstance(x, Read))
    word = "pairs" if isinstance(condition, nd.Junction) else _WORDS.get(condition.op, "ordered")
    return f"{word}_{read.name}"


def _reading(expr: sp.Basic, named: dict[sp.Basic, Read]) -> sp.Basic:
    if expr in named:
        return named[expr]
    return rebuild(expr, [_reading(a, named) for a in expr.args]) if expr.args else expr
