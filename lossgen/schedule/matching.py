"""Whether two runs of blocks do the same to different arrays.

In: two runs, and what each array of the program is.  Out: the names of the first, each with that of
the second in its place; None where they differ in more than names.

    gap[s, d] = a[s, d] - b[s, d]; far[s] = norm_{d} gap[s, d]
    near_gap[s, d] = a[s, d] - c[s, d]; near[s] = norm_{d} near_gap[s, d]
    →  {gap: near_gap, a: a, b: c, far: near}

Terms and factors may stand in any order: SymPy's own order follows the names. Of many alike not all
orders are tried: then the runs count as different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Read
from lossgen.program import Statement
from lossgen.schedule.blocks import Block, Branch

_Names = Mapping[str, str]
_TRIES = 4096  # of a term for another's place


def matched(
    first: Sequence[Block], second: Sequence[Block], arrays: Mapping[str, object]
) -> _Names | None:
    """The names of the first run, each with the one in its place in the second.

    Args:
        first: some blocks, one after another.
        second: as many others.
        arrays: what each array is; only equal ones stand for one another.
    """
    return next(_Matching(arrays).blocks(first, second, {}), None)


class _Matching:
    def __init__(self, arrays: Mapping[str, object]) -> None:
        self.arrays = arrays
        self.tries = 0

    def blocks(self, a: Sequence[Block], b: Sequence[Block], names: _Names) -> Iterator[_Names]:
        if len(a) != len(b):
            return
        if not a:
            yield names
            return
        for more in self._block(a[0], b[0], names):
            yield from self.blocks(a[1:], b[1:], more)

    def _block(self, a: Block, b: Block, names: _Names) -> Iterator[_Names]:
        if isinstance(a, Branch) and isinstance(b, Branch):
            if a.condition == b.condition:
                for more in self.blocks(a.then, b.then, names):
                    yield from self.blocks(a.otherwise, b.otherwise, more)
        elif isinstance(a, Statement) and isinstance(b, Statement):
            yield from self._statement(a, b, names)

    def _statement(self, a: Statement, b: Statement, names: _Names) -> Iterator[_Names]:
        same = (a.op, a.free, a.bound, a.kind, a.extents) == (
            *(b.op, b.free, b.bound, b.kind, b.extents),
        )
        if not same:
            return
        for more in self._all(a.expressions(), b.expressions(), names):
            yield from self._bound(a.name, b.name, more)

    def _bound(self, a: str, b: str, names: _Names) -> Iterator[_Names]:
        """The names with one more pair, if each has no other partner yet."""
        if names.get(a) == b:
            yield names
            return
        alone = a not in names and b not in names.values()
        if alone and self.arrays.get(a) == self.arrays.get(b):
            yield {**names, a: b}

    def _all(self, a: Sequence[sp.Basic], b: Sequence[sp.Basic], names: _Names) -> Iterator[_Names]:
        if len(a) != len(b):
            return
        if not a:
            yield names
            return
        for more in self._expression(a[0], b[0], names):
            yield from self._all(a[1:], b[1:], more)

    def _expression(self, a: sp.Basic, b: sp.Basic, names: _Names) -> Iterator[_Names]:
        if type(a) is not type(b) or len(a.args) != len(b.args):
            return
        if isinstance(a, Read) and isinstance(b, Read):
            for more in self._all(a.subscripts, b.subscripts, names):
                yield from self._bound(a.name, b.name, more)
        elif not a.args:
            if a == b:
                yield names
        elif isinstance(a, (sp.Add, sp.Mul, nd.Junction)):
            yield from self._in_any_order(a.args, b.args, names)
        else:
            yield from self._all(a.args, b.args, names)

    def _in_any_order(
        self, a: Sequence[sp.Basic], b: Sequence[sp.Basic], names: _Names
    ) -> Iterator[_Names]:
        if not a:
            yield names
            return
        for k, other in enumerate(b):
            self.tries += 1
            if self.tries > _TRIES:
                return
            for more in self._expression(a[0], other, names):
                yield from self._in_any_order(a[1:], (*b[:k], *b[k + 1 :]), more)
