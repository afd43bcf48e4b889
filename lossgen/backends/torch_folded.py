"""Values that are read once, by the next line, written where they are read.

In: the blocks of a formula.  Out: the values that may do without a line of their own.

    mean_std = torch.relu(gamma - std).mean()
    hinge = mean_std / 2                         →  hinge = torch.relu(gamma - std).mean() / 2

The author's names stay, and so does what others read.  Whether a line is short enough is seen where
it is printed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from lossgen.backends.torch_in_place import occurrences
from lossgen.brackets import bare, enclosed
from lossgen.program import REDUCTIONS, Statement
from lossgen.schedule import Block, Branch, statements_of

_OPERATIONS = REDUCTIONS | {"nll", "softmax", "log_softmax"}
_READING = REDUCTIONS | {"map"}
# How the compiler calls what the author did not name.
_AUTOMATIC = ("sum", "mean", "dot", "any", "count", "max", "min", "lse", "nll", "log", "softmax")


def foldable(
    blocks: Sequence[Block], kept: Collection[str], named: Collection[str]
) -> frozenset[str]:
    """The values that only the line below reads, once.

    Args:
        blocks: of a formula, as they will run.
        kept: what others read.
        named: the author's names.
    """
    reads: Counter[str] = Counter()
    for x in statements_of(blocks):
        for e in x.expressions():
            reads.update({name: occurrences(e, name) for name in x.reads()})
    found: set[str] = set()
    readers: set[str] = set()
    for x, reader in _before_their_reader(blocks):
        alone = reads[x.name] == 1 and x.name not in kept and x.name not in named
        # What takes in others has a line.
        if alone and x.name.split("_")[0] in _AUTOMATIC and x.name not in readers:
            found.add(x.name)
            readers.add(reader.name)
    return frozenset(found)


def _before_their_reader(blocks: Sequence[Block]) -> Iterator[tuple[Statement, Statement]]:
    """The reductions right above what reads them, others of the same reader between; and that."""
    above: list[Statement] = []
    for x in blocks:
        if isinstance(x, Branch):
            yield from _before_their_reader(x.then)
            yield from _before_their_reader(x.otherwise)
            above = []
            continue
        if x.op in _READING and x.name not in x.reads():
            yield from ((y, x) for y in _last_read(above, x))
        above = [*above, x] if x.op in _OPERATIONS and x.name not in x.reads() else []


def _last_read(above: Sequence[Statement], reader: Statement) -> Iterator[Statement]:
    for x in reversed(above):
        if x.name not in reader.reads():
            return
        yield x


def folded(code: str, values: Mapping[str, str]) -> str:
    """A line's code with values in place of their names; nothing where it has one not once."""
    for name, value in values.items():
        before, *after = re.split(rf"\b{name}\b", code)
        if len(after) != 1:
            return ""
        argument = before.rstrip()[-1:] in ("(", ",") and after[0][:1] in (",", ")")
        code = f"{before}{bare(value) if argument else enclosed(bare(value))}{after[0]}"
    return bare(code)
