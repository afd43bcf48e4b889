"""Modules of the Triton backend, generated once for all tests here."""

from __future__ import annotations

import functools
import importlib.util
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from lossgen.pipeline import source
from lossgen.spec import load_spec
from tests.machinery.sampling import SPECS
from tests.native.kernels import WITH, WITHOUT

__all__ = ["WITH", "WITHOUT", "kernel_file", "load"]


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="lossgen-triton-"))


@functools.cache
def load(name: str) -> ModuleType:
    """The module of a loss, its kernels beside it."""
    made = source(load_spec(SPECS / f"{name}.py"), (), "triton")
    path = _folder() / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    assert made.kernels is not None
    path.with_name(f"{name}_triton.py").write_text(made.kernels, encoding="utf-8")
    return _imported(path)


@functools.cache
def kernel_file(name: str) -> ModuleType:
    """The file of kernels of a loss."""
    load(name)
    return _imported(_folder() / f"{name}_triton.py")


def _imported(path: Path) -> ModuleType:
    qualified = f"triton_{path.stem}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    spec.loader.exec_module(module)
    return module
