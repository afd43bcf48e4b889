"""The generated test of a loss, run on its module with a kernel: the kernel against 50 digits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lossgen.pipeline import proof_source, source
from lossgen.spec import load_spec
from tests.machinery.sampling import SPECS
from tests.native.kernels import WITH

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
SHARE = ("dice",)
SOME = [pytest.param(name, marks=[] if name in SHARE else [pytest.mark.slow]) for name in WITH]


@pytest.mark.parametrize("name", SOME)
def test_it_passes(name: str, tmp_path: Path) -> None:
    spec = load_spec(SPECS / f"{name}.py")
    made = source(spec, (), "c")
    assert made.kernels is not None
    (tmp_path / f"{name}.py").write_text(made.module, encoding="utf-8")
    (tmp_path / f"{name}.c").write_text(made.kernels, encoding="utf-8")
    test = tmp_path / "tests" / f"test_{name}.py"
    test.parent.mkdir()
    test.write_text(proof_source(spec), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
