"""The mutants with which the generated tests are measured."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from mutate import mutated, mutations  # noqa: E402

CODE = '''"""A docstring with 1 + 2."""
def loss(input, target, alpha, beta):
    """And another: a - b."""
    if alpha > 0:
        raise ValueError(f"alpha - beta is {alpha - beta}")
    prob = input.exp() / input.exp().sum(-1)
    return scaled(alpha, beta) * (prob - target).square().mean((0, 2)) - 0.5
'''


def test_every_kind_is_made() -> None:
    kinds = {mutation.kind for mutation in mutations(ast.parse(CODE))}
    assert kinds >= {
        "flipped sign",
        "changed constant",
        "dropped term",
        "dropped factor",
        "swapped terms",
        "wrong axis",
        "wrong denominator",
        "wrong reduction",
        "swapped parameters",
        "detached term",
        "changed comparison",
    }


def test_every_mutant_is_another_program() -> None:
    tree = ast.parse(CODE)
    texts = []
    for mutation in mutations(tree):
        mutant, change = mutated(tree, mutation)
        compile(mutant, "mutant.py", "exec")
        texts.append(ast.unparse(mutant))
        before, _, after = change.partition(" -> ")
        assert before != after
    assert ast.unparse(tree) not in texts
    assert len(set(texts)) > 15


@pytest.mark.parametrize(
    "kept", ["A docstring with 1 + 2.", "And another: a - b.", "alpha - beta is"]
)
def test_words_are_left_alone(kept: str) -> None:
    tree = ast.parse(CODE)
    assert all(kept in ast.unparse(mutated(tree, m)[0]) for m in mutations(tree))


@pytest.mark.parametrize(
    ("term", "made"),
    [
        ("x.exp()", True),
        ("x * 2.0", True),
        ("torch.where(x > 0, x.exp(), 0)", True),
        ("(x > 0).to(x.dtype)", False),
        ("(x > 0).to(x.dtype) / 2", False),
        ("torch.where(x > 0, -1, torch.where(x == 0, x.new_tensor(0.5), 0))", False),
        ("x.exp().detach()", False),
        ("x.shape[0] / 2", False),
    ],
)
def test_only_what_has_a_gradient_is_detached(term: str, made: bool) -> None:
    tree = ast.parse(f"def loss(x, y):\n    return y * ({term})\n")
    changed = [
        ast.unparse(mutated(tree, m)[0]) for m in mutations(tree) if m.kind == "detached term"
    ]
    after = ast.unparse(ast.parse(f"def loss(x, y):\n    return y * ({term}).detach()\n"))
    assert (after in changed) is made


def test_nothing_is_detached_in_a_comparison() -> None:
    tree = ast.parse("def loss(x, y):\n    return torch.where(x.exp() + y.exp() > 0, x * 2.0, y)\n")
    changed = [mutated(tree, m)[1] for m in mutations(tree) if m.kind == "detached term"]
    assert changed == []
