"""The three ways to extend LossGen, each done in a folder of its own.

A loss is one file, a stability rule one row, a backend one printer and one template.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossgen
from lossgen.library import Library
from lossgen.pipeline import render_losses
from lossgen.render import environment
from tests.compiler.catalogue import SPECS, compiled, sample, settings, sizes_of
from tests.compiler.interpret import Run
from tests.compiler.numpy_backend import TEMPLATE, NumPyBackend

LOSS = '''\
from lossgen.language import NonNegative, Positive, Real, e, exp, loss, sqrt


@loss(family="robust")
def soft_welsch(input: Real[e], target: Real[e], *, scale: Positive = 2.0, eps: NonNegative = 0.1):
    """A bounded error: one minus a Gaussian of the difference."""
    error = (input[e] - target[e]) / scale
    return 1 - exp(-(error**2)) + eps * sqrt(1 + error**2)
'''


def test_a_loss_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "soft_welsch.py").write_text(LOSS, encoding="utf-8")
    library = Library([tmp_path])
    assert "soft_welsch" in library.names()
    (done,) = render_losses([library.load("soft_welsch")])
    namespace: dict[str, Any] = {"__name__": "soft_welsch"}
    exec(compile(done.module, "soft_welsch.py", "exec"), namespace)
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 4, dtype=torch.float64)
    x.requires_grad_()
    difference = (x - y) / 2.0
    expected = (1 - torch.exp(-(difference**2)) + 0.1 * (1 + difference**2).sqrt()).mean()
    found = namespace["SoftWelschLoss"]()(x, y)
    torch.testing.assert_close(found, expected)
    (slope,) = torch.autograd.grad(expected, x)
    torch.testing.assert_close(torch.autograd.grad(found, x), (slope,))
    assert "def test_" in done.test


ROW = """    Rule("cos(-x)", "cos(x)", "every x", nd.Cos, _even),
"""
REWRITE = """

def _even(cos: sp.Expr, known: Known) -> sp.Expr | None:
    number, rest = cos.arg.as_coeff_Mul()
    return nd.Cos(-number * rest) if number < 0 else None


FUNCTIONS: tuple[Rule, ...] = ("""
ASK = """
from lossgen.compiled import compile_loss
from lossgen.program import show
from lossgen.spec import read_spec

text = '''from lossgen.language import *

@loss()
def flat(input: Real[e]):
    \"\"\"A loss.\"\"\"
    return cos(-input[e])
'''
print(show(compile_loss(read_spec(text, "flat", "specs/flat.py")).forward))
"""


def test_a_stability_rule_is_one_row(tmp_path: Path) -> None:
    package = tmp_path / "lossgen"
    ignored = shutil.ignore_patterns("__pycache__", "_data")
    shutil.copytree(Path(lossgen.__file__).parent, package, ignore=ignored)
    opening = "\n\nFUNCTIONS: tuple[Rule, ...] = ("
    (table,) = (p for p in package.rglob("*.py") if opening in p.read_text(encoding="utf-8"))

    def shown() -> str:
        command = [sys.executable, "-c", ASK]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert shown() == "loss[e] = cos(-input[e])"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(opening, f"{REWRITE}\n{ROW}", 1), encoding="utf-8")
    assert shown() == "loss[e] = cos(input[e])"


BACKED = [
    "dice", "cross_entropy", "info_nce", "total_variation", "triplet_margin", "giou", "supcon",
    "multilabel_margin", "gaussian_nll", "grpo", "barlow_twins", "focal_tversky",
]  # fmt: skip


@pytest.mark.parametrize("name", BACKED)
def test_a_backend_is_one_printer_and_one_template(name: str, tmp_path: Path) -> None:
    (tmp_path / "numpy.py.jinja").write_text(TEMPLATE, encoding="utf-8")
    loss = compiled(name)
    arguments = [t.name for t in loss.spec.tensors] + [p.name for p in loss.spec.parameters]
    text = (
        environment([tmp_path])
        .get_template("numpy.py.jinja")
        .render(
            name=name,
            arguments=", ".join(arguments),
            lines=NumPyBackend(loss.forward).lines(),
            result=loss.forward.results[0],
        )
    )
    namespace: dict[str, Any] = {}
    exec(compile(text, f"{name}.py", "exec"), namespace)
    for number, setting in enumerate(settings(loss.spec, 4)):
        tensors = sample(loss.spec, setting.absent, seed=number)
        expected = Run(loss.forward, sizes_of(loss.spec), tensors, setting.options)
        with np.errstate(all="ignore"):
            called = {**dict.fromkeys(setting.absent), **tensors, **setting.options}
            found = namespace[name](**called)
        np.testing.assert_allclose(found, expected[loss.forward.results[0]], rtol=1e-12)


def test_the_catalogue_is_files_and_nothing_else() -> None:
    """No loss's name stands in the package: none has code of its own there."""
    package = Path(lossgen.__file__).parent
    files = [
        p
        for part in ("backends", "nodes", "stabilize", "lower", "differentiate", "schedule", "keep")
        for p in (*package.glob(f"{part}.py"), *package.glob(f"{part}/**/*.py"))
    ]
    names = {p.stem for p in SPECS.glob("*.py")} - {"log_cosh", "clip", "nll"}  # operations, too
    assert len(files) > 100
    assert {p.name: found for p in files if (found := names & _words(p))} == {}


def _words(path: Path) -> set[str]:
    """Names and words of strings in the code; a docstring may take a loss for an example."""
    words: set[str] = set()
    docs: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() if ast.get_docstring(node):
                docs.add(id(node.body[0].value))  # type: ignore[attr-defined]
            case ast.Constant(value=str(text)) if id(node) not in docs:
                words |= set(re.findall(r"\w+", text))
            case ast.Name(id=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                words.add(name)
    return words
