"""Blocks without lines that only give a value a second name.

In: blocks, and the names that must exist afterwards.  Out: blocks that compute the same.

    a = f(x); b = a  →  b = f(x)

A copy stays where its value is used both before and after, or where a result needs the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, rebuild
from lossgen.program import Statement
from lossgen.schedule.blocks import Block, Branch


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
    return block.mapped(lambda e: _reading(e, old, new))


def _reading(expr: sp.Basic, old: str, new: str) -> sp.Basic:
    if not expr.args:
        return expr
    children = [_reading(a, old, new) for a in expr.args]
    if isinstance(expr, Read) and expr.name == old:
        children[0] = Str(new)
    return rebuild(expr, children)
