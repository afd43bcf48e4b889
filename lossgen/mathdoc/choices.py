"""Choices inside choices, simplified for reading.

A compiled body protects what only a condition protects, and so asks the same question again inside
its answer.  Here the second asking is dropped; the value is the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from lossgen.nodes import FALSE, MIRROR, TRUE, Compare, Junction, Not, Or, Where, rebuild

Known = Mapping[sp.Basic, bool]


def simpler(expr: sp.Basic, known: Known | None = None) -> sp.Basic:
    """The expression without the choices that the choices around them have made."""
    known = known or {}
    if not expr.args:
        return expr
    if isinstance(expr, Where):
        condition, yes, no = expr.args
        answer = _answer(condition, known)
        if answer is not None:
            return simpler(yes if answer else no, known)
        holds = {**known, **_learnt(condition, True)}
        fails = {**known, **_learnt(condition, False)}
        return Where(simpler(condition, known), simpler(yes, holds), simpler(no, fails))
    if isinstance(expr, sp.Mul):
        # Where one factor is chosen against 0, the others count only where its condition holds.
        for factor in expr.args:
            if (
                isinstance(factor, Where)
                and factor.args[2] == 0
                and _answer(factor.args[0], known) is None
            ):
                holds = {**known, **_learnt(factor.args[0], True)}
                others = [simpler(a, holds) for a in expr.args if a is not factor]
                return sp.Mul(simpler(factor, known), *others)
    return rebuild(expr, [simpler(a, known) for a in expr.args])


def _answer(condition: sp.Basic, known: Known) -> bool | None:
    if condition in (TRUE, FALSE):
        return condition is TRUE
    if condition in known:
        return known[condition]
    if isinstance(condition, Not):
        inner = _answer(condition.args[0], known)
        return None if inner is None else not inner
    if isinstance(condition, Junction):
        absorbing = isinstance(condition, Or)
        answers = [_answer(a, known) for a in condition.args]
        if absorbing in answers:
            return absorbing
        return None if None in answers else not absorbing
    return None


def _learnt(condition: sp.Basic, holds: bool) -> dict[sp.Basic, bool]:
    """What is known of other conditions once one is known."""
    found = {condition: holds}
    if isinstance(condition, Not):
        found |= _learnt(condition.args[0], not holds)
    elif isinstance(condition, Junction) and isinstance(condition, Or) != holds:
        for part in condition.args:
            found |= _learnt(part, holds)
    elif isinstance(condition, Compare) and condition.op in ("==", "!="):
        found[Compare(MIRROR[condition.op], condition.left, condition.right)] = not holds
    return found
