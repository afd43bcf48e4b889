"""The compile backend gives what the eager backend gives: values, gradients, options."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import render_losses
from lossgen.spec import load_spec
from tests import generated_modules
from tests.compile.made import Compiled, fresh
from tests.machinery.importing import imported
from tests.machinery.sampling import gradients

NAMES = generated_modules.names()
# One of a kind each: classes, sums over space, broadcast inputs, matrix products, labels, shifts.
VARIED = ("cross_entropy", "dice", "gaussian_nll", "info_nce", "multi_margin", "total_variation")
REDUCTIONS = ("mean", "sum", "none")
NAMED = '''from lossgen.language import *


@loss(reference="none", family="test")
def named(input: Logits[n, c], target: Probabilities[n, c], *, {option}: Positive = 2.0):
    """A loss of a softmax, with names that get in its way."""
    prob = softmax(input[n, c], c)
    {value} = Sum(target[n, c] * input[n, c], c)
    return {value} + {option} * Sum(prob * target[n, c], c)
'''
ABSENT = '''from lossgen.language import *


@loss(reference="none", family="test")
def absent(
    input: Logits[n, c],
    target: ClassIndex[n],
    teacher: Logits[n, c] = None,
    weight: Weight[c] = None,
):
    """A loss of labels, with weights and a teacher that may be missing."""
    gap = Max(0, 1 + input[n, c] - input[n, target[n]])
    log_p, log_q = log_softmax(input[n, c], c), log_softmax(teacher[n, c], c)
    excess = where(given(teacher), softmax(teacher[n, c], c) * (log_q - log_p), 0)
    return Sum(weight[target[n]] * gap + excess, c)
'''


def check(loss: Compiled, reduction: str, upstream: float = 1.0, **options: Any) -> None:
    """Value and all gradients of both backends, close to rounding in double precision."""
    drawn, results = loss.drawn, []
    for function in (loss.functional, drawn.functional):
        leaves = drawn.leaves()
        value = function(**leaves, reduction=reduction, **options)
        incoming = torch.full_like(value, upstream)
        results.append((value, gradients(value, [leaves[x] for x in drawn.floats], incoming)))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", VARIED)
def test_graph(name: str, graphs: list[Any]) -> None:
    """One graph, whatever is asked for."""
    for optional in (True, False):
        loss = Compiled(name, optional)
        for reduction in REDUCTIONS:
            check(loss, reduction, 0.5)
        loss.check_compiled()
    assert graphs


@pytest.mark.slow
@pytest.mark.parametrize("name", [x for x in NAMES if x not in VARIED])
def test_graph_of_the_rest(name: str, graphs: list[Any]) -> None:
    test_graph(name, graphs)


@pytest.mark.parametrize(
    ("name", "reduction"), [("dice", "mean"), ("cross_entropy", "mean"), ("gaussian_nll", "none")]
)
def test_native_code(name: str, reduction: str) -> None:
    loss = Compiled(name)
    check(loss, reduction)
    loss.check_compiled()


@pytest.mark.slow
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_native_code_of_all(name: str, reduction: str) -> None:
    test_native_code(name, reduction)


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("name", ["focal_tversky", "generalized_dice"])
def test_few_and_many_classes(name: str, classes: int, graphs: list[Any]) -> None:
    """Few are computed one by one."""
    loss, results = Compiled(name), []
    shape = (3, classes, 4, 2)
    scores, target = torch.randn(shape, dtype=torch.double), torch.rand(shape, dtype=torch.double)
    for function in (loss.functional, loss.drawn.functional):
        leaves = [8 * scores.detach().requires_grad_(), target.detach().requires_grad_()]
        value = function(*leaves)
        results.append((value, gradients(value, leaves, torch.ones_like(value))))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-13)
    loss.check_compiled()


@pytest.mark.parametrize(
    "scale", [0.0, 1e-42, 1e-30, 1e-15, 1.0, 1e15, 1e30, 2e37, math.inf, math.nan]
)
def test_lengths_of_all_sizes(scale: float) -> None:
    """Squares in three scales: one of them is in range."""
    norm = vars(fresh("triplet_margin"))["_fused_norm"]
    row = torch.tensor([[3.0, -4.0, 12.0], [1.0, 2.0, 2.0]]) * scale
    expected = torch.tensor([math.hypot(*x) for x in row.tolist()])
    torch.testing.assert_close(norm(row, -1), expected, rtol=2e-7, atol=0.0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype: torch.dtype, graphs: list[Any]) -> None:
    """Half precision is read and written, and computed in single."""
    loss = Compiled("dice")
    tensors = {k: x.to(dtype) for k, x in loss.drawn.tensors.items()}
    results = []
    for function in (loss.functional, loss.drawn.functional):
        leaves = {k: x.clone().requires_grad_() for k, x in tensors.items()}
        value = function(**leaves)
        results.append((value, torch.autograd.grad(value, list(leaves.values()))))
    torch.testing.assert_close(*results)
    loss.check_compiled()


def test_autocast(graphs: list[Any]) -> None:
    """Inside autocast a matrix product is not rounded, and the result is single precision."""
    loss = Compiled("info_nce")
    tensors = {k: x.float() for k, x in loss.drawn.tensors.items()}
    plain = loss.functional(**tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss.functional(**{k: x.bfloat16() for k, x in tensors.items()})
        exact = loss.functional(**tensors)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(exact, plain)
    torch.testing.assert_close(inside, plain, rtol=1e-2, atol=1e-2)


def test_options(graphs: list[Any]) -> None:
    """Each setting has its own graph, the same numbers, and none is compiled for ever."""
    loss = Compiled("cross_entropy")
    for smoothing in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        for ignored in (-100, 1, 2):
            check(loss, "mean", label_smoothing=smoothing, ignore_index=ignored)
    loss.check_compiled()
    assert len(graphs) < 10


def test_sizes_may_vary(graphs: list[Any]) -> None:
    loss = Compiled("dice")
    for rows in range(2, 12):
        x = torch.randn(rows, 3, 5, 5, dtype=torch.float64, requires_grad=True)
        y = torch.rand(rows, 3, 5, 5, dtype=torch.float64)
        ours, theirs = loss.functional(x, y), loss.drawn.functional(x, y)
        torch.testing.assert_close(
            (ours, *torch.autograd.grad(ours, x)), (theirs, *torch.autograd.grad(theirs, x))
        )
    loss.check_compiled()
    assert len(graphs) == 2


def test_only_what_is_asked_for(graphs: list[Any]) -> None:
    """A target that needs no gradient costs nothing."""
    loss = Compiled("dice")
    x, y = loss.drawn.tensors["input"], loss.drawn.tensors["target"]
    loss.functional(x.clone().requires_grad_(), y).backward()
    (graph,) = graphs
    (outputs,) = next(node for node in graph.graph.nodes if node.op == "output").args
    assert len(outputs) == 2


def test_unbatched(graphs: list[Any]) -> None:
    loss = Compiled("cross_entropy")
    x = torch.randn(5, dtype=torch.float64)
    label = torch.tensor(2)
    for reduction in REDUCTIONS:
        results: list[tuple[Tensor, Tensor]] = []
        for function in (loss.functional, loss.drawn.functional):
            leaf = x.clone().requires_grad_()
            value = function(leaf, label, reduction=reduction)
            results.append((value, *torch.autograd.grad(value, leaf)))
        torch.testing.assert_close(*results)
    loss.check_compiled()


@pytest.mark.parametrize(
    ("value", "option"), [("top_input", "share"), ("total_input", "share"), ("hit", "total_input")]
)
def test_names_that_a_spec_has_are_its_own(
    value: str, option: str, tmp_path: Path, graphs: list[Any]
) -> None:
    """A value or an option may be called what a softmax's largest score and total would be."""
    path = tmp_path / "named.py"
    path.write_text(NAMED.format(value=value, option=option), encoding="utf-8")
    spec = load_spec(path)
    found = []
    for backend in ("compile", "eager"):
        (made,) = render_losses([spec], backends={"named": backend})
        module = tmp_path / f"named_{backend}.py"
        module.write_text(made.module, encoding="utf-8")
        loss = imported(f"named_{backend}", module).named_loss
        torch.manual_seed(0)
        x, t = (torch.rand(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
        result = loss(x, t)
        found.append((result, *torch.autograd.grad(result, (x, t))))
    assert graphs
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_what_is_absent_is_not_read(tmp_path: Path) -> None:
    """Small values are made before the branches that read them, unless a tensor may be missing."""
    path = tmp_path / "absent.py"
    path.write_text(ABSENT, encoding="utf-8")
    modules = []
    for backend in ("compile", "eager"):
        (made,) = render_losses([load_spec(path)], backends={"absent": backend})
        module = tmp_path / f"absent_{backend}.py"
        module.write_text(made.module, encoding="utf-8")
        modules.append(imported(f"absent_{backend}", module))
    ours, eager = modules
    x, q = torch.randn(2, 3, 4, dtype=torch.float64)
    label, w = torch.tensor([0, 3, 1]), torch.rand(4, dtype=torch.float64)
    for teacher, weight in ((None, None), (q, None), (None, w), (q, w)):
        # The function as it is, uncompiled.
        options = (None, None, (False,) * 4, "mean", x.dtype)
        *_, found = ours._absent_together(*options, x, label, teacher, weight)
        expected = eager.absent_loss(x, label, teacher=teacher, weight=weight)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
