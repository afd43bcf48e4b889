"""The backward programs, held against differences of the forward, over the whole catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from lossgen.compiled import Compiled
from lossgen.nodes import Padded, walk
from lossgen.program import show
from lossgen.static import condition_of, switches
from tests.compiler.catalogue import (
    NAMES,
    compiled,
    formulas,
    sample,
    settings,
    sizes_of,
    written,
)
from tests.compiler.interpret import REAL, Array, Run

STEP = REAL(2) ** -18
PAIR = "x: Real[n, d], y: Real[n, d]"


def gradients(
    loss: Compiled, tensors: dict[str, Array], options: dict[str, object], seed: int
) -> tuple[Run, dict[str, Array], dict[str, Array]]:
    """A forward run, random upstream gradients, and the gradients that the backward gives."""
    spec, sizes = loss.spec, sizes_of(loss.spec)
    forward = Run(loss.forward, sizes, tensors, options)
    random = np.random.default_rng(seed)
    upstream = {
        name: np.asarray(random.normal(size=forward[name].shape), dtype=REAL)
        for name in loss.backward.seeds
    }
    recorded = Run(loss.backward.recorded, sizes, tensors, options)
    # What is kept under a condition is there only where that holds.
    there = {
        name: recorded.value(condition_of(recorded.program.statement(name).guard), (), {})
        for name in loss.backward.saved
    }
    present = {t.name for t in spec.tensors} & tensors.keys()
    wanted = [g for g in loss.backward.gradients if g in present]
    backward = Run(
        loss.backward.program,
        sizes,
        {
            **tensors,
            **{f"grad_{k}": v for k, v in upstream.items()},
            **{k: recorded[k] for k, holds in there.items() if holds},
        },
        options,
        frozenset(wanted),
    )
    return forward, upstream, {g: backward[f"d_{g}"] for g in wanted}


def difference(
    loss: Compiled, forward: Run, upstream: dict[str, Array], name: str, way: Array
) -> REAL:
    """The slope of the weighted results along a direction of one input."""
    moved = []
    for sign in (1, -1):
        tensors = {**forward.given, name: forward.given[name] + sign * STEP * way}
        run = Run(loss.forward, forward.sizes, tensors, forward.options, still=forward)
        moved.append(sum((upstream[k] * run[k]).sum() for k in loss.backward.seeds))
    return (moved[0] - moved[1]) / (2 * STEP)


def assert_derivative(formula: Compiled) -> None:
    """The backward equals differences of the forward, under every setting of a formula."""
    assert formula.backward.gradients
    for number, setting in enumerate(settings(formula.spec)):
        tensors = sample(formula.spec, setting.absent, seed=number)
        options = dict(setting.options)
        forward, upstream, found = gradients(formula, tensors, options, number)
        if any(np.isnan(forward[k]).any() for k in formula.forward.results):
            # A formula that stands on the positive side alone: a rate not given as a log.
            tensors = {k: abs(v) for k, v in tensors.items()}
            forward, upstream, found = gradients(formula, tensors, options, number)
        random = np.random.default_rng(number + 100)
        for tensor, gradient in found.items():
            assert gradient.shape == tensors[tensor].shape, (tensor, str(setting))
            way = np.asarray(random.normal(size=gradient.shape), dtype=REAL)
            slope = difference(formula, forward, upstream, tensor, way)
            scale = 1e-3 + np.abs(gradient * way).sum()
            error = abs((gradient * way).sum() - slope)
            assert error <= 2e-9 * scale, (tensor, str(setting), gradient, slope)


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_is_the_derivative_of_the_forward(name: str) -> None:
    for formula in formulas(name):
        assert_derivative(formula)


GRID = "x: Real[n, h, w]"
# What the language allows and the catalogue does not use, or not together.
BEYOND = {
    "a mean over a shift": ("Mean((x[n, h + 1, w] - x[n, h, w]) ** 2, h, w)", GRID),
    "a mean of a shifted part": ("step = x[n, h + 1, w] - x[n, h, w]; Mean(step ** 3, h, w)", GRID),
    "shifts both ways": (
        "Sum((x[n, h + 1, w] - 2 * x[n, h, w] + x[n, h - 1, w]) ** 2, h, w)",
        GRID,
    ),
    "a shift along two axes": ("Mean(x[n, h + 1, w + 2] * x[n, h, w], h, w)", GRID),
    "a shifted part read shifted": (
        "step = x[n, h + 1, w] - x[n, h, w]; Sum(at(step, h=h + 1) * step, h, w)",
        GRID,
    ),
    "a softmax of a shifted part": (
        "step = x[n, h, w + 1] * x[n, h, w]; Sum(softmax(step, w) * step, h, w)",
        GRID,
    ),
    "a largest of a shifted part": ("Amax(x[n, h, w + 1] - x[n, h, w], h, w)", GRID),
    "a sum over a letter that only others read": (
        "y[m] * Sum(x[n, d], d, m)",
        "x: Real[n, d], y: Real[m]",
    ),
    "a mean over a letter that only others read": (
        "total = Sum(x[n, d], n, d); y[m] * Mean(total * y[m], m)",
        "x: Real[n, d], y: Real[m]",
    ),
    "an adjoint that lacks a letter of what it reaches": (
        "u = x[n, d] + y[m]; Sum(exp(-z[n, d]) * u, m)",
        "x: Real[n, d], y: Real[m], z: Real[n, d]",
    ),
    "a named scalar": ("total = Sum(x[n, d] ** 2, n, d); x[n, d] / total", "x: Real[n, d]"),
    "a part read transposed": (
        "sim = Sum(at(x[n, d], n=i) * at(y[n, d], n=j), d); sim * at(sim, i=j, j=i)",
        PAIR,
    ),
    "a diagonal of a softmax": (
        "sim = Sum(at(x[n, d], n=i) * at(y[n, d], n=j), d); log(at(softmax(sim, j), j=i))",
        PAIR,
    ),
    "a row against the whole": ("x[n, d] * Sum(at(x[n, d], n=m), m)", "x: Real[n, d]"),
    "a bilinear form": (
        "Sum(at(x[n, d], n=i) * w[d, m] * at(y[n, m], n=j), d, m)",
        "x: Embedding[n, d], y: Embedding[n, m], w: Real[d, m]",
    ),
    "cosines in one line": (
        "Sum(at(x[n, d] / norm(x[n, d], d), n=i) * at(y[n, d] / norm(y[n, d], d), n=j), d)",
        PAIR,
    ),
    "differences of all pairs": (
        "gap = Sum((at(x[n, d], n=i) - at(y[n, d], n=j)) ** 2, d); logsumexp(-gap, j)",
        PAIR,
    ),
    "a gather of a named part": (
        "p = softmax(x[n, c], c) * x[n, c]; at(p, c=y[n]) ** 2",
        "x: Logits[n, c], y: ClassIndex[n]",
    ),
    "a gather of a reduction": (
        "total = Sum(x[n, c], n); x[n, c] * at(total, c=y[n])",
        "x: Logits[n, c], y: ClassIndex[n]",
    ),
    "gathers at two labels": (
        "x[n, y[n]] * x[n, z[n]] + Sum(x[n, c] ** 2, c)",
        "x: Logits[n, c], y: ClassIndex[n], z: ClassIndex[n]",
    ),
    "another value at the label": (
        "top = exp(x[n, y[n]] / 2); Sum(where(c == y[n], w[n] * top, x[n, c]) ** 3, c)",
        "x: Logits[n, c], y: ClassIndex[n], w: Weight[n]",
    ),
    "another value at the label of each position": (
        "top = x[n, y[n, s], s] ** 2; logsumexp(where(c == y[n, s], top, x[n, c, s]), c)",
        "x: Logits[n, c, s], y: ClassIndex[n, s]",
    ),
    "a label that is read at under a condition": (
        "top = where(y[n] < 2, x[n, y[n]] ** 2, w[n]); Sum(where(c == y[n], top, x[n, c]) ** 3, c)",
        "x: Logits[n, c], y: ClassIndex[n], w: Weight[n]",
    ),
    "a gather per position": (
        "x[n, y[n, s], s] * w[y[n, s]]",
        "x: Logits[n, c, s], y: ClassIndex[n, s], w: Weight[c]",
    ),
    "a gather at every label": (
        "Sum(x[n, y[n, k]] * z[n, k], k)",
        "x: Logits[n, c], y: ClassIndex[n, d], z: Real[n, d]",
    ),
    "literals beside letters": ("x[n, 0] * Sum(x[n, k] ** 2, k) + x[n, 3]", "x: Real[n, 4]"),
    "a masked log-sum-exp of pairs": (
        "sim = Sum(at(x[n, d], n=i) * at(y[n, d], n=j), d); logsumexp(sim, j, where=i != j)",
        PAIR,
    ),
    "a masked largest": ("Amin(x[n, d] * y[n, d], d, where=y[n, d] > -1)", PAIR),
    "a norm of a part": ("norm(x[n, d] * Mean(y[n, d], d), d) ** 3", PAIR),
    "a norm over two letters": ("norm(x[n, d] - 1, n, d)", "x: Real[n, d]"),
    "a switch within a switch": (
        "where(given(w), where(p == 2, w[n] * x[n, d] ** 2, w[n] * x[n, d]), x[n, d] ** 3)",
        "x: Real[n, d], w: Weight[n] = None, *, p: Positive = 2.0",
    ),
    "a switch under a condition": (
        "where(x[n, d] > 0, where(full, exp(x[n, d]), x[n, d]), x[n, d] ** 2)",
        "x: Real[n, d], *, full: Flag = False",
    ),
    "an option in a switch and in the formula": (
        "where(p < 1, Abs(x[n, d]) ** p, p * x[n, d] ** 2)",
        "x: Real[n, d], *, p: Positive = 2.0",
    ),
    "a stop within a part": (
        "w = stop_gradient(softmax(x[n, d], d)); Sum(w * x[n, d] ** 2, d)",
        "x: Real[n, d]",
    ),
    "a straight-through part": (
        "h = straight_through(sign(x[n, d]), gradient_of=tanh(x[n, d])); h * y[n, d]",
        PAIR,
    ),
    "a divisor of its own": (
        "averaged(w[n] * Sum(x[n, d] ** 2, d), over=w[n] * Mean(x[n, d], d))",
        "x: Real[n, d], w: Weight[n]",
    ),
}


def test_what_meets_a_label_alone_is_read_there() -> None:
    loss = written(*BEYOND["another value at the label"])
    ops = [x.op for x in loss.backward.program.statements]
    assert "place" in ops
    assert "sum" not in ops
    # Where the forward may have left the label unread, it may lie outside the classes.
    loss = written(*BEYOND["a label that is read at under a condition"])
    assert "sum" in [x.op for x in loss.backward.program.statements]


@pytest.mark.parametrize("name", BEYOND)
def test_beyond_the_catalogue_too(name: str) -> None:
    assert_derivative(written(*BEYOND[name]))


def back(body: str, arguments: str = "x: Real[n, d]") -> list[str]:
    return show(written(body, arguments).backward.program).splitlines()


LABELLED = "x: Logits[n, c], y: ClassIndex[n]"


def test_settings_reach_both_sides_of_every_static_condition() -> None:
    missed = []
    for name in NAMES:
        for loss in formulas(name):
            exprs = [e for x in loss.forward.statements for e in x.expressions()]
            for condition in switches(exprs):
                seen = set()
                for setting in settings(loss.spec):
                    tensors = sample(loss.spec, setting.absent)
                    run = Run(loss.forward, sizes_of(loss.spec), tensors, setting.options)
                    seen.add(bool(run.value(condition, (), {})))
                if seen != {True, False}:
                    missed.append((name, condition))
    assert missed == []


def test_a_contraction_has_two_contractions_for_its_backward() -> None:
    assert back("Sum(at(x[n, d], n=i) * at(y[n, d], n=j), d)", PAIR) == [
        "d_x[n, d] = sum_{j} (grad_loss[n, j]*y[j, d])",
        "d_y[n, d] = sum_{i} (grad_loss[i, n]*x[i, d])",
    ]


def test_a_read_of_the_diagonal_gives_the_diagonal() -> None:
    body = "sim = Sum(at(x[n, d], n=i) * at(y[n, d], n=j), d); Sum(sim, j) - at(sim, j=i)"
    assert "d_sim[i, j] = grad_loss[i] - where(i == j, grad_loss[i], 0)" in back(body, PAIR)


def test_a_gather_gives_a_scatter() -> None:
    assert back("x[n, y[n]]", LABELLED) == ["d_x[n, c] = grad_loss[n] at [n, y[n]]"]


def test_a_scatter_adds_to_what_else_the_input_gets() -> None:
    (*_, last) = back("logsumexp(x[n, c], c) - 2 * sin(x[n, y[n]])", LABELLED)
    assert last.startswith("d_x[n, c] = grad_loss[n]*softmax_x[n, c] + ")
    assert last.endswith(" at [n, y[n]]")


def test_a_log_sum_exp_less_what_is_read_at_a_label_is_one_operation() -> None:
    (*_, last) = back("logsumexp(x[n, c], c) - x[n, y[n]]", LABELLED)
    assert last == (
        "d_x[n, c] = grad_loss[n]*softmax_x[n, c], but expm1(-nll[n])*grad_loss[n] at [n, y[n]]"
    )


def test_at_a_label_softmax_minus_one_does_not_cancel() -> None:
    (*_, last) = back("-at(log_softmax(x[n, c], c), c=y[n])", LABELLED)
    assert last == (
        "d_x[n, c] = grad_loss[n]*softmax_x[n, c], but expm1(-nll[n])*grad_loss[n] at [n, y[n]]"
    )


def test_a_shift_gives_a_pad() -> None:
    made = written("Mean((x[n, h + 1] - x[n, h]) ** 2, h)", "x: Real[n, h]").backward.program
    pads = [r for r in walk(made.statement("d_x").body) if isinstance(r, Padded)]
    assert sorted(str(p.subscripts[1]) for p in pads) == ["h", "h - 1"]


def test_a_literal_gives_a_stack_with_zeros_where_nothing_was_read() -> None:
    assert back("x[n, 0] * x[n, 2]", "x: Real[n, 4]") == [
        "d_x[n, 4] = stack(grad_loss[n]*x[n, 2], 0, grad_loss[n]*x[n, 0], 0)"
    ]


def test_a_letter_that_a_read_misses_is_summed() -> None:
    made = back("x[n, d] * w[d]", "x: Real[n, d], w: Weight[d]")
    assert "d_w[d] = sum_{n} (grad_loss[n, d]*x[n, d])" in made


REDUCTIONS = {
    "Sum(x[n, d], d)": ["d_x[n, d] = grad_loss[n]"],
    "Mean(x[n, d], d)": ["d_x[n, d] = grad_loss[n]/size(d)"],
    "Sum(x[n, d], d, where=x[n, d] > 0)": ["d_x[n, d] = where(x[n, d] > 0, grad_loss[n], 0)"],
    "logsumexp(x[n, d], d)": [
        "softmax_loss[n, d] = softmax_{d} x[n, d]",
        "d_x[n, d] = grad_loss[n]*softmax_loss[n, d]",
    ],
    "norm(x[n, d], d)": ["d_x[n, d] = ratio(x[n, d], loss[n])*grad_loss[n]"],
    "Amax(x[n, d], d)": [
        "ties_loss[n] = count_{d} x[n, d] == loss[n]",
        "d_x[n, d] = where(x[n, d] == loss[n], grad_loss[n]/ties_loss[n], 0)",
    ],
    "softmax(x[n, d], d)": ["d_x[n, d] = balance_{d} (grad_loss[n, d]*loss[n, d]) by loss[n, d]"],
    "log_softmax(x[n, d], d)": [
        "softmax_loss[n, d] = softmax_{d} x[n, d]",
        "d_x[n, d] = balance_{d} grad_loss[n, d] by softmax_loss[n, d]",
    ],
}


def test_a_softmax_and_its_logarithm_are_balanced_together() -> None:
    *_, last = back("p = softmax(x[n, d], d); Sum(p * log_softmax(x[n, d], d), d)", "x: Real[n, d]")
    assert last.count("balance") == 1
    assert "d_p[n, d]*p[n, d]" in last
    assert "d_log_softmax_x[n, d]" in last


@pytest.mark.parametrize("body", REDUCTIONS)
def test_the_adjoint_of_a_reduction(body: str) -> None:
    assert back(body) == REDUCTIONS[body]


def test_a_count_carries_no_gradient() -> None:
    assert back("Count(x[n, d] > 0, d) * Sum(x[n, d], d)") == [
        "d_sum_x[n] = count_x[n]*grad_loss[n]",
        "d_x[n, d] = d_sum_x[n]",
    ]


def test_an_adjoint_constant_along_a_letter_counts_its_positions() -> None:
    made = back("Sum(log_softmax(x[n, d], d), d)")
    assert any("size(d)" in line for line in made)


def test_what_the_forward_named_is_read_by_that_name() -> None:
    # The slope of an exponential is the exponential: the forward's own value, not a second one.
    assert back("bright = exp(x[n, d]); Sum(bright ** 2, d)") == [
        "d_bright[n, d] = 2*grad_loss[n]*bright[n, d]",
        "d_x[n, d] = bright[n, d]*d_bright[n, d]",
    ]


def test_equal_adjoints_are_computed_once() -> None:
    made = written("top = Amax(x[n, d], d); Sum(x[n, d], d) * top + top").backward.program
    assert [x.name for x in made.statements].count("ties_top") == 1
    assert len({(x.op, x.body, x.free) for x in made.statements}) == len(made.statements)


def test_an_option_that_is_off_leaves_no_term() -> None:
    made = back("where(full, x[n, d] ** 2, x[n, d])", "x: Real[n, d], *, full: Flag = False")
    assert made == ["d_x[n, d] = where(full, 2*grad_loss[n, d]*x[n, d], grad_loss[n, d])"]


def test_what_a_stop_leaves_out_is_no_gradient() -> None:
    loss = written("stop_gradient(x[n, d]) * y[n, d]", PAIR)
    assert loss.backward.gradients == ("y",)


def test_integer_inputs_have_no_gradient() -> None:
    assert written("x[n, y[n]]", LABELLED).backward.gradients == ("x",)


def test_what_alone_reaches_a_part_has_its_adjoints_name() -> None:
    loss = written(
        "logit = 2 * (x[n, d] - m[d]); logsumexp(logit, d) - at(logit, d=label[n])",
        "x: Logits[n, d], label: ClassIndex[n], m: Real[d]",
    )
    made = [x.name for x in loss.backward.program.statements]
    assert "d_logit" in made
    assert not any(name.startswith("d_logit_") for name in made)


def test_what_the_mean_divides_by_has_a_gradient_of_its_own() -> None:
    loss = written("averaged(w[n] * Sum(x[n, d], d), over=w[n])", "x: Real[n, d], w: Weight[n]")
    assert loss.backward.seeds == ("loss", "divisor")
    assert "grad_divisor" in show(loss.backward.program)


BRANCHING = """
a = exp(x[n, d]); b = log_sigmoid(x[n, d]) ** 2; mixed = a * b * sigmoid(x[n, d])
where(p > 0, mixed, a)
"""


def test_what_is_kept_is_there_where_the_backward_reads_it() -> None:
    loss = written(BRANCHING.strip().replace("\n", "; "), "x: Real[n, d], *, p: Real = 1.0")
    guards = {x.name: x.guard for x in loss.backward.recorded.statements}
    (condition,) = switches(loss.forward.statements[-1].expressions())
    assert condition_of(guards["b"]) == condition
    assert "b" in loss.backward.saved


def test_nothing_is_kept_under_a_condition_that_options_must_bring_about() -> None:
    loss = written(BRANCHING.strip().replace("\n", "; "), "x: Real[n, d], *, p: Real = -1.0")
    assert "b" not in loss.backward.saved


def test_a_part_that_the_backward_computes_again_is_kept_under_a_name() -> None:
    loss = written(
        "Sum(y[n, d] * log_sigmoid(x[n, d]) * exp(x[n, d]) * sigmoid(x[n, d]), d)",
        "x: Real[n, d], y: Real[n, d]",
    )
    assert "log_sigmoid_x" in loss.backward.saved
    assert "log_sigmoid_x" not in {x.name for x in loss.forward.statements}
    recorded = {x.name: x for x in loss.backward.recorded.statements}
    assert "log_sigmoid_x" in {r for x in recorded.values() for r in x.reads()}


def test_the_item_is_kept_where_its_backward_reads_it() -> None:
    loss = written("sqrt((x[n, d] - y[n, d]) ** 2 + c ** 2)", f"{PAIR}, *, c: Positive = 1.0")
    assert loss.backward.saved == ("loss",)


def test_small_values_are_kept_where_autograd_keeps_no_large_one() -> None:
    body = "kept = y[n] != k; label = where(kept, y[n], 0); where(kept, -w[label] * x[n, label], 0)"
    loss = written(body, f"{LABELLED}, w: Weight[d], *, k: Integer = -100")
    assert {*loss.backward.saved} == {"kept", "label"}


def test_results_of_reductions_are_kept_and_elementwise_values_are_computed_again() -> None:
    loss = written("total = Sum(x[n, d] ** 2, d); width = x[n, d] - 1; width ** 2 / total")
    assert loss.backward.saved == ("total",)
    assert "width" in {x.name for x in loss.backward.program.statements}


def test_what_options_choose_is_no_array_of_zeros_elsewhere() -> None:
    names = {x.name for x in compiled("distillation_jsd").backward.program.statements}
    assert {"d_student_scores", "d_teacher_scores"} <= names
    # Neither the sums of choices that a balance reads, nor those that a factor stands beside.
    assert not {"d_log_p", "d_log_q", "d_p", "d_q"} & names


def test_what_is_kept_for_an_infinity_that_cannot_come_is_dropped() -> None:
    """A gap of which the slope is held finite without the number that was kept for it."""
    gap = "log_sigmoid(log_sigmoid(y[e])) - log_sigmoid(Min(y[e], x[e]))"
    backward = written(f"sigmoid(x[e])*({gap})**2", "x: Real[e], y: Real[e]").backward
    read = {a.name for a in backward.program.inputs}
    assert {*backward.saved} <= read


@pytest.mark.parametrize(
    ("body", "again"),
    [
        ("Amax(x[n, d] - y[n, d] + 1, d)", False),
        ("Amin(x[n, d]*y[n, d], d)", False),
        ("Amax(x[n, d]*y[n, d] + x[n, d], d)", True),
        ("m = x[n, d]*y[n, d] + y[n, d]; Amax(m + x[n, d], d)", True),
        ("Amax(where(x[n, d]*y[n, d] + x[n, d] > 0, x[n, d], y[n, d]), d)", True),
    ],
)
def test_a_largest_is_found_anew_where_another_way_would_round_otherwise(
    body: str, again: bool
) -> None:
    statements = written(body, PAIR).backward.program.statements
    assert any(x.name.startswith("top_") for x in statements) is again
