"""Modules of the Triton backend, generated once for all tests here."""

from __future__ import annotations

import functools
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from lossgen.pipeline import source
from lossgen.spec import load_spec
from tests.machinery.by_kernel import Kernels
from tests.machinery.importing import imported
from tests.machinery.sampling import SPECS
from tests.native import kernels
from tests.native.kernels import NAMES

# What the C backend plans in one go; losses over pairs, which it takes by blocks, it does not.
# Pairs of rows, and of positions in a row; neighbours.
WITHOUT = frozenset((*kernels.PAIRS, "multilabel_margin", "total_variation"))
WITH = [name for name in NAMES if name not in WITHOUT]
HAVE_TRITON = importlib.util.find_spec("triton") is not None
# Where kernels run: Triton decides when it is imported whether it interprets.
DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="lossgen-triton-"))


@functools.cache
def load(name: str) -> ModuleType:
    """The module of a loss, its kernels beside it."""
    return fresh(name)


def fresh(name: str) -> ModuleType:
    """The same, imported anew."""
    made = source(load_spec(SPECS / f"{name}.py"), (), "triton")
    path = _folder() / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    assert made.kernels is not None
    path.with_name(f"{name}_triton.py").write_text(made.kernels, encoding="utf-8")
    return imported(f"triton_{path.stem}", path)


@functools.cache
def kernel_file(name: str) -> ModuleType:
    """The file of kernels of a loss."""
    load(name)
    return imported(f"triton_{name}_triton", _folder() / f"{name}_triton.py")


def functional(name: str) -> Callable[..., Tensor]:
    """The functional form of a loss."""
    spec = load_spec(SPECS / f"{name}.py")
    function: Callable[..., Tensor] = getattr(load(name), spec.functional_name)
    return function


@contextmanager
def only_kernels(module: ModuleType) -> Iterator[None]:
    """Within, plain torch is no way out: a loss that its kernels do not compute fails."""
    eager = {name: value for name, value in vars(module).items() if name.endswith("_eager")}

    def refused(*arguments: Any) -> Any:
        raise AssertionError("not computed by the kernels")

    for name in eager:
        setattr(module, name, refused)
    try:
        yield
    finally:
        for name, value in eager.items():
            setattr(module, name, value)


@contextmanager
def without_kernels(module: ModuleType) -> Iterator[None]:
    """Within, every loss is computed in plain torch."""
    usual = vars(module)["_on_device"]
    vars(module)["_on_device"] = lambda *arguments: False
    try:
        yield
    finally:
        vars(module)["_on_device"] = usual


KERNELS = Kernels(load, functional, only_kernels, without_kernels, DEVICE)
