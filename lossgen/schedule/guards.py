"""When each statement of a program is needed at all.

In: a ``Program``, and when each of its results is needed.  Out: its statements with their guards.

    loss[e] = where(full, a[e], 0); a[e] = exp(x[e])  →  a has the guard ``full``

A statement that nothing needs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sympy.core.symbol import Str

from lossgen.nodes import Given, Needs
from lossgen.program import Program, Statement
from lossgen.static import NEVER, Guard, Literal, either, reads_under


def with_guards(program: Program, roots: Mapping[str, Guard]) -> tuple[Statement, ...]:
    """The statements, each with the condition under which anything needs it.

    Args:
        program: the program.
        roots: when each of its results is needed.
    """
    needed: dict[str, Guard] = dict(roots)
    gradients = asked_for(roots.values())
    guarded: list[Statement] = []
    for x in reversed(program.statements):
        guard = needed.get(x.name, NEVER)
        if guard == NEVER:
            continue
        guard = tidy(guard, gradients)
        guarded.append(replace(x, guard=guard))
        for expr in x.expressions():
            for read, when in reads_under(expr, guard):
                needed[read.name] = either(needed.get(read.name, NEVER), when)
    return tuple(reversed(guarded))


def asked_for(guards: Iterable[Guard]) -> frozenset[str]:
    """The inputs whose gradients guards ask for."""
    literals = (literal for guard in guards for term in guard for literal in term)
    return frozenset(n for c, v in literals if isinstance(c, Needs) and v for n in c.names)


def tidy(guard: Guard, gradients: frozenset[str]) -> Guard:
    """A guard fit for an ``if``.

    Questions after gradients that differ in nothing else become one, and none where all are asked
    for: a backward that nobody asks for is never run. A tensor whose gradient is asked for is
    there.

    Args:
        guard: when a statement is needed.
        gradients: all inputs whose gradient may be asked for.
    """
    by_rest: dict[frozenset[Literal], set[str] | None] = {}
    for term in guard:
        needs = [c for c, v in term if isinstance(c, Needs) and v]
        given = {Given(c.args[0]) for c in needs if len(c.names) == 1}
        rest = frozenset((c, v) for c, v in term if c not in needs and not (c in given and v))
        names = {n for c in needs for n in c.names}
        have = by_rest.get(rest, set())
        by_rest[rest] = have | names if needs and have is not None else None
    terms = []
    for rest, asked in by_rest.items():
        ask = asked is not None and asked != gradients
        terms.append(rest | {(Needs(*map(Str, sorted(asked or ()))), True)} if ask else rest)
    return either(frozenset(terms), NEVER)
