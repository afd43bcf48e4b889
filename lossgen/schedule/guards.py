"""When each statement of a program is needed at all.

In: a ``Program``, and when each of its results is needed.  Out: its statements with their guards.

    loss[e] = where(full, a[e], 0); a[e] = exp(x[e])  →  a has the guard ``full``

A statement that nothing needs is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Given, Needs, Read, Where, is_static
from lossgen.program import Program, Statement
from lossgen.static import NEVER, Guard, both, either, guard_of


def with_guards(program: Program, roots: Mapping[str, Guard]) -> tuple[Statement, ...]:
    """The statements, each with the condition under which anything needs it.

    Args:
        program: the program.
        roots: when each of its results is needed.
    """
    needed: dict[str, Guard] = dict(roots)
    guarded: list[Statement] = []
    for x in reversed(program.statements):
        guard = needed.get(x.name, NEVER)
        if guard == NEVER:
            continue
        guard = _tidy(guard)
        guarded.append(replace(x, guard=guard))
        for expr in x.expressions():
            _note_uses(expr, guard, needed)
    return tuple(reversed(guarded))


def _tidy(guard: Guard) -> Guard:
    """A guard fit for an ``if``.

    What several gradients need is computed whenever any of them may be asked for; and a tensor
    whose gradient is asked for is there.
    """
    needs = [frozenset(c for c, _ in term if isinstance(c, Needs)) for term in guard]
    shared = frozenset.intersection(*needs) if needs else frozenset()
    terms = []
    for term in guard:
        given = {Given(Str(c.name)) for c in shared}
        kept = frozenset(
            (c, v)
            for c, v in term
            if (c in shared or not isinstance(c, Needs)) and not (c in given and v)
        )
        terms.append(kept)
    return either(frozenset(terms), NEVER)


def _note_uses(expr: sp.Basic, path: Guard, needed: dict[str, Guard]) -> None:
    if isinstance(expr, Read):
        needed[expr.name] = either(needed.get(expr.name, NEVER), path)
    if isinstance(expr, Where) and is_static(expr.args[0]):
        condition, yes, no = expr.args
        _note_uses(yes, both(path, guard_of(condition)), needed)
        _note_uses(no, both(path, guard_of(condition, False)), needed)
        return
    for arg in expr.args:
        _note_uses(arg, path, needed)
