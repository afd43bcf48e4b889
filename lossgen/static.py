"""Static conditions: what is known from options alone, before any element is read.

A condition on options prints as a Python ``if`` and costs nothing when off. A ``Guard`` says when
a statement is needed: a disjunction of conjunctions of (condition, truth) pairs.

    given(weight) and p != 2   →   {{(given(weight), true), (p == 2, false)}}

It refuses nothing: a condition that reads an element is not static, and stays an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import sympy as sp

from lossgen.nodes import (
    FALSE,
    TRUE,
    And,
    Compare,
    Junction,
    Not,
    Or,
    Read,
    Where,
    is_static,
    rebuild,
)

Literal = tuple[sp.Basic, bool]
Guard = frozenset[frozenset[Literal]]
ALWAYS: Guard = frozenset((frozenset(),))
NEVER: Guard = frozenset()


def ordered(guard: Iterable[frozenset[Literal]]) -> list[frozenset[Literal]]:
    """The terms of a guard in an order that is the same in every process."""
    return sorted(guard, key=lambda term: sorted(map(str, term)))


def either(a: Guard, b: Guard) -> Guard:
    """The guard that holds where one of two does, simplified."""
    return _simplify(a | b)


def both(a: Guard, b: Guard) -> Guard:
    """The guard that holds where both do."""
    pairs = (x | y for x in a for y in b)
    return _simplify(frozenset(p for p in pairs if not _contradicts(p)))


def _contradicts(literals: frozenset[Literal]) -> bool:
    return any((c, not v) in literals for c, v in literals)


def _simplify(guard: Guard) -> Guard:
    terms = set(guard)
    changed = True
    while changed:
        changed = False
        for x in ordered(terms):
            if any(y < x for y in terms):
                terms.discard(x)
                changed = True
                break
            # (a and b) or (a and not b) is a; (a and b) or not b is a or not b
            weaker = next(
                (
                    x - {(c, v)}
                    for c, v in sorted(x, key=str)
                    for y in ordered(terms)
                    if (c, not v) in y and y - {(c, not v)} <= x - {(c, v)}
                ),
                None,
            )
            if weaker is not None:
                terms.discard(x)
                terms.add(weaker)
                changed = True
                break
    return frozenset(terms)


_TURNED = {"!=": "==", ">=": "<", "<=": ">"}


def atom(condition: sp.Basic) -> tuple[sp.Basic, bool]:
    """A comparison as one of ``== < >`` and whether it is that or its opposite."""
    if isinstance(condition, Compare) and condition.op in _TURNED:
        return Compare(_TURNED[condition.op], condition.left, condition.right), False
    return condition, True


def guard_of(condition: sp.Basic, holds: bool = True) -> Guard:
    """A static condition as a guard."""
    if condition in (TRUE, FALSE):
        return ALWAYS if (condition is TRUE) == holds else NEVER
    if isinstance(condition, Not):
        return guard_of(condition.args[0], not holds)
    if isinstance(condition, Junction):
        join = both if isinstance(condition, Or) != holds else either
        result = guard_of(condition.args[0], holds)
        for part in condition.args[1:]:
            result = join(result, guard_of(part, holds))
        return result
    base, same = atom(condition)
    return frozenset((frozenset(((base, holds == same),)),))


@cache
def _switches(expr: sp.Basic) -> tuple[sp.Basic, ...]:
    found: dict[sp.Basic, None] = {}
    if isinstance(expr, Where) and is_static(expr.args[0]):
        for term in ordered(guard_of(expr.args[0])):
            found.update(dict.fromkeys(c for c, _ in sorted(term, key=str)))
    for arg in expr.args:
        found.update(dict.fromkeys(_switches(arg)))
    return tuple(found)


def switches(exprs: Iterable[sp.Basic]) -> list[sp.Basic]:
    """The atomic static conditions on which expressions branch, in order of appearance."""
    return list(dict.fromkeys(c for e in exprs for c in _switches(e)))


def resolve(expr: sp.Basic, known: Mapping[sp.Basic, bool]) -> sp.Basic:
    """The expression where static conditions have known truth."""
    if not known or not _switches(expr):
        return expr
    if isinstance(expr, Where) and is_static(expr.args[0]):
        condition = decide(expr.args[0], known)
        if condition is TRUE:
            return resolve(expr.args[1], known)
        if condition is FALSE:
            return resolve(expr.args[2], known)
        return Where(condition, resolve(expr.args[1], known), resolve(expr.args[2], known))
    return rebuild(expr, [resolve(a, known) for a in expr.args])


def reads_under(expr: sp.Basic, path: Guard) -> Iterator[tuple[Read, Guard]]:
    """What an expression reads, each with the condition under which it does.

    Args:
        path: when the expression itself is needed.
    """
    if isinstance(expr, Read):
        yield expr, path
    if isinstance(expr, Where) and is_static(expr.args[0]):
        condition, yes, no = expr.args
        yield from reads_under(yes, both(path, guard_of(condition)))
        yield from reads_under(no, both(path, guard_of(condition, False)))
        return
    for arg in expr.args:
        yield from reads_under(arg, path)


def truth_of(base: sp.Basic, known: Mapping[sp.Basic, bool]) -> bool | None:
    """What is known of an atomic condition; an option that equals one number equals no other."""
    if base in known:
        return known[base]
    if isinstance(base, Compare) and base.right.is_number:
        for other, holds in known.items():
            fixed = holds and isinstance(other, Compare) and other.op == "=="
            if fixed and other.left == base.left and other.right.is_number:
                return bool(Compare(base.op, other.right, base.right))
    return None


def decide(condition: sp.Basic, known: Mapping[sp.Basic, bool]) -> sp.Basic:
    """A static condition under known truths: true, false or what is left."""
    base, same = atom(condition)
    holds = truth_of(base, known)
    if holds is not None:
        return TRUE if holds == same else FALSE
    if isinstance(condition, (Junction, Not)):
        return condition.func(*[decide(a, known) for a in condition.args])
    return condition


def narrow(guard: Guard, known: Mapping[sp.Basic, bool]) -> Guard:
    """A guard under known truths."""
    found = {c: truth_of(c, known) for t in guard for c, _ in t}
    terms = (t for t in guard if all(found[c] in (None, v) for c, v in t))
    return _simplify(frozenset(frozenset((c, v) for c, v in t if found[c] is None) for t in terms))


def condition_of(guard: Guard) -> sp.Basic:
    """A guard as a condition."""
    terms = [And(*(c if v else Not(c) for c, v in sorted(t, key=str))) for t in ordered(guard)]
    return Or(*terms)


def resolutions(expr: sp.Basic, known: Mapping[sp.Basic, bool] | None = None) -> list[sp.Basic]:
    """What an expression may be, one for each combination of its static conditions."""
    known = known or {}
    expr = resolve(expr, known)
    condition = next(iter(switches([expr])), None)
    if condition is None:
        return [expr]
    return [r for truth in (True, False) for r in resolutions(expr, {**known, condition: truth})]
