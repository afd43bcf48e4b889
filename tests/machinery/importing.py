"""A file imported by its path, under a name of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


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
