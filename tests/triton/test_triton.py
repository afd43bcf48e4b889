"""The Triton backend: what it writes, that it compiles, and when it falls back.

What the kernels compute is tried in ``running``, in a process of its own: Triton decides when
it is imported whether it interprets.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lossgen.config import Project
from lossgen.pipeline import proof_source, source
from lossgen.produce import orphans, produce, write
from lossgen.spec import load_spec
from tests.machinery.sampling import SPECS, sample
from tests.native.kernels import NAMES
from tests.oracle.loading import written
from tests.triton import compiling
from tests.triton.made import (
    HAVE_TRITON,
    WITH,
    WITHOUT,
    fresh,
    functional,
    kernel_file,
    load,
    without_kernels,
)
from tests.triton.stated import NAMES as FUNCTIONS
from tests.triton.stated import stated

ROOT = Path(__file__).resolve().parents[2]
with_triton = pytest.mark.skipif(not HAVE_TRITON, reason="Triton is not installed")
_NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
where = pytest.mark.parametrize("gpu", [False, pytest.param(True, marks=_NO_GPU)])
SHARE = ("cross_entropy", "dice")
COMPILED = [
    pytest.param(name, x, marks=[] if (name in SHARE and x == "float32") else [pytest.mark.slow])
    for name in WITH
    for x in compiling.POINTERS
]


@pytest.mark.parametrize("name", NAMES)
def test_which_losses_have_kernels(name: str) -> None:
    made = source(load_spec(SPECS / f"{name}.py"), (), "triton")
    assert (made.kernels is None) == (name in WITHOUT)
    assert ("no kernel in Triton, because" in made.note) == (name in WITHOUT)


def test_a_function_that_triton_lacks_leaves_a_loss_in_plain_torch() -> None:
    body = "return lgamma(x[e]) - y[e]*log(x[e])"
    text = f'@loss()\ndef gammaish(x: Positive[e], y: Real[e]):\n    "A loss."\n    {body}\n'
    made = source(written(text, "gammaish"), (), "triton")
    assert made.kernels is None
    assert made.note.endswith("because Triton has no function 'digamma': plain torch")


def test_kernels_are_written_beside_the_module(tmp_path: Path) -> None:
    project = Project(
        tmp_path, tmp_path / "specs", tmp_path / "out", tmp_path / "out/tests", "triton"
    )
    project.specs.mkdir()
    shutil.copy(SPECS / "mse.py", project.specs)
    (product,) = produce(project, ["mse"], project.library())
    write(product)
    kernels = tmp_path / "out" / "mse_triton.py"
    assert "lossgen generate mse --backend triton\n" in kernels.read_text(encoding="utf-8")
    (again,) = produce(project, ["mse"], project.library())
    assert [file.status for file in again.files] == ["current"] * 3
    assert orphans(project, ["mse"]) == []
    assert orphans(replace(project, backend="eager"), ["mse"]) == [kernels]


def _run(*words: str, cwd: Path = ROOT, slow: bool = False, gpu: bool = False) -> None:
    """Run pytest under the interpreter, or on a GPU."""
    # NumPy, which the interpreter computes with, warns of infinities.
    quiet = ("-W", "ignore::RuntimeWarning", "-W", "ignore::UserWarning")
    marks = ("-m", "slow") if slow else ()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *quiet, *marks]
    place = {**os.environ, "TRITON_INTERPRET": "0" if gpu else "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *words], cwd=cwd, env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@with_triton
@where
@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_kernels_compute(slow: bool, gpu: bool) -> None:
    _run("tests/triton/running/kernels.py", slow=slow, gpu=gpu)


@with_triton
@where
def test_the_functions_against_mpmath(gpu: bool) -> None:
    _run("tests/triton/running/maths.py", gpu=gpu)


@with_triton
@where
@pytest.mark.slow
@pytest.mark.parametrize("name", WITH)
def test_the_generated_test_passes(name: str, gpu: bool, tmp_path: Path) -> None:
    """The generated test of a loss, run on its kernels: against 50 digits."""
    made = source(load_spec(SPECS / f"{name}.py"), (), "triton")
    assert made.kernels is not None
    (tmp_path / f"{name}.py").write_text(made.module, encoding="utf-8")
    (tmp_path / f"{name}_triton.py").write_text(made.kernels, encoding="utf-8")
    test = tmp_path / "tests" / f"test_{name}.py"
    test.parent.mkdir()
    proof = proof_source(load_spec(SPECS / f"{name}.py"), on_gpu=True)
    test.write_text(proof, encoding="utf-8")
    _run(str(test), cwd=tmp_path, gpu=gpu)


@with_triton
@pytest.mark.parametrize(("name", "dtype"), COMPILED)
def test_every_kernel_compiles(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    found = compiling.kernels(kernel_file(name))
    assert found
    spec = load_spec(SPECS / f"{name}.py")
    for label, kernel in found.items():
        of = spec.floating if spec.floating and "probabilities" in label else spec
        kinds = {t.name: t.role.kind for t in of.tensors}
        for constants in compiling.variants(kernel, dtype):
            assert ".entry" in compiling.ptx(kernel, dtype, kinds, constants)


def test_cpu_tensors_are_computed_in_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    drawn = sample("dice")
    value = functional("dice")(**drawn.leaves())
    assert "InTriton" not in type(value.grad_fn).__name__
    assert load("dice")._why_not() == "the kernels in Triton are for CUDA tensors"
    with without_kernels(load("dice")):
        torch.testing.assert_close(value, functional("dice")(**drawn.leaves()), rtol=0, atol=0)


def test_without_triton_it_is_computed_in_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)  # importing it fails
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # else the CPU would be reason enough
    module = fresh("dice")
    drawn = sample("dice")
    leaves = drawn.leaves()
    value = module.dice_loss(**leaves)
    value.backward()
    assert module._why_not() == "Triton is not installed: pip install triton"
    with without_kernels(module):
        torch.testing.assert_close(value, module.dice_loss(**drawn.leaves()), rtol=0, atol=0)
    assert leaves["input"].grad is not None


def test_an_integer_or_a_complex_dtype_has_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    module = fresh("mse")
    x = torch.ones(3)
    assert not module._on_device(torch.complex64, x)
    assert module._why_not() == "there are no kernels in Triton for torch.complex64 on this device"


RUFF = (
    ("ruff", "check", "--isolated", "--no-cache"),
    ("ruff", "format", "--isolated", "--no-cache", "--check"),
)
MYPY = (("mypy", "--strict", "--config-file", "", "--cache-dir", os.devnull),)


@pytest.mark.parametrize("tools", [RUFF, pytest.param(MYPY, marks=pytest.mark.slow)])
def test_the_files_are_clean(tools: tuple[tuple[str, ...], ...], tmp_path: Path) -> None:
    """Under ruff's own defaults, and as strictly as mypy goes."""
    from lossgen.pipeline import render_losses

    names = ("cross_entropy", "dice", "mse", "triplet_margin")
    specs = [load_spec(SPECS / f"{name}.py") for name in names]
    for made in render_losses(specs, (), dict.fromkeys(names, "triton")):
        assert made.kernels is not None
        (tmp_path / f"{made.name}.py").write_text(made.module, encoding="utf-8")
        (tmp_path / f"{made.name}_triton.py").write_text(made.kernels, encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    assert len(files) == 2 * len(names)
    for words in tools:
        command = [sys.executable, "-m", *words, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout


def test_the_stated_errors_are_within_the_limits() -> None:
    assert set(stated()) == {name.removeprefix("real_") for name in FUNCTIONS}
    assert [name for name, (*errors, limit) in stated().items() if max(errors) > limit] == []
