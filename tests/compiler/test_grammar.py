"""The grammar of programs refuses what no producer may make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Letter, Read
from lossgen.program import Array, GrammarError, Program, Statement, check

N, C, K = Letter("n"), Letter("c"), Letter("k")
X = Read(Str("x"), N, C)
GOOD = Program(
    inputs=(Array("x", (N, C)), Array("y", (N,), "integer")),
    statements=(
        Statement("total", (N,), X, "sum", (C,)),
        Statement("loss", (N,), Read(Str("total"), N) ** 2),
    ),
    results=("loss",),
    order=(N, C, K),
    axes={N: N, C: C, K: C},
)


def program(*statements: Statement, **changes: Any) -> Program:
    return replace(GOOD, statements=statements or GOOD.statements, **changes)


def test_a_program_that_keeps_the_grammar_comes_back_itself() -> None:
    assert check(GOOD) is GOOD


LOSS = GOOD.statements[1]
BROKEN = {
    "computed before it": program(Statement("loss", (N,), Read(Str("absent"), N))),
    "wrong number of subscripts": program(Statement("loss", (N,), Read(Str("x"), N))),
    "computed twice": program(*GOOD.statements, LOSS),
    "does not bind": program(Statement("loss", (N,), X)),
    "not elementwise": program(Statement("loss", (N,), nd.Reduce("sum", X, TRUE, 0, (C,)))),
    "sum over": program(Statement("loss", (N, C), X, "sum", (C,))),
    "are not computed": program(results=("loss", "divisor")),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_program_is_refused_and_says_why(words: str) -> None:
    with pytest.raises(GrammarError, match=words):
        check(BROKEN[words])


def test_a_statement_may_not_take_an_inputs_name() -> None:
    with pytest.raises(GrammarError, match="x is computed twice"):
        check(program(Statement("x", (N,), Read(Str("y"), N)), results=("x",)))


def test_a_later_statement_cannot_be_read() -> None:
    with pytest.raises(GrammarError, match="loss reads total"):
        check(program(*reversed(GOOD.statements)))


@pytest.mark.parametrize("op", ["sum", "mean", "amax", "amin", "any", "count", "logsumexp", "norm"])
def test_a_reduction_needs_a_letter_to_run_over(op: Any) -> None:
    with pytest.raises(GrammarError, match=op):
        check(program(Statement("loss", (N, C), X, op, ())))


@pytest.mark.parametrize(
    "node",
    [
        nd.Let("part", [N], Read(Str("y"), N), [N]),
        nd.Along("softmax", X, C, C),
        nd.Reduce("any", nd.Compare(">", X, 0), TRUE, 0, (C,)),
    ],
    ids=["Let", "Along", "Reduce"],
)
@pytest.mark.parametrize("place", ["body", "where", "base", "target"])
def test_no_part_of_a_statement_holds_what_binds_letters(node: Any, place: str) -> None:
    value = (node,) if place == "target" else node
    broken = replace(Statement("loss", (N, C), X), **{place: value})
    with pytest.raises(GrammarError, match="not elementwise"):
        check(program(broken))


@pytest.mark.parametrize("place", ["where", "base", "target"])
def test_a_loose_letter_is_found_wherever_it_stands(place: str) -> None:
    loose = Read(Str("x"), N, K)
    value: Any = (loose,) if place == "target" else loose
    broken = replace(Statement("loss", (N, C), X), **{place: value})
    with pytest.raises(GrammarError, match="does not bind"):
        check(program(broken))
