"""What options choose, read by the name of the choice.

In: the statements of a backward, and the forward.  Out: the same, where a reduction that a named
value simply is under a condition is read by that name wherever the condition is sure to hold:

    far[s] = where(p == 2, norm_gap[s], max_gap[s])
    d_gap[s, d] = where(p == 2, gap[s, d]/norm_gap[s]*d_far[s], …)
    →  d_gap[s, d] = where(p == 2, gap[s, d]/far[s]*d_far[s], …)

One name is then kept for the backward, whatever the options, in place of one for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, Where, is_static, rebuild
from lossgen.program import REDUCTIONS, Program, Statement
from lossgen.static import ALWAYS, NEVER, Guard, Literal, both, either, guard_of, reads_under

_Choices = Mapping[str, Sequence[tuple[str, frozenset[Literal]]]]


def with_choices_read(
    statements: Sequence[Statement], forward: Program, results: Sequence[str]
) -> tuple[Statement, ...]:
    """The statements, reading what options choose by the name of the choice.

    Args:
        statements: a backward.
        forward: what it differentiates.
        results: of the backward.
    """
    renamed = {source: [(name, when)] for source, (name, when) in _choices(forward).items()}
    return _renamed(statements, results, renamed)


def with_choices_resolved(
    statements: Sequence[Statement], forward: Program, results: Sequence[str]
) -> tuple[Statement, ...]:
    """The statements, reading what a choice is wherever its condition is sure to hold.

    Where forward and backward are one, nothing is kept, and what a choice is is there before it.
    """
    resolved: dict[str, list[tuple[str, frozenset[Literal]]]] = {}
    for source, (name, when) in _choices(forward).items():
        resolved.setdefault(name, []).append((source, when))
    return _renamed(statements, results, resolved)


def _renamed(
    statements: Sequence[Statement], results: Sequence[str], choices: _Choices
) -> tuple[Statement, ...]:
    """The statements, reading under other names where conditions are sure to hold."""
    if not choices:
        return tuple(statements)
    needed: dict[str, Guard] = dict.fromkeys(results, ALWAYS)
    done: list[Statement] = []
    for x in reversed(statements):
        when = needed.get(x.name, NEVER)
        for expr in x.expressions():
            for read, guard in reads_under(expr, when):
                needed[read.name] = either(needed.get(read.name, NEVER), guard)
        done.append(x.mapped(partial(_reading, when=when, choices=choices)))
    return tuple(reversed(done))


def _choices(forward: Program) -> dict[str, tuple[str, frozenset[Literal]]]:
    """The reductions that a named value is under some conditions, each with that and these."""
    made = {x.name: x for x in forward.statements}
    found: dict[str, tuple[str, frozenset[Literal]]] = {}
    for x in forward.statements:
        if x.op != "map" or x.name in forward.results or not isinstance(x.body, Where):
            continue
        for read, guard in reads_under(x.body, ALWAYS):
            source = made.get(read.name)
            alone = source is not None and source.op in REDUCTIONS and read.subscripts == x.free
            if alone and len(guard) == 1 and _is_choice(x.body, read):
                (conditions,) = guard
                found.setdefault(read.name, (x.name, conditions))
    return found


def _is_choice(body: sp.Basic, read: Read) -> bool:
    """Whether a body is what is read under some static conditions, not only made of it."""
    if isinstance(body, Where) and is_static(body.args[0]):
        return any(_is_choice(x, read) for x in body.args[1:])
    return body == read


def _reading(expr: sp.Basic, when: Guard, choices: _Choices) -> sp.Basic:
    if isinstance(expr, Read) and expr.name in choices:
        for name, conditions in choices[expr.name]:
            if when != NEVER and all(conditions <= term for term in when):
                return Read(Str(name), *expr.subscripts)
    if isinstance(expr, Where) and is_static(expr.args[0]):
        condition, yes, no = expr.args
        yes = _reading(yes, both(when, guard_of(condition)), choices)
        no = _reading(no, both(when, guard_of(condition, False)), choices)
        return Where(condition, yes, no)
    return rebuild(expr, [_reading(a, when, choices) for a in expr.args]) if expr.args else expr
