"""Mutants that no generated test caught once: each kind of fault is caught now.

Every fault of a kind in one function of a generated module is made, and the claim named must refute
it, unless a rule of ``benchmarks/equivalent_mutants.toml`` shows it to be equivalent.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lossgen.pipeline import module_source
from tests.oracle.loading import ROOT, generated_test, shipped, written

sys.path.insert(0, str(ROOT / "benchmarks"))

from judge import rules, verdict
from mutants import calls
from mutate import Mutation, mutated, mutations, site


def refuted(test: ModuleType, mutant: ast.Module, claim: str) -> bool:
    """Whether a claim, or one of several, fails on a mutant."""
    exec(compile(mutant, "mutant.py", "exec"), test.LOSS.__dict__)
    for variable in ("plain_function", "functional", "Class"):
        setattr(test, variable, getattr(test.LOSS, getattr(test, variable).__name__))
    for function in (getattr(test, name) for name in claim.split(" or ")):
        for arguments in calls(function):
            try:
                function(**arguments)
            except (Exception, pytest.fail.Exception):
                return True
    return False


# spec, kind of fault, function it is in, claim that refutes it (or one of several)
CAUGHT = [
    # Directions in arithmetic progression cancelled in a second difference of inputs.
    ("dpo", "detached term", "_DPO.backward", "test_second_derivative"),
    # A branch on an option, and the second derivative at a kink and in saturation.
    ("barron", "detached term", "_Barron.backward", "test_second_derivative"),
    # A hinge in few samples: too few to be on each of its sides.
    ("cosine_embedding", "wrong denominator", "backward", "test_backward_is_the_derivative"),
    # A class that is nowhere, beside two that tie.
    ("generalized_dice", "wrong denominator", "backward", "test_backward_is_the_derivative"),
    ("generalized_dice", "dropped term", "backward", "test_backward_is_the_derivative"),
    # A row with several positives.
    ("supcon", "wrong denominator", "supcon", "test_plain_function"),
    # A number in place of a tensor, and the number 0 where it is refused.
    ("gaussian_nll", "changed comparison", "gaussian_nll", "test_number_or_missing_dimension"),
    # Vectors so long, and so short, that their squares are out of range.
    ("clip", "wrong denominator", "_norm", "test_single_precision or test_plain_function"),
    ("clip", "dropped factor", "_norm", "test_single_precision or test_plain_function"),
    ("clip", "changed constant", "_norm", "test_single_precision or test_plain_function"),
    # A probability just beyond the threshold at which the slope is held. Two constants are for
    # second derivatives alone: that of a term which is 0 but for its slope, in the gradient of the
    # weight, and the bound of a logarithm at a probability of 1, which no weighted sample draws
    # beside a target below 1.
    (
        "binary_cross_entropy",
        "changed constant",
        ".backward",
        "test_backward_is_the_derivative or test_second_derivative",
    ),
    # One class that leads, and what the other classes have is all that counts.
    ("cross_entropy", "negated condition", "_log_softmax", "test_single_precision"),
    # An option of 1 beside a number that is lost in the sum, under a logarithm.
    ("poisson_nll", "dropped term", "_log_sum", "test_single_precision or test_value"),
    # So many samples that they are taken in parts.
    ("asymmetric", "wrong denominator", "asymmetric_loss", "test_many_samples"),
    # A power below 1.
    ("sigmoid_focal", "changed comparison", "_power_slope", "test_backward_is_the_derivative"),
]


@pytest.mark.parametrize(("name", "kind", "function", "claim"), CAUGHT)
def test_a_fault_is_caught(tmp_path: Path, name: str, kind: str, function: str, claim: str) -> None:
    source = module_source(shipped(name))
    tree = ast.parse(source)
    faults: list[Mutation] = []
    for mutation in mutations(tree):
        place = site(tree, mutation, name) if mutation.kind == kind else None
        if place and place.function.endswith(function) and verdict(place, rules()) is None:
            faults.append(mutation)
    assert faults
    test = generated_test(shipped(name), tmp_path, module=source)
    assert not refuted(test, tree, claim), "the module as it is holds"
    for mutation in faults:
        mutant, change = mutated(tree, mutation)
        assert refuted(test, mutant, claim), change


def test_a_placeholder_for_ignored_labels_is_a_class_that_exists(tmp_path: Path) -> None:
    """With a single class there is no class 1, in the plain function, the forward or the backward."""
    source = module_source(shipped("nll"))
    read = "torch.where(kept, target, 0)"
    test = generated_test(shipped("nll"), tmp_path, module=source)
    claim = "test_one_class_and_labels_that_are_ignored"
    assert not refuted(test, ast.parse(source), claim), "the module as it is holds"
    first, *parts = source.split(read)
    count = len(parts)
    assert count
    for k in range(count):
        labels = [f"torch.where(kept, target, {int(k == place)})" for place in range(count)]
        mutant = first + "".join(map("".join, zip(labels, parts, strict=True)))
        assert refuted(test, ast.parse(mutant), claim), labels


@pytest.mark.parametrize(
    "item", ["xlogy(target[n, c], input[n, c])", "xlogy(input[n, c], input[n, c])"]
)
def test_the_slope_of_xlogy_at_zero(tmp_path: Path, item: str) -> None:
    """0 where both are 0, also by autograd and in forward mode, where torch's is NaN."""
    spec = written(
        f"@loss()\ndef mixed(input: Probabilities[n, c], target: Probabilities[n, c]):\n"
        f'    "Doc."\n    return Sum({item} + target[n, c], c)\n',
        "mixed",
    )
    test = generated_test(spec, tmp_path, module=module_source(spec))
    for case in test.CASES.values():
        zero = {k: x == 0 for k, x in test.solved(case).tensors.items()}
        if case.manner == "extreme":
            assert (zero["input"] & zero["target"]).any()
    for claim in ("test_plain_function", "test_backward_is_the_derivative", "test_forward_mode"):
        for arguments in calls(getattr(test, claim)):
            getattr(test, claim)(**arguments)
