"""The statements that one call runs: value and gradient, with every static condition decided.

In: a ``Compiled`` loss, the options, the optional tensors that are passed, the gradients asked for.
Out: statements in order, forward and backward in one list, each computed once, and the results.

    gaussian_nll, full=False  →  item, loss, d_input, d_var; not the constant that ``full`` adds
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.compiled import Compiled
from lossgen.nodes import Letter
from lossgen.program import Statement, without_unused
from lossgen.static import ALWAYS, NEVER, Guard, decide, narrow, resolve, switches


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one call runs.

    Attributes:
        values: the results of the forward that the reduced loss needs: the items and, where the
            mean divides by one, its divisor.
        gradients: the input of each ``d_<input>`` among the statements.
        options: the numbers of the options, for exponents.
        axes: the axis of every letter.
    """

    statements: tuple[Statement, ...]
    values: tuple[str, ...]
    gradients: tuple[str, ...]
    options: Mapping[sp.Symbol, sp.Basic]
    axes: Mapping[Letter, Letter]

    @property
    def results(self) -> tuple[str, ...]:
        """The names that the call is made for."""
        return (*self.values, *(f"d_{x}" for x in self.gradients))


def resolved(
    compiled: Compiled,
    options: Mapping[str, Any],
    present: Collection[str],
    gradients: Collection[str],
) -> Resolved:
    """The statements that are run under these options."""
    spec, forward, backward = compiled.spec, compiled.forward, compiled.backward
    numbers = {p.symbol: _number(options[p.name]) for p in spec.parameters if p.name in options}
    named = {x.name: x for x in forward.statements}
    for x in backward.program.statements:
        named.setdefault(x.name, x)
    known: dict[sp.Basic, bool] = {}
    for x in named.values():
        for condition in (*_atoms(x.guard), *switches(x.expressions())):
            truth = _truth(condition, numbers, present)
            if truth is not None:
                known[condition] = truth
    run = []
    for x in named.values():
        if narrow(x.guard, known) == NEVER:
            continue
        x = x.mapped(lambda e: resolve(e, known))
        if decide(x.where, known) is not nodes.FALSE:
            run.append(replace(x, guard=ALWAYS))
    values = forward.results[: 1 if spec.over is None else 2]
    asked = tuple(x for x in backward.gradients if x in gradients)
    needed = without_unused(tuple(run), (*values, *(f"d_{x}" for x in asked)))
    axes = {**forward.axes, **backward.program.axes}
    return Resolved(needed, values, asked, numbers, axes)


def _atoms(guard: Guard) -> list[sp.Basic]:
    return [condition for term in guard for condition, _ in term]


def _number(value: Any) -> sp.Basic:
    if isinstance(value, bool):
        return sp.true if value else sp.false
    return (
        sp.oo if value == float("inf") else -sp.oo if value == -float("inf") else sp.sympify(value)
    )


def _truth(
    condition: sp.Basic, numbers: Mapping[sp.Symbol, sp.Basic], present: Collection[str]
) -> bool | None:
    """Whether a condition on options and on tensors that are there holds, if it is one."""
    if isinstance(condition, nodes.Given):
        return condition.name in present
    if condition in numbers:
        return bool(numbers[condition])
    if isinstance(condition, nodes.Compare):
        sides = [condition.left.xreplace(numbers), condition.right.xreplace(numbers)]
        if all(side.is_number or side in (sp.oo, -sp.oo) for side in sides):
            return bool(nodes.Compare(condition.op, *sides))
    if isinstance(condition, nodes.Not):
        inner = _truth(condition.args[0], numbers, present)
        return None if inner is None else not inner
    return None
