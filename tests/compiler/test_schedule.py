"""Branches: they change no value, and what an option leaves out is not computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import sympy as sp
from sympy.core.symbol import Str

from lossgen.compiled import Compiled
from lossgen.nodes import Letter, Needs, Read, walk
from lossgen.program import Program, Statement
from lossgen.schedule import (
    Block,
    Branch,
    schedule,
    with_branches_joined,
    with_guards,
    without_copies,
)
from lossgen.static import ALWAYS, Guard, guard_of, resolve, switches
from tests.compiler.catalogue import NAMES, formulas, sample, settings, sizes_of, written
from tests.compiler.interpret import REAL, Array, Run


def flat(blocks: Sequence[Block]) -> Iterator[Statement]:
    for block in blocks:
        if isinstance(block, Branch):
            yield from flat((*block.then, *block.otherwise))
        else:
            yield block


@dataclass
class InOrder(Run):
    """Runs blocks as generated code does: one line after another, nothing on demand."""

    def __getitem__(self, name: str) -> Array:
        return self.given[name] if name in self.given else self.done[name]

    def run(self, blocks: Sequence[Block]) -> InOrder:
        for block in blocks:
            if isinstance(block, Branch):
                self.run(block.then if self.value(block.condition, (), {}) else block.otherwise)
            else:
                self.done[block.name] = self._statement(block)
        return self


@dataclass(frozen=True)
class Case:
    """A program to lay out, what it needs to run, and its results wanted."""

    program: Program
    given: Mapping[str, Array]
    options: Mapping[str, object]
    needs: frozenset[str]
    roots: Mapping[str, Guard]
    wanted: tuple[str, ...]
    sizes: Mapping[str, int]

    def lazily(self) -> Run:
        """Only what the results need, once every static condition is decided."""
        plain = Run(self.program, self.sizes, self.given, self.options, self.needs)
        exprs = [e for x in self.program.statements for e in x.expressions()]
        known = {c: bool(plain.value(c, (), {})) for c in _switches(tuple(exprs))}
        decided = tuple(_decided(x, known) for x in self.program.statements)
        program = replace(self.program, statements=decided)
        run = Run(program, self.sizes, self.given, self.options, self.needs)
        for name in self.wanted:
            run[name]
        return run

    def blocks(self) -> tuple[Block, ...]:
        return laid(self.program, tuple(self.roots.items()))

    def in_order(self, blocks: Sequence[Block]) -> InOrder:
        shown = replace(self.program, statements=tuple(flat(blocks)))
        return InOrder(shown, self.sizes, self.given, self.options, self.needs).run(blocks)


def _decided(x: Statement, known: Mapping[sp.Basic, bool]) -> Statement:
    body, where, base, *target = (resolve(e, known) for e in x.expressions())
    return replace(x, body=body, where=where, base=base, target=tuple(target))


@cache
def _switches(exprs: tuple[sp.Basic, ...]) -> list[sp.Basic]:
    return switches(exprs)


_laid: dict[int, tuple[Block, ...]] = {}


def laid(program: Program, roots: tuple[tuple[str, Guard], ...]) -> tuple[Block, ...]:
    """The blocks of a program of the catalogue, which lives as long as the tests."""
    if id(program) not in _laid:
        _laid[id(program)] = schedule(with_guards(program, dict(roots)))
    return _laid[id(program)]


def cases(loss: Compiled, most: int = 4) -> Iterator[Case]:
    """Both programs of a loss under several settings and several gradients asked for."""
    spec, sizes = loss.spec, sizes_of(loss.spec)
    results = tuple(dict.fromkeys((*loss.forward.results, *loss.backward.saved)))
    for number, setting in enumerate(settings(spec, most)):
        tensors, options = sample(spec, setting.absent, seed=number), dict(setting.options)
        roots: dict[str, Guard] = dict.fromkeys(results, ALWAYS)
        forward = Case(loss.backward.recorded, tensors, options, frozenset(), roots, results, sizes)
        yield forward
        computed = forward.lazily()
        random = np.random.default_rng(number)
        given = {
            **tensors,
            **{k: computed[k] for k in loss.backward.saved},
            **{
                f"grad_{k}": np.asarray(random.normal(size=computed[k].shape), dtype=REAL)
                for k in loss.backward.seeds
            },
        }
        present = [g for g in loss.backward.gradients if g in tensors]
        asked = {frozenset(present), frozenset(present[:1]), frozenset(present[-1:])}
        roots = {f"d_{g}": guard_of(Needs(Str(g))) for g in loss.backward.gradients}
        for needs in sorted(asked, key=sorted):
            wanted = tuple(f"d_{g}" for g in loss.backward.gradients if g in needs)
            yield Case(loss.backward.program, given, options, needs, roots, wanted, sizes)


@pytest.mark.parametrize("name", NAMES)
def test_branches_change_no_value(name: str) -> None:
    for loss in formulas(name):
        for case in cases(loss):
            lazily = case.lazily()
            blocks = case.blocks()
            alone = without_copies(blocks, frozenset(case.roots))
            for tidied in (blocks, alone, with_branches_joined(alone)):
                found = case.in_order(tidied)
                for wanted in case.wanted:
                    np.testing.assert_allclose(
                        found[wanted], lazily[wanted], rtol=1e-15, atol=1e-16
                    )


@pytest.mark.parametrize("name", NAMES)
def test_what_an_option_leaves_out_is_not_computed(name: str) -> None:
    for loss in formulas(name):
        for case in cases(loss, 8):
            if case.wanted == tuple(case.roots):
                idle = case.in_order(case.blocks()).done.keys() - case.lazily().done.keys()
                assert idle == set(), dict(case.options)


@pytest.mark.parametrize("name", NAMES)
def test_what_only_a_gradient_not_asked_for_needs_is_not_computed(name: str) -> None:
    """What several gradients need may be computed for any of them."""
    for loss in formulas(name):
        for case in cases(loss, 2):
            present = [x for x in case.roots if x.startswith("d_") and x[2:] in case.given]
            if len(present) < len(case.roots):
                continue
            needed = {
                x: replace(case, needs=frozenset((x[2:],)), wanted=(x,)).lazily().done.keys()
                for x in present
            }
            done = case.in_order(case.blocks()).done.keys()
            for other in set(present) - {*case.wanted}:
                only = needed[other] - set().union(*(v for k, v in needed.items() if k != other))
                assert not only & done, (other, case.wanted)


@pytest.mark.parametrize("name", NAMES)
def test_no_line_only_gives_a_second_name(name: str) -> None:
    for loss in formulas(name):
        roots = dict.fromkeys((*loss.forward.results, *loss.backward.saved), ALWAYS)
        blocks = without_copies(
            schedule(with_guards(loss.backward.recorded, roots)), frozenset(roots)
        )
        # In a branch a copy may be one side of a choice.
        for x in (b for b in blocks if isinstance(b, Statement)):
            copy = x.op == "map" and type(x.body) is Read and x.body.subscripts == x.free
            assert not copy or x.name in roots, f"{x.name} = {x.body}"


@pytest.mark.parametrize("name", NAMES)
def test_no_static_condition_is_left_inside_a_line(name: str) -> None:
    for loss in formulas(name):
        for case in itertools.islice(cases(loss, 1), 2):
            for x in flat(case.blocks()):
                for expr in x.expressions():
                    assert not any(isinstance(node, Needs) for node in walk(expr))
                assert x.guard == ALWAYS


def shape(blocks: Sequence[Block]) -> list[object]:
    return [
        (shape(b.then), shape(b.otherwise)) if isinstance(b, Branch) else b.name for b in blocks
    ]


FLAG = "x: Real[n, d], *, full: Flag = False"


def laid_out(body: str, arguments: str = FLAG) -> list[object]:
    forward = written(body, arguments).forward
    blocks = schedule(with_guards(forward, {"loss": ALWAYS}))
    return shape(without_copies(blocks, frozenset(("loss",))))


def test_a_part_that_one_side_needs_stands_in_that_branch() -> None:
    body = (
        "extra = Sum(exp(x[n, d]), d); plain = Sum(x[n, d], d); where(full, plain + extra, plain)"
    )
    made = laid_out(body)
    assert "extra" not in made
    assert any(isinstance(b, tuple) and "extra" in b[0] for b in made)


def test_a_sum_that_a_branch_adds_to_has_one_name() -> None:
    body = "plain = Sum(x[n, d], d); where(full, plain + Amax(x[n, d], d), plain)"
    assert laid_out(body) == ["loss", (["max_x", "loss"], [])]


def test_a_copy_in_one_side_is_read_through_below_it() -> None:
    body = (
        "plain = Sum(x[n, d], d); low = where(full, plain ** 2, plain); low + where(full, low, 0)"
    )
    made = laid_out(body)
    assert "plain" in made
    assert not any(isinstance(b, tuple) and "plain" in (*b[0], *b[1]) for b in made)


def test_lines_under_one_condition_share_one_branch() -> None:
    body = "a = where(full, exp(x[n, d]), x[n, d]); b = where(full, a ** 2, a); b + x[n, d]"
    assert sum(isinstance(b, tuple) for b in laid_out(body)) == 1


def test_a_branch_waits_for_the_next_on_its_condition() -> None:
    e = Letter("e")
    x, y = Read(Str("x"), e), Read(Str("y"), e)

    def under_x(name: str, body: sp.Expr) -> Branch:
        return Branch(Needs(Str("x")), (Statement(name, (e,), body),), ())

    first, last = under_x("a", x + y), under_x("c", x - y)
    between = Statement("b", (e,), x * y)
    joined = Branch(first.condition, (*first.then, *last.then), ())
    assert with_branches_joined((first, between, last)) == (between, joined)
    reading = Statement("b", (e,), x * Read(Str("a"), e))
    assert with_branches_joined((first, reading, last)) == (first, reading, last)


def test_without_conditions_there_are_no_branches() -> None:
    assert laid_out("u = exp(x[n, d]); Sum(u ** 2, d)", "x: Real[n, d]") == ["u", "loss"]


def test_the_branch_of_an_option_within_an_option_is_nested() -> None:
    body = "where(full, where(p == 2, x[n, d] ** 2, Abs(x[n, d]) ** p), x[n, d])"
    assert laid_out(body, FLAG + ", p: Positive = 2.0") == [([(["loss"], ["loss"])], ["loss"])]


@pytest.mark.parametrize("inner", ["p == 2", "p > 1", "p != 1", "p <= 0"])
def test_an_option_that_equals_one_number_is_compared_no_further(inner: str) -> None:
    body = f"where(p == 1, where({inner}, x[n, d] ** 2, Abs(x[n, d])), x[n, d])"
    assert laid_out(body, "x: Real[n, d], *, p: Positive = 2.0") == [(["loss"], ["loss"])]
