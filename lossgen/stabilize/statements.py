"""The rules over the statements of a program: a derived backward's, after differentiation.

What is known of a statement's result follows from its body, so that a rule's condition can be shown
from the names that an expression reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lossgen.program import Statement
from lossgen.stabilize.engine import Stabilizer
from lossgen.stabilize.known import Known, reduced
from lossgen.stabilize.table import RULES


def learn(known: Known, statements: Iterable[Statement]) -> None:
    """Add the ranges of the statements' results to what is known."""
    for x in statements:
        if x.op in ("scatter", "stack"):
            continue
        body = known.of(x.body)
        known.also(x.name, body if x.op == "map" else reduced(x.op, body))


class StatementStabilizer:
    """Rewrites the statements of a backward program.

    Conditions stay as they are: whether an element is the largest is asked by comparing it with
    the very values of which the largest was taken.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._stabilizer = Stabilizer((r for r in RULES if r.everywhere), known, conditions=False)
        self.fired, self.refused = self._stabilizer.fired, self._stabilizer.refused

    def __call__(self, statements: Iterable[Statement]) -> tuple[Statement, ...]:
        done = []
        for x in statements:
            if x.op not in ("any", "count"):
                body, base, *target = map(self._stabilizer, (x.body, x.base, *x.target))
                x = replace(x, body=body, base=base, target=tuple(target))
            learn(self._known, [x])
            done.append(x)
        return tuple(done)
