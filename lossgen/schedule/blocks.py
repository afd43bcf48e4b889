"""Guarded statements as blocks: lines, and branches on one static condition each.

In: statements with guards.  Out: blocks in an order in which each reads only what is above it.

    a[e] if full; loss[e] = where(full, a[e], b[e])  →  Branch(full, [a, loss = a], [loss = b])

Statements share a branch only where no other statement stands between them that they read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import FALSE, TRUE, Compare, Given, Needs
from lossgen.program import Statement
from lossgen.static import NEVER, narrow, ordered, resolve, switches


@dataclass(frozen=True, slots=True)
class Branch:
    """``if condition: then; else: otherwise``."""

    condition: sp.Basic
    then: tuple[Block, ...]
    otherwise: tuple[Block, ...]


Block = Statement | Branch


def schedule(
    statements: Sequence[Statement], known: Mapping[sp.Basic, bool] | None = None
) -> tuple[Block, ...]:
    """The statements as blocks, under what is already known of the static conditions."""
    known = known or {}
    pending = [r for x in statements if (r := _resolved(x, known)) is not None]
    blocks: list[Block] = []
    while pending:
        first = pending[0]
        conditions = _conditions(first)
        if not conditions:
            blocks.append(first)
            pending.pop(0)
            continue
        condition = conditions[0]
        run, rest = _gather(pending, condition)
        then, otherwise = (
            schedule(run, _implied({**known, condition: truth}, run)) for truth in (True, False)
        )
        blocks.append(Branch(condition, then, otherwise))
        pending = rest
    return tuple(blocks)


def _implied(known: Mapping[sp.Basic, bool], run: Sequence[Statement]) -> dict[sp.Basic, bool]:
    """What else is known in these statements.

    A tensor whose gradient is asked for is there; one that is absent needs none; an option that
    equals a number is not another one.
    """
    result = dict(known)
    asked = dict.fromkeys(c for x in run for c in _asked(x) if isinstance(c, Compare))
    for condition, truth in known.items():
        if isinstance(condition, Needs) and truth:
            result[Given(Str(condition.name))] = True
        if isinstance(condition, Given) and not truth:
            result[Needs(Str(condition.name))] = False
        if isinstance(condition, Compare) and condition.op == "==" and truth:
            for other in asked:
                if other.left == condition.left and condition.right.is_number:
                    decided = Compare(other.op, condition.right, other.right)
                    result |= {other: decided is TRUE} if decided in (TRUE, FALSE) else {}
    return result


def _resolved(x: Statement, known: Mapping[sp.Basic, bool]) -> Statement | None:
    guard = narrow(x.guard, known)
    if guard == NEVER:
        return None
    body, where, base, *target = (resolve(e, known) for e in x.expressions())
    return replace(x, body=body, where=where, base=base, target=tuple(target), guard=guard)


def _conditions(x: Statement) -> list[sp.Basic]:
    return _guarding(x) or switches(x.expressions())


def _asked(x: Statement) -> list[sp.Basic]:
    return [*_guarding(x), *switches(x.expressions())]


def _guarding(x: Statement) -> list[sp.Basic]:
    return list(dict.fromkeys(c for t in ordered(x.guard) for c, _ in sorted(t, key=str)))


def _gather(
    pending: list[Statement], condition: sp.Basic
) -> tuple[list[Statement], list[Statement]]:
    """The statements that one branch can hold, and those that stay behind it in order."""
    run: list[Statement] = []
    rest: list[Statement] = []
    behind: set[str] = set()
    for x in pending:
        if condition in _conditions(x) and not x.reads() & behind:
            run.append(x)
        else:
            rest.append(x)
            behind.add(x.name)
    return run, rest
