"""Memory that a function lets go: which lines do, and how much less a loss then holds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sympy as sp
import torch
from sympy.core.symbol import Str

from lossgen.backends.torch_room import room
from lossgen.bench.memory import peak
from lossgen.nodes import Letter, Needs, Read
from lossgen.program import Statement
from lossgen.schedule import Block, Branch, statements_of
from tests import generated_modules

NAMES = generated_modules.names()
N = Letter("n")
NEED_X, NEED_Y, NEED_Z = (Needs(Str(x)) for x in "xyz")


def makes(name: str, *reads: str) -> Statement:
    return Statement(name, (N,), sp.Add(*(Read(Str(x), N) for x in reads)))


def gone(
    blocks: Sequence[Block], *kept: str, over: tuple[Statement, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """What goes below which statement, where all values of one letter are large."""
    overwritten = {id(over[0]): {over[1]}} if over else {}
    found = room(blocks, set("abcdefgh"), kept, {"x", "y"}, overwritten)
    assert [x.first for x in found.values()].count(True) == min(len(found), 1)
    return {x.name: found[id(x)].names for x in statements_of(blocks) if id(x) in found}


def test_what_nothing_reads_any_more_goes() -> None:
    blocks = [makes("a", "x"), makes("b", "a", "y"), makes("c", "b", "y"), makes("d", "c")]
    assert gone(blocks, "d") == {"b": ("a",), "c": ("b",)}


def test_what_is_returned_and_what_nothing_follows_stays() -> None:
    assert gone([makes("a", "x"), makes("b", "a", "y")], "b") == {}
    assert gone([makes("a", "x"), makes("b", "a", "y"), makes("c", "b", "y")], "a", "c") == {}


def test_two_names_of_one_memory_go_together() -> None:
    over = makes("b", "a", "y")
    blocks = [makes("a", "x"), over, makes("n", "b"), makes("c", "x", "n"), makes("d", "c", "x")]
    assert gone(blocks, "d", over=(over, "a")) == {"n": ("a", "b")}


def test_one_name_of_a_result_keeps_the_other() -> None:
    over = makes("b", "a", "y")
    blocks = [makes("a", "x"), over, makes("c", "b", "y"), makes("d", "c", "y")]
    assert gone(blocks, "b", "d", over=(over, "a")) == {}


def test_a_branch_lets_go_of_what_it_reads_last() -> None:
    first = (makes("b", "a", "x"), makes("c", "b", "y"), makes("e", "c", "x"), makes("d_x", "e"))
    second = (makes("d_y", "a", "y"), makes("f", "d_y", "x"))
    blocks = [makes("a", "x"), Branch(NEED_X, first, ()), Branch(NEED_Y, second, ())]
    assert gone(blocks) == {"c": ("b",), "e": ("c",), "d_x": ("e",), "d_y": ("a",)}


def test_what_may_not_be_there_stays() -> None:
    made = Branch(NEED_X, (makes("a", "x", "y"),), ())
    later = (makes("b", "a", "y"), makes("c", "b", "x"))
    assert "b" not in gone([made, Branch(NEED_Y, later, ())])
    # Two branches on one condition are one, interrupted.
    assert gone([made, makes("n", "y"), Branch(NEED_X, later, ())]) == {"b": ("a",)}


def test_what_one_side_makes_is_there_on_that_side_alone() -> None:
    made = Branch(NEED_X, (), (makes("a", "x"),))
    later = (makes("b", "a"), makes("c", "y"))
    assert gone([made, Branch(NEED_X, (), later)]) == {"b": ("a", "b")}
    assert gone([made, Branch(NEED_X, later, ())]) == {"b": ("b",)}


def test_no_room_is_made_for_gradients_seldom_asked_for() -> None:
    blocks = [makes("a", "x", "y"), makes("d_x", "a", "y")]
    assert gone([*blocks, Branch(NEED_Z, (makes("d", "x"),), ())], "d_x", "d") == {}
    either = Needs(Str("y"), Str("z"))
    assert gone([*blocks, Branch(either, (makes("d", "x"),), ())], "d_x", "d") == {"d_x": ("a",)}


@pytest.mark.parametrize(
    ("name", "arrays"), [("vicreg", 9), ("barlow_twins", 8), ("info_nce", 7), ("nt_xent", 13)]
)
def test_few_arrays_are_there_at_a_time(name: str, arrays: int) -> None:
    if name not in NAMES:
        pytest.skip("not in the catalogue")
    x, y = torch.randn(2, 256, 256).unbind()
    x.requires_grad_()
    y.requires_grad_()
    loss = generated_modules.functional(name)

    def step() -> None:
        loss(x, y).backward()

    step()
    assert peak(step, {"x": x, "y": y}, "cpu") < arrays * 4 * 256**2
