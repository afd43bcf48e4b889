"""How a formula is stated, and what a generated test stands on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lossgen.formatting import format_sources
from lossgen.oracle import formula
from lossgen.testpage import test_source as source_of_test
from tests.oracle.loading import SPECS, generated_test, shipped, written

ONE = """
@loss(unbatched=True)
def one(input: Logits[n, c, s], target: ClassIndex[n, s], weight: Weight[c] = None, *, power: Positive = 2.0):
    "A gather, a mask and an optional weight."
    kept = target[n, s] != 1
    score = where(kept, weight[target[n, s]] * input[n, target[n, s], s] ** power, 0)
    return averaged(score, over=where(kept, 1, 0))
"""
SHIFTED = """
@loss()
def shifted(input: Real[n, h, w]):
    "Differences run where every subscript is inside."
    down = input[n, h + 1, w] - input[n, h, w]
    right = input[n, h, w + 1] - input[n, h, w]
    return Mean(down**2 + right**2, h, w)
"""


def test_a_gather_is_indexing() -> None:
    body = "\n".join(formula(written(ONE, "one")).body)
    read = "raised(input[n, target[n, s], s], power)"
    assert f"{read}*weight[target[n, s]] if kept(n, s) else 0" in body
    assert "weight = Absent(1)" in body
    assert "return target[n, s] != 1" in body


def test_a_shift_shortens_the_range() -> None:
    body = "\n".join(formula(written(SHIFTED, "shifted")).body)
    assert "for h in range(H - 1) for w in range(W - 1)" in body


def test_an_authors_name_never_hides_a_word() -> None:
    text = '@loss()\ndef named(input: Real[e]):\n    "Doc."\n    log1p = exp(input[e])\n    return log(log1p + 1)\n'
    assert "def the_log1p(e):" in formula(written(text, "named")).body


def test_the_oracle_shares_nothing_with_the_compiler() -> None:
    code = (
        "import sys, lossgen.testpage; print(*[m for m in sys.modules if m.startswith('lossgen')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    compiler = {
        "stabilize",
        "lower",
        "program",
        "differentiate",
        "derivatives",
        "backends",
        "compiled",
    }
    loaded = {module.split(".")[1] for module in done.stdout.split() if "." in module}
    assert "oracle" in loaded
    assert not loaded & compiler


@pytest.mark.parametrize("name", sorted(p.stem for p in SPECS.glob("*.py")))
def test_generated_tests_stand_alone(name: str) -> None:
    source = source_of_test(shipped(name))
    formatted = format_sources({"test.py": source})["test.py"]
    tree = ast.parse(formatted)
    imported = {
        a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    imported |= {
        str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
    }
    others = imported - set(sys.stdlib_module_names)
    assert others <= {"torch", "sympy", "mpmath", "pytest"}
    assert source == source_of_test(shipped(name)), "the same spec gives the same text"


def test_a_wrong_loss_is_refuted(tmp_path: Path) -> None:
    """The same test against another loss: value and backward both fail."""
    test = generated_test(shipped("mse"), tmp_path, "F.l1_loss")
    for claim in (test.test_value, test.test_backward_is_the_derivative):
        with pytest.raises(AssertionError, match="exactly"):
            claim("defaults", "none")
