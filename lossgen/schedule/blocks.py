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

from lossgen.nodes import Given, Needs, text
from lossgen.program import Statement
from lossgen.schedule.guards import asked_for, tidy
from lossgen.static import NEVER, Guard, narrow, ordered, resolve, switches


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
    return _schedule(statements, known or {}, asked_for(x.guard for x in statements))


def _schedule(
    statements: Sequence[Statement], known: Mapping[sp.Basic, bool], gradients: frozenset[str]
) -> tuple[Block, ...]:
    pending = [r for x in statements if (r := _resolved(x, known, gradients)) is not None]
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
            _schedule(run, _implied({**known, condition: truth}), gradients)
            for truth in (True, False)
        )
        blocks.append(Branch(condition, then, otherwise))
        pending = rest
    return tuple(blocks)


def _implied(known: Mapping[sp.Basic, bool]) -> dict[sp.Basic, bool]:
    """A tensor whose gradient is asked for is there; one that is absent needs none."""
    result = dict(known)
    for condition, truth in known.items():
        if isinstance(condition, Needs) and truth and len(condition.names) == 1:
            result[Given(condition.args[0])] = True
        if isinstance(condition, Needs) and not truth:
            result.update((Needs(name), False) for name in condition.args)
        if isinstance(condition, Given) and not truth:
            result[Needs(Str(condition.name))] = False
    return result


def _settled(guard: Guard, known: Mapping[sp.Basic, bool]) -> Mapping[sp.Basic, bool]:
    """What is known, with what follows from it for conditions on several gradients."""
    asked = [set(c.args) for c, v in known.items() if isinstance(c, Needs) and v]
    spared = {name for c, v in known.items() if isinstance(c, Needs) and not v for name in c.args}
    result = dict(known)
    for condition in {c for term in guard for c, _ in term if isinstance(c, Needs)}:
        if any(names <= set(condition.args) for names in asked):
            result[condition] = True
        elif set(condition.args) <= spared:
            result[condition] = False
    return result


def _asking(guard: Guard, known: Mapping[sp.Basic, bool]) -> Guard:
    """A guard that asks for no gradient of which it is known that nobody does."""
    spared = {
        c.names[0] for c, v in known.items() if isinstance(c, Needs) and not v and len(c.names) == 1
    }

    def left(c: sp.Basic) -> sp.Basic:
        if not isinstance(c, Needs) or spared >= {*c.names}:
            return c
        return Needs(*(x for x in c.args if text(x) not in spared))

    return frozenset(frozenset((left(c), v) for c, v in term) for term in guard)


def _resolved(
    x: Statement, known: Mapping[sp.Basic, bool], gradients: frozenset[str]
) -> Statement | None:
    guard = narrow(_asking(x.guard, known), _settled(x.guard, known))
    if guard == NEVER:
        return None
    guard = tidy(guard, gradients)
    return replace(x.mapped(lambda e: resolve(e, known)), guard=guard)


def _conditions(x: Statement) -> list[sp.Basic]:
    guarding = dict.fromkeys(c for t in ordered(x.guard) for c, _ in sorted(t, key=str))
    return list(guarding) or switches(x.expressions())


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
