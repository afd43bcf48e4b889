"""Imports the generated modules by path: no test depends on how the project is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.machinery.importing import imported

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
    return imported(f"generated_{name}", path)


def functional(name: str) -> Callable[..., Any]:
    """The functional form of a loss: its name with `_loss`, unless it already ends so."""
    suffixed = name if name.endswith("_loss") else f"{name}_loss"
    function: Callable[..., Any] = getattr(load(name), suffixed)
    return function
