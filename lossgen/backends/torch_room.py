"""Memory that a function lets go before it ends.

In: the blocks of a function, and which of its values are large.  Out: what to let go of below which
statement: large values that nothing reads any more, where one below makes another:

    unit1 = centred / torch.sqrt(mean_square + eps)
    del centred  # makes room
    centred2 = input2 - mean_input2

A name would hold its memory until the function returns. Two names of one piece of memory, the
second of which a step in place may give, are let go together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from lossgen.nodes import Needs, walk
from lossgen.program import Statement
from lossgen.schedule import Block

_Conditions = frozenset[tuple[sp.Basic, bool]]


@dataclass(frozen=True, slots=True)
class Release:
    """Names that go.

    Attributes:
        first: whether no line above lets go of any: this one says why.
    """

    names: tuple[str, ...]
    first: bool


def room(
    blocks: Sequence[Block],
    large: Collection[str],
    kept: Collection[str],
    usual: Collection[str],
    overwritten: Mapping[int, Collection[str]],
) -> dict[int, Release]:
    """What is let go of, by the identity of the statement below which it is.

    Args:
        blocks: of a function, as they will run.
        large: the values that are as large as its largest input.
        kept: those that it returns.
        usual: the inputs whose gradients are usually asked for: for others alone no room is made.
        overwritten: by the identity of a statement, the values in whose memory it may put its own.
    """
    places = tuple(_places(blocks, frozenset()))
    return _Room(places, frozenset(large), frozenset(kept), frozenset(usual), overwritten).made()


@dataclass(frozen=True, slots=True)
class _Place:
    """A statement, with the conditions under which it runs."""

    statement: Statement
    under: _Conditions

    @property
    def makes(self) -> tuple[str, ...]:
        x = self.statement
        if x.op == "nll_slope":
            return x.name, x.target[1].name
        return (x.name, *(y.name for y in x.target)) if x.op == "call" else (x.name,)


def _places(blocks: Sequence[Block], under: _Conditions) -> Iterator[_Place]:
    for x in blocks:
        if isinstance(x, Statement):
            yield _Place(x, under)
        else:
            yield from _places(x.then, under | {(x.condition, True)})
            yield from _places(x.otherwise, under | {(x.condition, False)})


@dataclass(frozen=True, slots=True)
class _Room:
    places: tuple[_Place, ...]
    large: frozenset[str]
    kept: frozenset[str]
    usual: frozenset[str]
    overwritten: Mapping[int, Collection[str]]

    def made(self) -> dict[int, Release]:
        """The names that go, in order."""
        going: dict[int, list[str]] = {}
        for names in self._memory():
            last = max(self._last(x) for x in names)
            if not self._stays(names, last) and self._makes_more(last):
                going.setdefault(last, []).extend(names)
        return {
            id(self.places[at].statement): Release(tuple(going[at]), at == min(going))
            for at in going
        }

    def _memory(self) -> list[list[str]]:
        """The large values, those together that share their memory."""
        groups: dict[str, list[str]] = {}
        for x in self.places:
            over = [y for y in self._over(x) if y in groups]
            for name in x.makes:
                if name in groups:
                    continue
                if over:
                    groups[over[0]].append(name)
                    groups[name] = groups[over[0]]
                elif name in self.large:
                    groups[name] = [name]
        return [names for first, names in groups.items() if names[0] == first]

    def _last(self, name: str) -> int:
        """The place of the last statement that makes or reads a value."""
        return max(
            k for k, x in enumerate(self.places) if name in x.makes or name in x.statement.reads()
        )

    def _stays(self, names: Sequence[str], last: int) -> bool:
        """Whether values are returned, or may not be there below the last that reads them."""
        for name in names:
            made = [x for x in self.places if name in x.makes]
            if name in self.kept or len(made) > 1 or not made[0].under <= self.places[last].under:
                return True
        return False

    def _makes_more(self, at: int) -> bool:
        """Whether a statement below makes a large value, be it on its way to another."""
        return any(
            self.large & ({*x.makes} | x.statement.reads())
            for x in self.places[at + 1 :]
            if not self._over(x) and self._is_usual(x)
        )

    def _over(self, x: _Place) -> Collection[str]:
        return self.overwritten.get(id(x.statement), ())

    def _is_usual(self, x: _Place) -> bool:
        """Whether a statement is not there for gradients alone that are seldom asked for."""
        asked = [{n for y in walk(c) if isinstance(y, Needs) for n in y.names}
                 for c, holds in x.under if holds]  # fmt: skip
        return all(not names or names & self.usual for names in asked)
