"""Modules of the C backend, generated once for all tests here."""

from __future__ import annotations

import functools
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

# Losses over all pairs of a batch, or of its columns, which a kernel takes by blocks of rows.
COLUMNS = ("barlow_twins", "vicreg")
PAIRS = ("arcface", "clip", "info_nce", "multi_similarity", "nt_xent", "siglip", "supcon", *COLUMNS)
NAMES = sorted(path.stem for path in SPECS.glob("*.py") if not path.stem.startswith("_"))
WITH = NAMES  # each has one


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="lossgen-kernels-"))


@functools.cache
def load(name: str) -> ModuleType:
    """The module of a loss, its C file beside it."""
    made = source(load_spec(SPECS / f"{name}.py"), (), "c")
    path = _folder() / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    assert made.kernels is not None
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    return imported(f"kernels_{name}", path)


def functional(name: str) -> Callable[..., Tensor]:
    """The functional form."""
    function: Callable[..., Tensor] = getattr(load(name), load_spec_name(name))
    return function


def load_spec_name(name: str) -> str:
    """The name of the functional form."""
    return load_spec(SPECS / f"{name}.py").functional_name


@contextmanager
def only_kernels(module: ModuleType) -> Iterator[None]:
    """Within, plain torch is no way out: a loss that its kernel does not compute fails."""
    eager = {name: value for name, value in vars(module).items() if name.endswith("_eager")}

    def refused(*arguments: Any) -> Any:
        raise AssertionError(f"not computed by the kernel: {module._why_not()}")

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
    native = vars(module)["_native"]
    vars(module)["_native"] = lambda *arguments: False
    try:
        yield
    finally:
        vars(module)["_native"] = native


KERNELS = Kernels(load, functional, only_kernels, without_kernels)
