"""Branches on one condition, joined where they stand apart for nothing.

In: blocks.  Out: blocks, in which a branch waits for the next on its condition where nothing
between them reads what it makes: one test less, and its values take no memory in the meantime.

    if need_y: a = …          d = …
    d = …                 →   if need_y:
    if need_y: d_y = a*d          a = …; d_y = a*d
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lossgen.program import Statement
from lossgen.schedule.blocks import Block, Branch


def with_branches_joined(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks, a branch as late as the next on its condition."""
    pending = [_inside(x) for x in blocks]
    out: list[Block] = []
    while pending:
        first = pending.pop(0)
        at = _next(first, pending) if isinstance(first, Branch) else None
        if at is None:
            out.append(first)
            continue
        later = pending[at]
        assert isinstance(first, Branch)
        assert isinstance(later, Branch)
        then = with_branches_joined((*first.then, *later.then))
        otherwise = with_branches_joined((*first.otherwise, *later.otherwise))
        pending[at] = Branch(first.condition, then, otherwise)
    return tuple(out)


def _inside(block: Block) -> Block:
    if isinstance(block, Statement):
        return block
    parts = (with_branches_joined(x) for x in (block.then, block.otherwise))
    return Branch(block.condition, *parts)


def _next(first: Branch, pending: Sequence[Block]) -> int | None:
    """The place of the next branch on a condition, unless something before it reads the first."""
    made = {x.name for x in _statements(first)}
    for k, block in enumerate(pending):
        if isinstance(block, Branch) and block.condition == first.condition:
            return k
        if any(x.reads() & made or x.name in made for x in _statements(block)):
            return None
    return None


def _statements(block: Block) -> Iterator[Statement]:
    if isinstance(block, Statement):
        yield block
        return
    for x in (*block.then, *block.otherwise):
        yield from _statements(x)
