"""What the forward program of a formula looks like, statement by statement."""

from __future__ import annotations

import pytest

from lossgen.program import Program, check, show
from tests.compiler.catalogue import NAMES, formulas, written


def lines(body: str, arguments: str = "x: Real[n, d]") -> list[str]:
    return show(written(body, arguments).forward).splitlines()


def names(program: Program) -> list[str]:
    return [x.name for x in program.statements]


PAIR = "x: Real[n, d], y: Real[n, d]"


def test_the_authors_names_and_order_are_kept() -> None:
    body = "bright = exp(x[n, d]); total = Sum(bright ** 2, d); share = bright / total; share ** 2"
    assert names(written(body).forward) == ["bright", "total", "share", "loss"]


def test_what_a_helper_names_twice_is_called_after_what_it_is_for() -> None:
    helper = (
        "def size(z):",
        "total = Sum(exp(z), d)",
        "root = total**0.5 + Amax(z, d) / total",
        "return root * Sum(z**2 / root, d)",
    )
    body = "\n        ".join(helper) + "; near = size(x[n, d]); far = size(y[n, d]); near - far"
    made = names(written(body, PAIR).forward)
    assert [x for x in made if x.endswith(("total", "root")) and "sum" not in x] == [
        "near_total",
        "near_root",
        "far_total",
        "far_root",
    ]


def test_what_helpers_name_for_numbered_parts_is_numbered() -> None:
    helper = ("def unit(z):", "rest = z - Mean(z, d)", "return rest / Amax(rest, d)")
    body = "\n        ".join(helper) + "; part1 = unit(x[n, d]); part2 = unit(y[n, d])"
    body += "; Sum(part1 * part2, d)"
    made = names(written(body, PAIR).forward)
    assert {"rest1", "rest2", "max_rest1", "max_rest2", "mean_x", "mean_y"} <= {*made}


def test_a_reduction_is_a_statement_of_its_own_and_says_what_it_is() -> None:
    assert lines("logsumexp(x[n, d], d) + Amax(Abs(x[n, d]), d)") == [
        "max_x[n] = amax_{d} Abs(x[n, d])",
        "lse_x[n] = logsumexp_{d} x[n, d]",
        "loss[n] = lse_x[n] + max_x[n]",
    ]


def test_a_product_is_called_after_both_factors() -> None:
    made = written("sim = Sum(x[i, d] * y[j, d], d) / 2; logsumexp(sim, j)", PAIR).forward
    assert names(made) == ["dot_x_y", "sim", "loss"]
    made = written("logsumexp(Sum(x[i, d] * x[j, d], d) / 2, j)", PAIR.split(", y")[0]).forward
    assert names(made) == ["dot_x", "loss"]


def test_a_mean_of_squares_says_so() -> None:
    made = written("gap = x[n, d] - y[n, d]; log(1 + Mean(gap**2, d))", PAIR).forward
    assert "mean_square_gap" in names(made)
    made = written("log(1 + Mean((y[n, d] - x[n, d])**2, d))", PAIR).forward
    assert names(made) == ["mean_square", "loss"]


@pytest.mark.parametrize("bias", ["a", "z"])
def test_a_reduction_is_called_after_the_largest_that_it_reads(bias: str) -> None:
    loss = written(
        f"-at(log_softmax(x[n, c] + {bias}[c], c), c=label[n])",
        f"x: Logits[n, c], label: ClassIndex[n], {bias}: Real[c]",
    )
    assert names(loss.forward) == ["nll_x", "loss"]
    assert set(loss.backward.gradients) == {"x", bias}


def test_equal_reductions_are_computed_once() -> None:
    made = lines("Sum(x[n, d], d) / (1 + Sum(x[n, d], d) ** 2)")
    assert made[0] == "sum_x[n] = sum_{d} x[n, d]"
    assert len(made) == 2


def test_a_part_read_at_other_letters_is_computed_once() -> None:
    body = "unit = x[n, d] / norm(x[n, d], d); Sum(at(unit, n=i) * at(unit, n=j), d)"
    assert lines(body) == [
        "norm_x[n] = norm_{d} x[n, d]",
        "unit[n, d] = x[n, d]/norm_x[n]",
        "loss[i, j] = sum_{d} (unit[i, d]*unit[j, d])",
    ]


def test_the_factors_of_a_matrix_product_are_statements() -> None:
    made = lines("Sum(exp(at(x[n, d], n=i)) * at(y[n, d], n=j), d)", PAIR)
    assert made == [
        "factor_x[n, d] = exp(x[n, d])",
        "loss[i, j] = sum_{d} (factor_x[i, d]*y[j, d])",
    ]


def test_a_sum_without_a_contraction_keeps_its_body_whole() -> None:
    assert lines("Sum(exp(x[n, d]) * y[n, d], d)", PAIR) == [
        "loss[n] = sum_{d} (exp(x[n, d])*y[n, d])"
    ]


def test_a_log_softmax_read_at_one_label_is_not_computed_in_full() -> None:
    body = "log_prob = log_softmax(x[n, c], c); -at(log_prob, c=y[n])"
    program = written(body, "x: Logits[n, c], y: ClassIndex[n]").forward
    assert [x.op for x in program.statements] == ["nll", "map"]
    assert all("c" not in map(str, x.free) for x in program.statements)


