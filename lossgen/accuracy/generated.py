"""From a generated module to its measurement: the file, loaded by path, in both its styles.

Imports torch, so imported late.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from lossgen.accuracy.measuring import DTYPES, Progress, Style, measure
from lossgen.accuracy.results import Accuracy
from lossgen.errors import LossgenError
from lossgen.spec import LossSpec


def measure_module(
    spec: LossSpec,
    path: Path,
    *,
    seed: int = 0,
    effort: float = 1.0,
    dtypes: Iterable[str] = tuple(DTYPES),
    progress: Progress = lambda text: None,
) -> Accuracy:
    """Measure the functional and the function style of a generated module.

    Raises:
        LossgenError: where the module cannot be imported or lacks one of them.
    """
    return measure(spec, styles(spec, load(path)), seed, effort, dtypes, progress)


def styles(spec: LossSpec, module: ModuleType) -> tuple[Style, ...]:
    """The functional style, item by item, and the plain function with its default reduction."""
    found = []
    for style, name, extra in (
        ("functional", spec.functional_name, {"reduction": "none"}),
        ("function", spec.function_name, {}),  # the scalar that its default reduction gives
    ):
        if not callable(getattr(module, name, None)):
            raise LossgenError(f"{module.__file__} has no function called '{name}'.")
        found.append(Style(style, getattr(module, name), extra, items=bool(extra)))
    return tuple(found)


def load(path: Path) -> ModuleType:
    """Import a file under a name of its own.

    Raises:
        LossgenError: where it cannot be imported.
    """
    spec = importlib.util.spec_from_file_location(f"_lossgen_measured_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:  # whatever the file raises as it is imported
        raise LossgenError(f"{path} cannot be imported: {type(fault).__name__}: {fault}") from fault
    return module
