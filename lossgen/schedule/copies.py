"""Blocks without lines that only give a value a second name.

In: blocks, and the names that must exist afterwards.  Out: blocks that compute the same.

    a = f(x); b = a                          →  b = f(x)
    a = f(x); b = a + y if c, else a         →  b = f(x); if c: b = b + y

A copy stays where one side of a branch gives a name what the other computes.
"""

from __future__ import annotations

from collections import Counter
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
    counts = Counter(name for x in _statements(blocks) for name in x.reads())
    return _read_through(_tidied(list(blocks), kept, counts), kept)


def _statements(blocks: Sequence[Block]) -> list[Statement]:
    found: list[Statement] = []
    for block in blocks:
        found += (
            [block]
            if isinstance(block, Statement)
            else _statements((*block.then, *block.otherwise))
        )
    return found


def _copied(x: Block) -> str:
    """The name that a statement only repeats; nothing where it computes."""
    if (
        isinstance(x, Statement)
        and x.op == "map"
        and type(x.body) is Read
        and x.body.subscripts == x.free
    ):
        return str(x.body.name)
    return ""


def _tidied(blocks: list[Block], kept: frozenset[str], counts: Counter[str]) -> tuple[Block, ...]:
    position = 0
    while position < len(blocks):
        x = blocks[position]
        if isinstance(x, Branch):
            then, otherwise = (_tidied(list(b), kept, counts) for b in (x.then, x.otherwise))
            blocks[position] = Branch(x.condition, then, otherwise)
            _adds_to_it(blocks, position, kept, counts)
        elif _without_copy(blocks, position, x, kept, counts):
            continue
        position += 1
    return tuple(blocks)


def _without_copy(
    blocks: list[Block],
    position: int,
    copy: Statement,
    kept: frozenset[str],
    counts: Counter[str],
) -> bool:
    """Take a statement out of the blocks if it is a copy that nothing needs."""
    source = _copied(copy)
    if not source:
        return False
    if _takes_the_name(blocks, position, copy, kept, counts):
        return True
    behind = sum(copy.name in y.reads() for y in _statements(blocks[position + 1 :]))
    assigned = sum(y.name == copy.name for y in _statements(blocks))
    if copy.name in kept or behind != counts[copy.name] or assigned != 1:
        return False
    blocks[position + 1 :] = [_renamed(y, copy.name, source) for y in blocks[position + 1 :]]
    counts[source] += behind - 1
    del blocks[position]
    return True


def _takes_the_name(
    blocks: list[Block],
    position: int,
    copy: Statement,
    kept: frozenset[str],
    counts: Counter[str],
) -> bool:
    """Call what a copy repeats by the name of the copy where it is made, if nothing else reads it.

    The slope of a likelihood is made together with it, and says so.
    """
    source = _copied(copy)
    made = [x for x in _statements(blocks[:position]) if x.name == source]
    slopes = sum(x.op == "nll_slope" and x.target[1].name == source for x in _statements(blocks))
    if not made or source in kept or counts[source] != 1 + slopes:
        return False
    if sum(x.name == copy.name for x in _statements(blocks)) != 1:
        return False
    if any(x.free != copy.free or x.op == "call" for x in made):
        return False
    del blocks[position]
    blocks[:] = [_renamed(x, source, copy.name, made=True) for x in blocks]
    return True


def _adds_to_it(
    blocks: list[Block], position: int, kept: frozenset[str], counts: Counter[str]
) -> None:
    """``b = a + y if c, else a`` as ``if c: b = b + y`` where ``a`` is b's alone."""
    x, above = blocks[position], blocks[position - 1] if position else None
    if not isinstance(x, Branch) or not isinstance(above, Statement) or above.op == "call":
        return
    if not x.then or len(x.otherwise) != 1 or _copied(x.otherwise[0]) != above.name:
        return
    more = x.then[-1]
    if not isinstance(more, Statement) or more.op != "map" or above.name in kept:
        return
    own, terms = Read(Str(above.name), *above.free), sp.Add.make_args(more.body)
    rest = [t for t in terms if t != own]
    once = len(rest) == len(terms) - 1 and not any(t.has(own) for t in rest)
    if not once or counts[above.name] != 2 or more.free != above.free:
        return
    then = (*x.then[:-1], _renamed(more, above.name, more.name))
    made = replace(above, name=more.name)
    blocks[position - 1 : position + 1] = [made, Branch(x.condition, then, ())]


def _read_through(blocks: tuple[Block, ...], kept: frozenset[str]) -> tuple[Block, ...]:
    """The blocks without copies in one side of a branch that are read below it."""
    while True:
        statements = _statements(blocks)
        made = Counter(x.name for x in statements)
        for place, copy in enumerate(statements):
            source = _copied(copy)
            later = {x.name for x in statements[place + 1 :]}
            if source and copy.name not in kept and made[copy.name] == 1 and source not in later:
                rest = (_without(x, copy) for x in blocks)
                blocks = tuple(_renamed(x, copy.name, source) for y in rest for x in y)
                break
        else:
            return blocks


def _without(block: Block, copy: Statement) -> tuple[Block, ...]:
    if isinstance(block, Statement):
        return () if block is copy else (block,)
    then, otherwise = (
        tuple(y for x in side for y in _without(x, copy)) for side in (block.then, block.otherwise)
    )
    return (Branch(block.condition, then, otherwise),) if then or otherwise else ()


def _renamed(block: Block, old: str, new: str, *, made: bool = False) -> Block:
    """A block that reads another name; ``made``: that also makes it."""
    if isinstance(block, Branch):
        then, otherwise = (
            tuple(_renamed(x, old, new, made=made) for x in b)
            for b in (block.then, block.otherwise)
        )
        return Branch(block.condition, then, otherwise)
    x = block.mapped(lambda e: _reading(e, old, new))
    return replace(x, name=new) if made and x.name == old else x


def _reading(expr: sp.Basic, old: str, new: str) -> sp.Basic:
    if not expr.args:
        return expr
    children = [_reading(a, old, new) for a in expr.args]
    if isinstance(expr, Read) and expr.name == old:
        children[0] = Str(new)
    return rebuild(expr, children)
