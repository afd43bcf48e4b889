"""The rules over the statements of a program: a derived backward's, after differentiation.

What is known of a statement's result follows from its body, so that a rule's condition can be shown
from the names that an expression reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from lossgen.program import Statement
from lossgen.stabilize.choosing import choose_forms
from lossgen.stabilize.engine import Stabilizer
from lossgen.stabilize.known import Known, reduced
from lossgen.stabilize.ranges import REAL, Range
from lossgen.stabilize.search import Choice
from lossgen.stabilize.table import RULES
from lossgen.stabilize.zeros import without_idle_ratios


def learn(known: Known, statements: Iterable[Statement]) -> None:
    """Add the ranges of the statements' results to what is known."""
    for x in statements:
        if x.op not in ("scatter", "stack"):
            known.later(x.name, partial(_range, known, x))
        if x.op == "map":
            known.add_body(x.name, x.body)
        if x.op in ("sum", "mean", "count") or (x.op == "map" and known.is_bounded(x.body)):
            known.add_sum(x.name)


def declare_seeds(known: Known, results: Iterable[str]) -> None:
    """Add the gradients that come in for results."""
    for name in results:
        # A slope is linear in what comes in, so one size of it tells all.
        known.declare(f"grad_{name}", Range(0.5, 2.0))


def _range(known: Known, x: Statement) -> Range:
    if x.op in ("any", "count"):
        return reduced(x.op, REAL)
    body = known.of(x.body)
    return body if x.op == "map" else reduced(x.op, body)


class StatementStabilizer:
    """Rewrites the statements of a backward program.

    Conditions stay as they are: whether an element is the largest is asked by comparing it with
    the very values of which the largest was taken.

    Args:
        known: what is known of the values; the forward's statements, and the gradients that come
            in, are among them.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._stabilizer = Stabilizer((r for r in RULES if r.everywhere), known, conditions=False)
        self.fired, self.refused = self._stabilizer.fired, self._stabilizer.refused
        self.choices: tuple[Choice, ...] = ()

    def __call__(self, statements: Iterable[Statement]) -> tuple[Statement, ...]:
        done = []
        for x in statements:
            if x.op not in ("any", "count"):
                x = x.mapped(lambda e: without_idle_ratios(e, self._known))
                body, base, *target = map(self._stabilizer, (x.body, x.base, *x.target))
                x = replace(x, body=body, base=base, target=tuple(target))
            learn(self._known, [x])
            done.append(x)
        chosen, self.choices = choose_forms(done, self._known)
        return chosen
