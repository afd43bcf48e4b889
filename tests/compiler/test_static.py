"""Guards and static conditions, against truth tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.core.symbol import Str

from lossgen.nodes import (
    FALSE,
    TRUE,
    And,
    Compare,
    Given,
    Letter,
    Needs,
    Not,
    Or,
    Param,
    Read,
    Where,
)
from lossgen.static import (
    ALWAYS,
    NEVER,
    Guard,
    atom,
    both,
    condition_of,
    decide,
    either,
    guard_of,
    narrow,
    resolve,
    switches,
)

P, FULL = Param("p"), Param("full", real=True)
ATOMS: tuple[sp.Basic, ...] = (
    Compare("==", P, 2),
    Compare("<", P, 1),
    Given(Str("weight")),
    Needs(Str("input")),
    FULL,
)
# The same tests as people write them, two of them turned round.
WRITTEN = (*ATOMS, Compare("!=", P, 2), Compare(">=", P, 1))
Truth = Mapping[sp.Basic, bool]

conditions = st.recursive(
    st.sampled_from((*WRITTEN, TRUE, FALSE)),
    lambda inner: st.one_of(
        st.builds(lambda xs: And(*xs), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda xs: Or(*xs), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
guards = st.frozensets(
    st.lists(
        st.tuples(st.sampled_from(ATOMS), st.booleans()), max_size=3, unique_by=lambda x: x[0]
    ).map(frozenset),
    max_size=4,
)
quick = settings(max_examples=100, deadline=None, derandomize=True)


def tables() -> Iterator[Truth]:
    for row in itertools.product((False, True), repeat=len(ATOMS)):
        yield dict(zip(ATOMS, row, strict=True))


TABLES = list(tables())


def true(condition: sp.Basic, truth: Truth) -> bool:
    """What a condition means, told without any of the functions under test."""
    if condition is TRUE or condition is FALSE:
        return condition is TRUE
    if isinstance(condition, Not):
        return not true(condition.args[0], truth)
    if isinstance(condition, Or):
        return any(true(a, truth) for a in condition.args)
    if isinstance(condition, And):
        return all(true(a, truth) for a in condition.args)
    turned = {WRITTEN[5]: ATOMS[0], WRITTEN[6]: ATOMS[1]}
    return not truth[turned[condition]] if condition in turned else truth[condition]


def holds(guard: Guard, truth: Truth) -> bool:
    return any(all(truth[c] == v for c, v in term) for term in guard)


@quick
@given(guards, guards)
def test_either_is_a_disjunction(a: Guard, b: Guard) -> None:
    for truth in TABLES:
        assert holds(either(a, b), truth) == (holds(a, truth) or holds(b, truth))


@quick
@given(guards, guards)
def test_both_is_a_conjunction(a: Guard, b: Guard) -> None:
    for truth in TABLES:
        assert holds(both(a, b), truth) == (holds(a, truth) and holds(b, truth))


@quick
@given(guards, guards)
def test_a_guard_is_left_simple(a: Guard, b: Guard) -> None:
    for guard in (either(a, b), both(a, b)):
        for term in guard:
            assert not any((c, not v) in term for c, v in term) or guard == either(a, b)
            assert not any(other < term for other in guard), "a term that another one covers"


@quick
@given(conditions, st.booleans())
def test_a_condition_becomes_a_guard(condition: sp.Basic, wanted: bool) -> None:
    guard = guard_of(condition, wanted)
    for truth in TABLES:
        assert holds(guard, truth) == (true(condition, truth) == wanted)


@quick
@given(conditions)
def test_a_guard_becomes_a_condition_again(condition: sp.Basic) -> None:
    again = condition_of(guard_of(condition))
    for truth in TABLES:
        assert true(again, truth) == true(condition, truth)


@quick
@given(guards, st.dictionaries(st.sampled_from(ATOMS), st.booleans()))
def test_what_is_known_leaves_a_guard(guard: Guard, known: Truth) -> None:
    rest = narrow(guard, known)
    assert not any(c in known for term in rest for c, _ in term)
    for truth in TABLES:
        assert holds(rest, {**truth, **known}) == holds(guard, {**truth, **known})


@quick
@given(conditions, st.dictionaries(st.sampled_from(ATOMS), st.booleans()))
def test_a_condition_is_decided_as_far_as_is_known(condition: sp.Basic, known: Truth) -> None:
    rest = decide(condition, known)
    for truth in TABLES:
        table = {**truth, **known}
        # An option that is 2 is not below 1.
        if not (table[ATOMS[0]] and table[ATOMS[1]]):
            assert true(rest, table) == true(condition, table)
    if known.keys() >= set(ATOMS):
        assert rest in (TRUE, FALSE)


N = Letter("n")
X = Read(Str("x"), N)
values = st.recursive(
    st.sampled_from((X, X**2, sp.S.Zero, sp.S.One)),
    lambda inner: st.one_of(
        st.builds(Where, conditions, inner, inner),
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: Where(Compare(">", X, 0), a, b), inner, inner),
    ),
    max_leaves=5,
)


def chosen(expr: Any, truth: Truth) -> Any:
    """An expression with its static conditions decided, told independently."""
    if isinstance(expr, Where) and expr.args[0] != Compare(">", X, 0):
        return chosen(expr.args[1 if true(expr.args[0], truth) else 2], truth)
    return expr.func(*[chosen(a, truth) for a in expr.args]) if expr.args else expr


@quick
@given(values)
def test_an_expression_is_resolved_by_full_knowledge(expr: sp.Expr) -> None:
    for truth in TABLES[::5]:
        found = resolve(expr, truth)
        # A condition that contradicts itself may stay as it is; it means the same.
        assert chosen(found, truth) == chosen(expr, truth)
        assert switches([found]) == []


@quick
@given(values, st.dictionaries(st.sampled_from(ATOMS), st.booleans()))
def test_partial_knowledge_changes_no_meaning(expr: sp.Expr, known: Truth) -> None:
    rest = resolve(expr, known)
    assert not set(switches([rest])) & known.keys()
    for truth in TABLES[::7]:
        assert chosen(rest, {**truth, **known}) == chosen(expr, {**truth, **known})


def test_the_extremes() -> None:
    assert guard_of(TRUE) == ALWAYS
    assert guard_of(FALSE) == NEVER
    assert either(ALWAYS, guard_of(FULL)) == ALWAYS
    assert both(NEVER, guard_of(FULL)) == NEVER
    assert either(guard_of(FULL), guard_of(FULL, False)) == ALWAYS
    assert both(guard_of(FULL), guard_of(FULL, False)) == NEVER


def test_opposite_comparisons_are_one_condition() -> None:
    assert atom(Compare("!=", P, 2)) == (Compare("==", P, 2), False)
    assert atom(Compare(">=", P, 1)) == (Compare("<", P, 1), False)
    assert atom(Compare("<=", P, 1)) == (Compare(">", P, 1), False)
    assert atom(FULL) == (FULL, True)


def test_switches_come_in_the_order_of_the_formula() -> None:
    expr = Where(FULL, Where(Compare("==", P, 2), X, 0), X**2)
    assert switches([expr]) == [FULL, Compare("==", P, 2)]
