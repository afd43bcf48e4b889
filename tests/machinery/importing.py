"""A file imported by its path, under a name of its own; generated modules so imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from lossgen.pipeline import render_losses
from lossgen.spec import LossSpec


def imported(name: str, path: Path) -> ModuleType:
    """The module in a file, anew."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered first: pickling a class looks its module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def generated(specs: Sequence[LossSpec], folder: Path, prefix: str) -> dict[str, ModuleType]:
    """The modules that are generated for specs, by the names of these."""
    found = {}
    for spec, rendered in zip(specs, render_losses(specs), strict=True):
        path = folder / f"{spec.name}.py"
        path.write_text(rendered.module, encoding="utf-8")
        found[spec.name] = imported(f"{prefix}_{spec.name}", path)
    return found
