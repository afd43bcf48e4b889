"""Memory that a function lets go: which lines do, and how much less a loss then holds."""

from __future__ import annotations

import pytest
import torch

from lossgen.backends.torch_room import with_room
from lossgen.bench.memory import peak
from tests import generated_modules

NAMES = generated_modules.names()


def room(text: str, *kept: str) -> list[str]:
    """The lines of a function, of which all values of one letter are large."""
    usual = {"need_x", "need_y"}
    return with_room(text.strip("\n").split("\n"), set("abcdefgh"), kept, usual)


def test_what_nothing_reads_any_more_goes() -> None:
    assert room("a = x + 1\nb = a * y\nc = b * y\nd = c + 1", "d") == [
        *("a = x + 1", "b = a * y", "del a  # makes room", "c = b * y", "del b", "d = c + 1"),
    ]


def test_what_is_returned_and_what_no_line_follows_stays() -> None:
    assert room("a = x + 1\nb = a * y", "b") == ["a = x + 1", "b = a * y"]
    assert room("a = x + 1\nb = a * y\nc = b * y", "a", "c") == [
        *("a = x + 1", "b = a * y", "c = b * y")
    ]


def test_two_names_of_one_memory_go_together() -> None:
    lines = room("a = x + 1\nb = a.mul_(y)\nn = b.sum()\nc = x * n\nd = c + x", "d")
    assert lines[3] == "del a, b  # makes room"


def test_one_name_of_a_result_keeps_the_other() -> None:
    assert not any(
        "del" in x for x in room("a = x + 1\nb = a.mul_(y)\nc = b * y\nd = c * y", "b", "d")
    )


def test_a_branch_lets_go_of_what_it_reads_last() -> None:
    lines = room(
        """
a = x + 1
if need_x:
    b = a * x
    c = b * y
    e = c + x
    d_x = e * x
if need_y:
    d_y = a * y
    f = d_y + x
"""
    )
    assert lines[3:5] == ["    c = b * y", "    del b  # makes room"]
    assert lines[-2:] == ["    del a", "    f = d_y + x"]


def test_what_may_not_be_there_stays() -> None:
    lines = room(
        "if need_x:\n    a = x * y\nif need_y:\n    b = a * y\n    c = b * x\n    d = c * c"
    )
    assert not any("del a" in x for x in lines)
    again = room("if need_x:\n    a = x * y\nn = y + 1\nif need_x:\n    b = a * y\n    c = b * x")
    assert again[5] == "    del a  # makes room"


def test_no_room_is_made_for_gradients_seldom_asked_for() -> None:
    lines = ["if need_x:", "    a = x * y", "    d_x = a * y", "if need_z:", "    d = x * y"]
    assert room("\n".join(lines), "d_x", "d") == lines
    lines[3] = "if need_y or need_z:"
    assert "    del a  # makes room" in room("\n".join(lines), "d_x", "d")


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
