"""What a program does several times over, each time to other arrays.

In: blocks, and what each time ends in.  Out: the runs of blocks that do it, and how their names
correspond.

    gap = a - b; far = norm(gap); near_gap = a - c; near = norm(near_gap), ending in far and near
    →  two runs of two blocks, gap: near_gap, b: c, far: near

Each run is as long as may be while it gives the blocks around it nothing but what it ends in. It
finds nothing where one of the times differs from the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, rebuild
from lossgen.program import Statement
from lossgen.schedule.blocks import Block, Branch
from lossgen.schedule.matching import matched

Path = tuple[tuple[int, bool], ...]  # the branches around a run: the place of each, and its side


@dataclass(frozen=True, slots=True)
class Run:
    """Some blocks, one after another.

    Attributes:
        path: the branches around them.
        start, stop: where they stand in the innermost.
        names: the names of the first run, each with that which stands for it here.
    """

    path: Path
    start: int
    stop: int
    blocks: tuple[Block, ...]
    names: Mapping[str, str]


def repeated(
    blocks: tuple[Block, ...],
    ends: Sequence[Sequence[str]],
    kept: Collection[str],
    arrays: Mapping[str, object],
    outside: Collection[str] = (),
) -> tuple[Run, ...]:
    """The runs that end in some arrays each; none unless they do the same.

    Args:
        blocks: of a whole program.
        ends: for each time, what it makes for others to read.
        kept: names that must exist afterwards.
        arrays: what each array is; only equal ones stand for one another.
        outside: names that no run makes.
    """
    places = [_place_of(blocks, frozenset(x)) for x in ends]
    found = [x for x in places if x is not None]
    if len(found) < max(2, len(places)):
        return ()
    longest = min(end + 1 for _, end in found)
    for length in range(longest, 0, -1):
        runs = _runs(blocks, found, length, arrays)
        alone = not any(_made(x.blocks) & {*outside} for x in runs)
        ended = zip(runs, ends, strict=True)
        if runs and alone and all(_gives_only(blocks, *x, kept) for x in ended):
            return runs
    return ()


def in_place_of(
    blocks: tuple[Block, ...], runs: Sequence[tuple[Run, Sequence[Block]]], path: Path = ()
) -> tuple[Block, ...]:
    """The blocks with others in place of some runs."""
    here = {run.start: (run.stop, instead) for run, instead in runs if run.path == path}
    out: list[Block] = []
    skipped = 0
    for k, block in enumerate(blocks):
        if k in here:
            skipped, instead = here[k]
            out += instead
        if k < skipped:
            continue
        if isinstance(block, Branch):
            then = in_place_of(block.then, runs, (*path, (k, True)))
            block = Branch(
                block.condition, then, in_place_of(block.otherwise, runs, (*path, (k, False)))
            )
        out.append(block)
    return tuple(out)


def hoisted(blocks: Sequence[Block], names: Collection[str]) -> tuple[Block, ...]:
    """The blocks, statements of some names as early as what they read allows."""
    out: list[Block] = []
    for x in blocks:
        if isinstance(x, Branch):
            x = Branch(x.condition, hoisted(x.then, names), hoisted(x.otherwise, names))
        at = len(out)
        while at and isinstance(x, Statement) and x.name in names:
            if _made([out[at - 1]]) & {x.name, *x.reads()}:
                break
            at -= 1
        out.insert(at, x)
    return tuple(out)


def renamed(blocks: Sequence[Block], names: Mapping[str, str]) -> tuple[Block, ...]:
    """The blocks with other names for what they make and read."""
    return tuple(_renamed(x, names) for x in blocks)


def statements_of(blocks: Sequence[Block]) -> Iterator[Statement]:
    """The statements of blocks in the order in which they stand."""
    for block in blocks:
        if isinstance(block, Statement):
            yield block
        else:
            yield from statements_of((*block.then, *block.otherwise))


def _place_of(blocks: Sequence[Block], names: frozenset[str]) -> tuple[Path, int] | None:
    """The innermost blocks that make all those names, and the last of them that makes one."""
    path: Path = ()
    while True:
        making = [k for k, x in enumerate(blocks) if names & _made([x])]
        if not names <= _made(blocks):
            return None
        last = blocks[making[-1]]
        if len(making) > 1 or isinstance(last, Statement):
            return path, making[-1]
        sides = [side for side in (True, False) if names & _made(_side(last, side))]
        if len(sides) > 1:
            return path, making[-1]
        path, blocks = (*path, (making[-1], sides[0])), _side(last, sides[0])


def _runs(
    blocks: tuple[Block, ...],
    places: Sequence[tuple[Path, int]],
    length: int,
    arrays: Mapping[str, object],
) -> tuple[Run, ...]:
    """The runs of that length that end at some places, if all do the same and none meet."""
    runs: list[Run] = []
    taken: set[tuple[Path, int]] = set()
    for path, end in places:
        inner = _at(blocks, path)[end + 1 - length : end + 1]
        names = matched(runs[0].blocks if runs else inner, inner, arrays)
        own = {(path, k) for k in range(end + 1 - length, end + 1)}
        if names is None or own & taken:
            return ()
        taken |= own
        runs.append(Run(path, end + 1 - length, end + 1, tuple(inner), names))
    made = [name for x in runs for name in _made(x.blocks)]
    return tuple(runs) if len(made) == len({*made}) else ()


def _gives_only(
    blocks: Sequence[Block], run: Run, ends: Sequence[str], kept: Collection[str]
) -> bool:
    """Whether what others read of a run is what it ends in, and is there whatever the options."""
    own = {id(x) for x in statements_of(run.blocks)}
    others = [x for x in statements_of(blocks) if id(x) not in own]
    read = {name for x in others for name in x.reads()} | {*kept}
    alone = not _made(run.blocks) & {x.name for x in others}
    return alone and _made(run.blocks) & read == {*ends} and {*ends} <= _surely_made(run.blocks)


def _surely_made(blocks: Sequence[Block]) -> frozenset[str]:
    made: set[str] = set()
    for x in blocks:
        if isinstance(x, Statement):
            made.add(x.name)
        else:
            made |= _surely_made(x.then) & _surely_made(x.otherwise)
    return frozenset(made)


def _made(blocks: Sequence[Block]) -> frozenset[str]:
    return frozenset(x.name for x in statements_of(blocks))


def _side(branch: Branch, side: bool) -> tuple[Block, ...]:
    return branch.then if side else branch.otherwise


def _at(blocks: tuple[Block, ...], path: Path) -> tuple[Block, ...]:
    for place, side in path:
        branch = blocks[place]
        assert isinstance(branch, Branch)
        blocks = _side(branch, side)
    return blocks


def _renamed(block: Block, names: Mapping[str, str]) -> Block:
    if isinstance(block, Branch):
        return Branch(block.condition, renamed(block.then, names), renamed(block.otherwise, names))
    called = replace(block, name=names.get(block.name, block.name))
    return called.mapped(lambda e: reading(e, names))


def reading(expr: sp.Basic, names: Mapping[str, str]) -> sp.Basic:
    """An expression that reads arrays under other names."""
    if not expr.args:
        return expr
    children = [reading(a, names) for a in expr.args]
    if isinstance(expr, Read) and expr.name in names:
        children[0] = Str(names[expr.name])
    return rebuild(expr, children)
