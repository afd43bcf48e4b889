"""What only turns the sign of an adjoint, or chooses among values, has no line of its own."""

from __future__ import annotations

from lossgen.program import show
from tests.compiler.catalogue import compiled, written


def backward(body: str, arguments: str) -> list[str]:
    return [x.split(" = ")[0] for x in show(written(body, arguments).backward.program).splitlines()]


def test_a_sign_is_read_where_it_stands() -> None:
    made = show(compiled("triplet_margin").backward.program)
    assert "d_apart[s] =" not in made
    assert "-pull_apart[s]" in made


def test_a_result_keeps_its_line() -> None:
    assert backward("x[e] - y[e]", "x: Real[e], y: Real[e]")[-2:] == ["d_x[e]", "d_y[e]"]


def test_one_name_is_kept_for_what_options_choose() -> None:
    loss = compiled("triplet_margin").backward
    assert loss.saved == ("near", "far", "between")
    assert " near_norm_gap[" not in show(loss.program)


def test_a_reduction_that_the_choice_is_not_sure_to_be_keeps_its_name() -> None:
    body = "long = norm(x[n, d], d); size = where(p == 2, long, Amax(Abs(x[n, d]), d)); size + long"
    loss = written(body, "x: Real[n, d], *, p: Positive = 2.0").backward
    assert "long" in show(loss.program)
