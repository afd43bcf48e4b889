"""Lays out a program's statements under Python branches.

In: a ``Program``. Out: blocks, which are statements free of static conditions and ``Branch``es on
one condition. A statement that only one branch needs is computed in that branch alone, so an option
that is off costs nothing, forward and backward.

    loss[e] = where(full, a[e] + b[e], a[e])   →   if full: loss = a + b
                                                   else: loss = a
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Given, Needs, Read, Where, is_static, rebuild
from lossgen.program import Program, Statement
from lossgen.static import (
    NEVER,
    Guard,
    both,
    either,
    guard_of,
    narrow,
    ordered,
    resolve,
    switches,
)


@dataclass(frozen=True, slots=True)
class Branch:
    """``if condition: then; else: otherwise``."""

    condition: sp.Basic
    then: tuple[Block, ...]
    otherwise: tuple[Block, ...]


Block = Statement | Branch


def with_guards(program: Program, roots: Mapping[str, Guard]) -> tuple[Statement, ...]:
    """The statements, each with the condition under which anything needs it.

    Args:
        program: the program.
        roots: when each of its results is needed.
    """
    needed: dict[str, Guard] = dict(roots)
    guarded: list[Statement] = []
    for x in reversed(program.statements):
        guard = needed.get(x.name, NEVER)
        if guard == NEVER:
            continue
        guard = _tidy(guard)
        guarded.append(replace(x, guard=guard))
        for expr in x.expressions():
            _note_uses(expr, guard, needed)
    return tuple(reversed(guarded))


def _tidy(guard: Guard) -> Guard:
    """A guard fit for an ``if``.

    What several gradients need is computed whenever any of them may be asked for; and a tensor
    whose gradient is asked for is there.
    """
    needs = [frozenset(c for c, _ in term if isinstance(c, Needs)) for term in guard]
    shared = frozenset.intersection(*needs) if needs else frozenset()
    terms = []
    for term in guard:
        given = {Given(Str(c.name)) for c in shared}
        kept = frozenset(
            (c, v)
            for c, v in term
            if (c in shared or not isinstance(c, Needs)) and not (c in given and v)
        )
        terms.append(kept)
    return either(frozenset(terms), NEVER)


def _note_uses(expr: sp.Basic, path: Guard, needed: dict[str, Guard]) -> None:
    if isinstance(expr, Read):
        needed[expr.name] = either(needed.get(expr.name, NEVER), path)
    if isinstance(expr, Where) and is_static(expr.args[0]):
        condition, yes, no = expr.args
        _note_uses(yes, both(path, guard_of(condition)), needed)
        _note_uses(no, both(path, guard_of(condition, False)), needed)
        return
    for arg in expr.args:
        _note_uses(arg, path, needed)


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
            schedule(run, _implied({**known, condition: truth})) for truth in (True, False)
        )
        blocks.append(Branch(condition, then, otherwise))
        pending = rest
    return tuple(blocks)


def _implied(known: Mapping[sp.Basic, bool]) -> dict[sp.Basic, bool]:
    """A tensor whose gradient is asked for is there; one that is absent needs none."""
    result = dict(known)
    for condition, truth in known.items():
        if isinstance(condition, Needs) and truth:
            result[Given(Str(condition.name))] = True
        if isinstance(condition, Given) and not truth:
            result[Needs(Str(condition.name))] = False
    return result


def _resolved(x: Statement, known: Mapping[sp.Basic, bool]) -> Statement | None:
    guard = narrow(x.guard, known)
    if guard == NEVER:
        return None
    body, where, base, *target = (resolve(e, known) for e in x.expressions())
    return replace(x, body=body, where=where, base=base, target=tuple(target), guard=guard)


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


def without_copies(blocks: tuple[Block, ...], kept: frozenset[str]) -> tuple[Block, ...]:
    """Blocks in which no line only gives a value a second name.

    ``a = f(x); b = a`` becomes ``b = f(x)``; a copy whose uses all lie behind it is read through.

    Args:
        blocks: what to tidy.
        kept: names that must exist afterwards.
    """
    counts: dict[str, int] = {}
    for x in _statements(blocks):
        for name in x.reads():
            counts[name] = counts.get(name, 0) + 1
    return _tidied(list(blocks), kept, counts)


def _statements(blocks: Sequence[Block]) -> list[Statement]:
    found: list[Statement] = []
    for block in blocks:
        found += (
            [block]
            if isinstance(block, Statement)
            else _statements((*block.then, *block.otherwise))
        )
    return found


def _copied(x: Block) -> str | None:
    """The name that a statement only repeats."""
    if (
        isinstance(x, Statement)
        and x.op == "map"
        and type(x.body) is Read
        and x.body.subscripts == x.free
    ):
        return str(x.body.name)
    return None


def _tidied(blocks: list[Block], kept: frozenset[str], counts: dict[str, int]) -> tuple[Block, ...]:
    position = 0
    while position < len(blocks):
        x = blocks[position]
        if isinstance(x, Branch):
            then, otherwise = (_tidied(list(b), kept, counts) for b in (x.then, x.otherwise))
            blocks[position] = Branch(x.condition, then, otherwise)
        elif _without_copy(blocks, position, x, kept, counts):
            continue
        position += 1
    return tuple(blocks)


def _without_copy(
    blocks: list[Block],
    position: int,
    copy: Statement,
    kept: frozenset[str],
    counts: dict[str, int],
) -> bool:
    """Take a statement out of the blocks if it is a copy that nothing needs."""
    source = _copied(copy)
    if source is None:
        return False
    for place, made in enumerate(blocks[:position]):
        if isinstance(made, Statement) and made.name == source:
            if counts.get(source) == 1 and source not in kept and made.free == copy.free:
                blocks[place] = replace(made, name=copy.name)
                del blocks[position]
                return True
            break
    behind = sum(copy.name in y.reads() for y in _statements(blocks[position + 1 :]))
    assigned = sum(y.name == copy.name for y in _statements(blocks))
    if copy.name in kept or behind != counts.get(copy.name, 0) or assigned != 1:
        return False
    blocks[position + 1 :] = [_renamed(y, copy.name, source) for y in blocks[position + 1 :]]
    counts[source] = counts.get(source, 0) + behind - 1
    del blocks[position]
    return True


def _renamed(block: Block, old: str, new: str) -> Block:
    if isinstance(block, Branch):
        then, otherwise = (
            tuple(_renamed(x, old, new) for x in b) for b in (block.then, block.otherwise)
        )
        return Branch(block.condition, then, otherwise)
    body, where, base, *target = (_reading(e, old, new) for e in block.expressions())
    return replace(block, body=body, where=where, base=base, target=tuple(target))


def _reading(expr: sp.Basic, old: str, new: str) -> sp.Basic:
    if not expr.args:
        return expr
    children = [_reading(a, old, new) for a in expr.args]
    if isinstance(expr, Read) and expr.name == old:
        children[0] = Str(new)
    return rebuild(expr, children)
