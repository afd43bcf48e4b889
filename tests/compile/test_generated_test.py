"""The test that is generated beside a loss holds for the compile backend, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import generated_modules

NAMES = generated_modules.names()
# Dynamo traces, and the graphs run as they are: this spares the C++.
AS_GRAPHS = """
import functools, torch
torch.compile = functools.partial(torch.compile, backend="eager")
"""


def run(*words: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(name: str, folder: Path, conftest: str) -> None:
    run("lossgen", "new", name, "--backend", "compile", "--no-verify", folder=folder)
    assert "torch.compile(" in (folder / "generated" / f"{name}.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    assert " passed" in run("pytest", "-q", "generated/tests", folder=folder)


@pytest.mark.parametrize("name", ["dice", pytest.param("l1", marks=pytest.mark.slow)])
def test_as_graphs(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, AS_GRAPHS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_as_native_code(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, "")
