"""In which order a row is computed: sections of what it has once, loops over what it has many of.

In: a ``Task``.  Out: for each round, the statements of its section and of its loop. A sum over a
row is complete only when its loop is, so that what depends on it waits for the next round:

    round 0:  for c: top, ties, rest of exp(x - top), joined block by block
    round 1:  loss = …;  for c: d_x = …

The largest element and the sum of exponentials that is taken relative to it are one state, which
needs one loop and not two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lossgen import nodes as nd
from lossgen.backends.c.plan import REDUCES
from lossgen.backends.triton.tasks import Task
from lossgen.nodes import ONE, ZERO, Letter, Read, free_letters
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Online:
    """A maximum, how often it occurs, and the sum of the exponentials of what is below it."""

    top: Statement
    ties: Statement
    rest: Statement


class Rounds:
    """The order of a task's statements."""

    def __init__(self, task: Task) -> None:
        self.task, self.inner = task, task.inner
        self.local = {x.name: x for x in task.statements}
        self.online = tuple(_online(task.statements))
        self.joined = {
            x.name: one for one in self.online for x in (one.top, one.ties, one.rest)
        }  # fmt: skip
        self.round = self._rounds()
        self.count = max(self.round.values(), default=0) + 1

    def section(self, k: int) -> list[Statement]:
        """What a row has once, of round `k`."""
        return [
            x
            for x in self.task.statements
            if self.round[x.name] == k and not self.has_inner(x) and x.op not in REDUCES
        ]

    def targets(self, k: int) -> list[Statement]:
        """What the loop of round `k` is for."""
        if self.inner is None:
            return []
        return [
            *(x for x in self.task.statements if x.op in REDUCES and self.round[x.name] == k + 1),
            *(x for x in self.task.sums if self.spreads(x) and self.round[x.name] == k),
            *(x for x in self.task.writes if self.has_inner(x) and self.round[x.name] == k),
        ]

    def needs(self, targets: Sequence[Statement]) -> list[Statement]:
        """The values with an inner letter that a loop computes on its way."""
        found = {x.name for x in targets if x in self.task.writes}
        pending = list(targets)
        while pending:
            x = pending.pop()
            if x.name in self.joined and x is not self.joined[x.name].top:
                continue  # of a joined state, the largest element's body alone is computed
            for name in x.reads() & self.local.keys():
                y = self.local[name]
                if self.has_inner(y) and y.op not in REDUCES and name not in found:
                    found.add(name)
                    pending.append(y)
        return [x for x in self.task.statements if x.name in found and x.op == "map"]

    def has_inner(self, x: Statement) -> bool:
        """Whether a value is one of many in a row."""
        return self.inner is not None and self.inner in x.free

    def spreads(self, x: Statement) -> bool:
        """Whether what a sum adds depends on the inner letter."""
        return self.inner is not None and self.inner in _letters(x)

    def _rounds(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for x in (*self.task.statements, *self.task.sums):
            one = self.joined.get(x.name)
            source = x if one is None else one.top
            deepest = max((found[r] for r in source.reads() if r in found), default=0)
            found[x.name] = deepest + (x.name in self.local and x.op in REDUCES)
        return found


def _letters(x: Statement) -> frozenset[Letter]:
    return frozenset().union(*map(free_letters, x.expressions()))


def _online(statements: Iterable[Statement]) -> Iterable[Online]:
    """The states that one loop can join."""
    everything = list(statements)
    for top in everything:
        if top.op != "amax" or len(top.bound) != 1:
            continue
        is_top = nd.Compare("==", top.body, Read(nd.word(top.name), *top.free))
        tie = nd.Where(is_top, ONE, ZERO)
        alike = [
            x
            for x in everything
            if x.op == "sum" and (x.free, x.bound, x.where) == (top.free, top.bound, top.where)
        ]
        ties = next((x for x in alike if x.body == tie), None)
        rest = next((x for x in alike if _apart(x, top, tie, everything)), None)
        if ties is not None and rest is not None:
            yield Online(top, ties, rest)


def _apart(x: Statement, top: Statement, tie: nd.Where, everything: list[Statement]) -> bool:
    """Whether `x` sums exp(body - top), less the terms that are 1 exactly."""
    power = x.body + tie
    if not isinstance(power, Read):
        return False
    known = {y.name: y for y in everything}
    exponential = known.get(power.name)
    if exponential is None or not isinstance(exponential.body, nd.Exp):
        return False
    below = known.get(getattr(exponential.body.arg, "name", ""))
    return below is not None and below.body == top.body - Read(nd.word(top.name), *top.free)