def test_a_gathered_position_is_an_array_of_its_own() -> None:
    made = lines("x[n, where(y[n] < 0, 0, y[n])]", "x: Real[n, c], y: ClassIndex[n]")
    assert made == [
        "index_x[n] = where(y[n] < 0, 0, y[n])",
        "loss[n] = x[n, index_x[n]]",
    ]


def test_a_gather_behind_a_condition_reads_index_zero_where_it_fails() -> None:
    made = lines("where(y[n] != 9, x[n, y[n]], 0)", "x: Real[n, c], y: ClassIndex[n]")
    assert made[0] == "index_x[n] = where(y[n] != 9, y[n], 0)"


PARTIAL = {
    "log(x[n, d])": "log(where(x[n, d] > 0, x[n, d], 1))",
    "sqrt(x[n, d])": "sqrt(where(x[n, d] > 0, x[n, d], 1))",
    "1 / x[n, d]": "1/where(x[n, d] > 0, x[n, d], 1)",
    "x[n, d] ** -0.5": "where(x[n, d] > 0, x[n, d], 1)**(-0.5)",
    "log(1 + x[n, d])": "log1p(where(x[n, d] > 0, x[n, d], 0))",
}


@pytest.mark.parametrize("partial", PARTIAL)
def test_a_partial_function_behind_a_condition_gets_a_safe_argument(partial: str) -> None:
    assert lines(f"where(x[n, d] > 0, {partial}, 0)") == [
        f"loss[n, d] = where(x[n, d] > 0, {PARTIAL[partial]}, 0)"
    ]


def test_what_no_condition_guards_stays_as_it_was_written() -> None:
    assert lines("log(x[n, d])") == ["loss[n, d] = log(x[n, d])"]


def test_a_masked_mean_is_a_sum_over_a_count() -> None:
    made = lines("Mean(x[n, d], d, where=x[n, d] > 0, empty=0)")
    assert made[:2] == [
        "count_x[n] = count_{d} x[n, d] > 0",
        "sum_x[n] = sum_{d | x[n, d] > 0} x[n, d]",
    ]
    assert made[2].startswith("loss[n] = where(count_x[n] > 0, ")


def test_a_shift_narrows_where_its_letter_runs() -> None:
    program = written("Mean((x[n, h + 2] - x[n, h]) ** 2, h)", "x: Real[n, h]").forward
    (loss,) = program.statements
    assert {str(k): v for k, v in loss.extents.items()} == {"h": (0, 2)}


def test_a_shift_carries_its_narrower_span_into_what_reads_it() -> None:
    body = "step = x[n, h + 1] - x[n, h]; Sum(step * step, h)"
    program = written(body, "x: Real[n, h]").forward
    assert [{str(k): v for k, v in x.extents.items()} for x in program.statements] == [
        {"h": (0, 1)},
        {"h": (0, 1)},
    ]


def test_a_letter_that_a_sum_does_not_read_multiplies_by_its_size() -> None:
    made = lines("y[m] * Sum(x[n, d], d, m)", "x: Real[n, d], y: Real[m]")
    assert made == ["sum_x[n] = sum_{d} x[n, d]", "loss[n, m] = sum_x[n]*y[m]*size(m)"]


def test_an_absent_tensor_reads_as_its_neutral_value() -> None:
    made = lines("w[n] * x[n, d]", "x: Real[n, d], w: Weight[n] = None")
    assert made == ["loss[n, d] = x[n, d]*where(given(w), w[n], 1)"]


def test_an_unused_part_is_not_computed() -> None:
    assert names(written("idle = exp(x[n, d]); x[n, d] ** 2").forward) == ["loss"]


@pytest.mark.parametrize("name", NAMES)
def test_every_program_of_the_catalogue_keeps_the_grammar(name: str) -> None:
    for loss in formulas(name):
        assert check(loss.forward) is loss.forward
        assert check(loss.backward.program) is loss.backward.program


@pytest.mark.parametrize("name", NAMES)
def test_no_automatic_name_is_a_bare_number(name: str) -> None:
    for loss in formulas(name):
        authors = {*loss.spec.names, "loss", "divisor"}
        made = {x.name for x in loss.forward.statements}
        assert not any(x.startswith(("tmp", "_", "stack_")) for x in made - authors)
        assert made >= {x.name for x in loss.forward.statements if x.name in authors}


def test_factors_of_a_product_stand_along_axes_however_they_are_read() -> None:
    """Unit rows written inside a reading of pairs are made once, and known to the backward."""
    unit = "where(norm(x[n, d], d) > 0, x[n, d] / norm(x[n, d], d), 0)"
    loss = written(f"sim = Sum(at({unit}, n=i) * at({unit}, n=j), d); logsumexp(sim, j)")
    (factor,) = (x for x in loss.forward.statements if x.name.startswith("factor"))
    assert [y.name for y in factor.free] == ["n", "d"]
    (gradient,) = (x for x in loss.backward.program.statements if x.name == "d_x")
    assert factor.name in gradient.reads()


def test_a_probability_is_compared_with_the_largest_of_the_same() -> None:
    arguments = "x: Logits[n, c], y: ClassIndex[n]"
    body = (
        "prob = softmax(x[n, c], c); own = at(prob, c=y[n]); own*where(own == Amax(prob, c), 1, 2)"
    )
    assert "prob[n, y[n]] == max_prob[n]" in lines(body, arguments)[-1]
    # With nothing but a number to compare with, no row is computed in full.
    assert (
        "nll[n] <"
        in lines("where(-at(log_softmax(x[n, c], c), c=y[n]) < 1, x[n, 0], 0)", arguments)[-1]
    )
