"""Modules of other packages, imported without running the packages' top levels.

Those ask for what a loss does not need: compiled operators, models, dozens of further packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any


def bare(name: str) -> None:
    """Make a package importable without running its ``__init__``.

    Raises:
        ImportError: where it is not installed.
    """
    if name in sys.modules:
        return
    parent, _, last = name.rpartition(".")
    if parent:
        bare(parent)
        places = [f"{place}/{last}" for place in sys.modules[parent].__path__]
    else:
        found = importlib.util.find_spec(name)
        if found is None or found.submodule_search_locations is None:
            raise ImportError(f"{name} is not installed")
        places = list(found.submodule_search_locations)
    module = types.ModuleType(name)
    module.__path__ = places
    module.__getattr__ = _anything  # type: ignore[method-assign]
    sys.modules[name] = module


def _anything(word: str) -> Any:
    """What a loss imports from a top level: a call that reports usage, a version."""
    if word.startswith("__"):  # asked for by whoever looks at modules, such as inspect
        raise AttributeError(word)
    return lambda *args, **kwargs: None


def part(module: str, *names: str, without: tuple[str, ...]) -> list[Any]:
    """Names of a module whose packages are not run."""
    for package in without:
        bare(package)
    loaded = importlib.import_module(module)
    return [getattr(loaded, name) for name in names]
