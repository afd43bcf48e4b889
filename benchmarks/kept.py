"""What was measured before, kept in a folder and taken up again as long as nothing of it changed.

A measurement depends on the generated module, the spec, the code that measures, the versions of
the packages, the seed and the effort. Their hash is the name of its file, so that what is taken up
again is what would be measured anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
_MEASURES = tuple(
    file
    for folder in ("accuracy", "peers")
    for file in sorted((ROOT / "lossgen" / folder).glob("*.py"))
)


def key(name: str, about: object, distributions: tuple[str, ...]) -> str:
    """The name of the file that a measurement of a loss has."""
    files = (ROOT / "generated" / f"{name}.py", ROOT / "specs" / f"{name}.py", *_MEASURES)
    versions = [f"{d} {importlib.metadata.version(d)}" for d in distributions]
    told = hashlib.sha256(repr((about, versions)).encode())
    for file in files:
        told.update(file.read_bytes())
    return f"{name}-{told.hexdigest()[:24]}"


class NotThere(Exception):
    """Nothing is kept under the name, and nothing is to be measured."""


@dataclass(frozen=True)
class Kept:
    """A folder of measurements (without one, each is made anew).

    Attributes:
        no_more: whether to measure nothing, but raise ``NotThere``.
    """

    folder: Path | None
    no_more: bool = False

    def newest(self, name: str, fits: Callable[[Any], bool]) -> list[Any]:
        """Return the last measurement of a loss that fits, of whatever state of the code."""
        files = [] if self.folder is None else list(self.folder.glob(f"{name}-*.pickle"))
        files.sort(key=lambda f: f.stat().st_mtime, reverse=True)
        return list(filter(fits, (pickle.loads(f.read_bytes()) for f in files)))[:1]

    def measured(self, name: str, measure: Callable[[], T]) -> T:
        """Return what the folder has under a name, or measure and keep it."""
        file = None if self.folder is None else self.folder / f"{name}.pickle"
        if file is not None and file.exists():
            found: Any = pickle.loads(file.read_bytes())
            return found
        if self.no_more:
            raise NotThere(name)
        fresh = measure()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_suffix(".part")
            beside.write_bytes(pickle.dumps(fresh))
            beside.replace(file)
        return fresh
