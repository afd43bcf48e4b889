"""Which part of a run computes what: a pass as rounds of sections and inner loops.

In: a ``Pass`` and its ``Places``.  Out: a ``Division``. A sum over the inner letter is complete
only when its loop is, so that what depends on it waits for the next round:

    max_x[n] = amax_c x[n, c]; e[n, c] = exp(x - max_x); rest[n] = sum_c e; loss[n] = …
        →  inner loop 0: max_x; inner loop 1: e, rest; section 2: loss

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.backends.c.apart import at_place
from lossgen.backends.c.places import Places
from lossgen.backends.c.plan import REDUCES, Pass, dear
from lossgen.nodes import Read, free_letters, walk
from lossgen.program import Statement


class Division:
    """A pass as rounds.

    Attributes:
        round: the round in which each statement is computed.
        sections: of each round, the statements without an inner letter: those that pick elements
            by label, and the rest.
        targets: of each round, what its inner loop is for; `needs`: what that loop computes on
            its way.
        kept: the values that an inner loop keeps for later ones, and the round of it.
        stored: the values of a block's items that another part of the run reads.
    """

    def __init__(self, one: Pass, places: Places) -> None:
        self.one, self.places, self.plan = one, places, places.plan
        self.inner, self.inside = self.plan.inner, places.inside
        self.local = {x.name: x for x in one.local}
        self.statements = {x.name: x for x in self.plan.program.statements}
        self.round = self._rounds()
        count = max(self.round.values(), default=0) + 1
        self.sections = [self._section(k) for k in range(count)]
        self.targets = [self._targets(k) for k in range(count)]
        self.kept: dict[str, int] = {}
        self.needs = [self._needs(t, k) for k, t in enumerate(self.targets)]
        self.kept = self._kept()
        self.needs = [self._needs(t, k) for k, t in enumerate(self.targets)]
        self.stored = self._stored()

    def overwrites(self) -> bool:
        """Whether an input is read after the loop that writes its gradient."""
        for k, targets in enumerate(self.targets):
            written = {x.name.removeprefix("d_") for x in targets if x in self.one.writes}
            for j in range(k + 1, len(self.targets)):
                later = (*self.sections[j][0], *self.sections[j][1], *self.needs[j])
                if any(written & x.reads() for x in (*later, *self.targets[j])):
                    return True
        return False

    # --- what is computed where -------------------------------------------------------------

    def _rounds(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for x in (*self.one.local, *self.one.across):
            deepest = max((found[r] for r in x.reads() if r in found), default=0)
            found[x.name] = deepest + (x.name in self.local and x.op in REDUCES)
        # An element at a label waits for its reader: until then a loop brings it into the cache.
        for x in () if self.inside else self.one.local:
            if _picks(x) and not self._has_inner(x) and x not in self.one.writes:
                read = [
                    found[y.name] - (y.name in self.local and y.op in REDUCES)
                    for y in (*self.one.local, *self.one.across)
                    if x.name in y.reads()
                ]
                found[x.name] = min(read, default=found[x.name])
        return found

    def _has_inner(self, x: Statement) -> bool:
        return self.inner is not None and self.inner in x.free

    def _spreads(self, x: Statement) -> bool:
        """Whether what a sum adds depends on the inner letter."""
        letters = frozenset().union(*map(free_letters, x.expressions()))
        return self.inner is not None and self.inner in letters

    def _section(self, k: int) -> tuple[list[Statement], list[Statement]]:
        """The statements of a section: those that pick elements by label come first, apart."""
        here = [
            x
            for x in self.one.local
            if not self._has_inner(x) and x.op not in REDUCES and self.round[x.name] == k
            if not self._is_divisor_alone(x)
        ]
        by_name = {x.name: x for x in here}
        picking = [x for x in here if _picks(x)]
        first: set[str] = set()
        while picking:
            x = picking.pop()
            first.add(x.name)
            picking += [by_name[r] for r in x.reads() if r in by_name and r not in first]
        return [x for x in here if x.name in first], [x for x in here if x.name not in first]

    def _is_divisor_alone(self, x: Statement) -> bool:
        """Whether a statement is for the mean's divisor alone, which has a kernel of its own."""
        if x.name != self.plan.divisor:
            return False
        return not any(x.name in y.reads() for y in (*self.one.local, *self.one.across))

    def _targets(self, k: int) -> list[Statement]:
        """What the inner loop of a round is for."""
        if self.inner is None:
            return []
        return [
            *(x for x in self.one.inner if self.round[x.name] == k + 1),
            *(x for x in self.one.across if self._spreads(x) and self.round[x.name] == k),
            *(x for x in self.one.writes if self._has_inner(x) and self.round[x.name] == k),
        ]

    def _needs(self, targets: Sequence[Statement], k: int) -> list[Statement]:
        """The values with an inner letter that the loop of a round computes on its way."""
        found = {x.name for x in targets if x in self.one.writes}
        pending = list(targets)
        while pending:
            for name in pending.pop().reads() & self.local.keys():
                x = self.local[name]
                if self._has_inner(x) and x.op not in REDUCES and name not in found:
                    found.add(name)
                    if self.kept.get(name, k) == k:  # else it is read back
                        pending.append(x)
        return [x for x in self.one.local if x.name in found and x.op == "map"]

    def _kept(self) -> dict[str, int]:
        """Dear values that several loops read, and the round that computes each."""
        seen: dict[str, list[int]] = {}
        for k, statements in enumerate(self.needs):
            for x in statements:
                seen.setdefault(x.name, []).append(k)
        return {
            name: rounds[0]
            for name, rounds in seen.items()
            if len(rounds) > 1 and dear(self.local[name])
        }

    def _stored(self) -> list[str]:
        """The values of a block's items that another part of the run reads."""
        parts = [part for section in self.sections for part in section]
        parts += [[*need, *t] for need, t in zip(self.needs, self.targets, strict=True)]
        found = {x.name for x in self.one.inner}
        for part in parts:
            made = {x.name for x in part}
            for x in part:
                found |= {
                    r
                    for r in x.reads()
                    if r in self.local and r not in made and not self._has_inner(self.local[r])
                }
        for k, (_, rest) in enumerate(self.sections):  # what the second part of a section adds up
            made = {x.name for x in rest}
            for x in self.one.across:
                if not self._spreads(x) and self.round[x.name] == k:
                    found |= {r for r in x.reads() if r in self.local and r not in made}
            found |= {
                x.name
                for x in self.one.writes
                if not self._has_inner(x)
                and self.round[x.name] == k
                and x.name not in made
                and not self._is_divisor_alone(x)
            }
        return [x.name for x in self.one.local if x.name in found]


def _picks(x: Statement) -> bool:
    """Whether a statement reads at a place that is computed."""
    return any(isinstance(r, Read) and at_place(r) for e in x.expressions() for r in walk(e))
