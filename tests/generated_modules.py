"""Imports the generated modules by path: no test depends on how the project is installed."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

GENERATED = Path(__file__).resolve().parents[1] / "generated"


def names() -> list[str]:
    """The names of all generated losses, sorted."""
    return sorted(path.stem for path in GENERATED.glob("*.py") if not path.stem.startswith("_"))


@functools.cache
def load(name: str) -> ModuleType:
    """The module `generated/<name>.py`; a `FileNotFoundError` says how to make a missing one."""
    path = GENERATED / f"{name}.py"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `lossgen generate {name}`")
    qualified = f"generated_{name}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered first: pickling a class looks its module up by name.
    sys.modules[qualified] = module
    spec.loader.exec_module(module)
    return module


def functional(name: str) -> Callable[..., Any]:
    """The functional form of a loss: its name with `_loss`, unless it already ends so."""
    suffixed = name if name.endswith("_loss") else f"{name}_loss"
    function: Callable[..., Any] = getattr(load(name), suffixed)
    return function
