"""What torch's compiler makes of the functions it is given: how often it goes over the elements."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch._inductor.utils import run_and_get_code

from tests.compile.made import Compiled, text


def code_of(name: str, **options: Any) -> str:
    """The loops of value and gradient with respect to the first input."""
    loss = Compiled(name, optional=False)
    first, *others = loss.drawn.leaves().values()

    def step() -> None:
        torch.autograd.grad(loss.functional(first, *(x.detach() for x in others), **options), first)

    _, found = run_and_get_code(step)
    return "\n".join(found)


@pytest.mark.parametrize("name", ["sigmoid_focal", "binary_cross_entropy_with_logits"])
def test_value_and_gradient_share_a_loop(name: str) -> None:
    """And in it both signs of the score share one exponential and one logarithm."""
    code = code_of(name)
    assert len(re.findall(r"for\(int64_t \w+=static_cast<int64_t>\(0L\)", code)) == 1
    # Once for whole registers, once for what is left of the elements.
    assert 1 <= code.count(".exp()") <= 2
    assert code.count(".log1p()") == code.count(".exp()")


def test_pairs_fill_registers() -> None:
    """No loop over all pairs takes them one by one."""
    code = code_of("info_nce")
    assert "for(int64_t" in code
    assert "uint16" not in code


def test_likelihood_and_softmax_share_their_total() -> None:
    """The gradients are given the total that the value was made of."""
    module = text("cross_entropy")
    assert module.count("total_input = torch.exp(") == 2  # class labels, and probabilities
    assert "_fused_nll(input, label, top_input, total_input, 1)" in module
    assert "_fused_share(input, top_input[:, None], total_input[:, None])" in module


def test_rows_and_columns_have_totals_of_their_own() -> None:
    loss = Compiled("clip")
    leaves = loss.drawn.leaves()
    expected = loss.drawn.functional(**leaves)
    torch.testing.assert_close(loss.functional(**leaves), expected)
    assert {"top_sim", "top_sim_along0"} <= set(re.findall(r"\b(top_\w+) = ", text("clip")))


def test_softmax_and_its_logarithm_share_their_total() -> None:
    """Each tensor's exponentials are taken once for the total, and once for what does not lead."""
    module = text("distillation_jsd").split("def _distillation_jsd_items(")[1]
    items, rest = module.split("def _distillation_jsd_gradients(")
    assert items.count("torch.exp(") == 4
    assert items.count("_fused_log_share(") == 2
    gradients = rest.split("def _distillation_jsd_together(")[0]
    assert "torch.exp(" not in gradients
    assert "_log_softmax(" not in items + gradients


@pytest.mark.parametrize("name", ["multi_margin", "multilabel_margin"])
def test_scores_at_labels_are_read_once(name: str) -> None:
    """And not in each loop over more than the labels, where indices are kept within the axis."""
    body = text(name).split(f"def _{name}_items(")[1].split(f"def _{name}_together(")[0]
    assert body.count("_at(input") == 1
    assert "input_at = _written(_at(input" in body


def test_largest_of_a_number_is_one_instruction() -> None:
    """A threshold is a comparison and a choice, which take longer than all the rest."""
    assert "F.threshold(" not in text("gaussian_nll").split("def _gaussian_nll_items(")[1]


def test_small_values_are_not_made_anew_for_each_element() -> None:
    """A class's quotients stand outside the loop over its elements, which divides once."""
    loops = [x.split(".store(")[0] for x in code_of("dice").split("for(int64_t") if ".store(" in x]
    slopes = [x for x in loops if ".exp()" in x]
    assert [x.count(" / ") for x in slopes] == [1]


def test_few_classes_share_loops() -> None:
    """Value and gradient of two classes go over the positions once each, with two exponentials."""
    loss = Compiled("focal_tversky", optional=False)
    input, target = torch.randn(2, 2, 4096, requires_grad=True), torch.rand(2, 2, 4096)

    def step() -> None:
        torch.autograd.grad(loss.functional(input, target), input)

    _, found = run_and_get_code(step)
    code = "\n".join(found)
    assert len(re.findall(r"<static_cast<int64_t>\(4096L\); x\d\+=", code)) == 2
    assert code.count(".exp()") == 4
