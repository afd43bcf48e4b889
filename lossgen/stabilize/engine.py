"""Applies the rules from the leaves up until none matches.

In: an expression, and what is known of its parts.  Out: an equal expression over stable nodes; the
rules that fired, and those whose condition could not be shown, are kept in order.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.parameters import distribute

from lossgen.nodes import Compare, Rewritten, rebuild
from lossgen.stabilize.known import Known, Refused
from lossgen.stabilize.rule import Refusal, Rule
from lossgen.stabilize.table import RULES


class Stabilizer:
    """Rewrites expressions; ``fired`` and ``refused`` say what happened.

    Args:
        rules: the rows to apply, in this order.
        known: what their conditions are shown from.
        conditions: whether to rewrite inside comparisons, too.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = RULES,
        known: Known | None = None,
        *,
        conditions: bool = True,
    ) -> None:
        self.conditions = conditions
        self.rules = tuple(rules)
        self.known = known or Known()
        self.fired: dict[Rule, None] = {}
        self.refused: dict[Refusal, None] = {}
        self._by_type: dict[type[sp.Basic], tuple[Rule, ...]] = {}
        self._done: dict[sp.Basic, sp.Basic] = {}

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if not expr.args or (isinstance(expr, Compare) and not self.conditions):
            return expr
        found = self._done.get(expr)
        if found is None and isinstance(expr, Rewritten):
            # The formula behind it is there for its slopes, and is not to be rewritten again.
            found = self._done[expr] = Rewritten(self(expr.form), expr.formula)
        if found is None:
            found = self._done[expr] = self._rewritten(rebuild(expr, [self(a) for a in expr.args]))
        return found

    def _rewritten(self, expr: sp.Expr) -> sp.Expr:
        for rule in self._for(type(expr)):
            try:
                better = rule.rewrite(expr, self.known)
            except Refused as reason:
                self.refused[Refusal(rule, str(reason))] = None
                continue
            if better is not None:
                self.fired[rule] = None
                return self(better)
        return expr

    def _for(self, kind: type[sp.Basic]) -> tuple[Rule, ...]:
        if kind not in self._by_type:
            self._by_type[kind] = tuple(r for r in self.rules if issubclass(kind, r.node))
        return self._by_type[kind]


def stabilize(expr: sp.Expr, known: Known | None = None) -> tuple[sp.Expr, tuple[Rule, ...]]:
    """The stable form of an expression and the rules that made it."""
    stabilizer = Stabilizer(known=known)
    with distribute(False):
        stable = stabilizer(expr)
    return stable, tuple(stabilizer.fired)
