"""From a name to its spec. Folders are scanned; nothing is registered, nothing is imported early.

In: folders, the user's own first, the catalogue last. A name found in an earlier folder hides the
same name in a later one. Out: names, paths, one-line entries (read from the syntax tree, so that a
listing runs no spec and shows broken ones too) and loaded specs.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lossgen.errors import Fault, LossgenError, SpecError, suggest

if TYPE_CHECKING:
    from lossgen.spec import LossSpec

_DEVICES = frozenset(
    ("AUX", "CON", "NUL", "PRN", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(1, 10)))
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing shows of one spec."""

    name: str
    family: str
    summary: str
    path: Path


class Library:
    """Specs in folders: ``Library([project / "specs", shipped("specs")])``."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)

    def names(self) -> list[str]:
        """Return every spec's name, sorted. No spec is run."""
        return sorted(self._index())

    def path(self, name: str) -> Path:
        """Return the file that defines `name`.

        Raises:
            LossgenError: where no folder has it; the text suggests a near name.
        """
        index = self._index()
        if name in index:
            return index[name]
        near = self.slip(name)
        if not near and any((folder / f"{name}.py").is_file() for folder in self.folders):
            check_name(name)
        hint = f"Did you mean '{near}'?" if near else suggest(name, index)
        raise LossgenError(
            f"No loss is called '{name}'. {hint or '`lossgen list` shows every name.'}"
        )

    def named(self, name: str) -> str:
        """Return the loss that a class or function is named after, or an empty string.

        ``DiceLoss`` and ``dice_loss`` are named after ``dice``; ``MSLE`` is not after ``mse``.
        """
        return _plain(name) if _plain(name) in self._index() else ""

    def slip(self, name: str) -> str:
        """Return the name that `name` is most likely a slip of, or an empty string.

        ``dcie``, ``dice_loss`` and ``DiceLoss`` are slips of ``dice``; ``focal_dice`` and
        ``dice2`` are names of their own.
        """
        import difflib

        index, plain = self._index(), _plain(name)
        if plain in index:
            return plain
        for near in difflib.get_close_matches(plain, list(index), n=3, cutoff=0.6):
            derived = f"_{near}_" in f"_{plain}_" or plain.rstrip("0123456789") == near
            ratio = difflib.SequenceMatcher(None, plain, near).ratio()
            if not derived and (ratio >= 0.8 or sorted(plain) == sorted(near)):
                return near
        return ""

    def load(self, name: str) -> LossSpec:
        """Return the spec called `name`, parsed and validated.

        Raises:
            LossgenError: where the name is unknown.
            SpecError: where the spec has faults; it lists all of them.
        """
        from lossgen.spec import load_spec

        path = self.path(name)
        try:
            check_name(name)
        except LossgenError as wrong:
            raise SpecError([Fault(f"{path.parent.name}/{path.name}", 1, str(wrong))]) from wrong
        return load_spec(path)

    def entries(self) -> list[Entry]:
        """Return one entry a spec, sorted by name. No spec is run."""
        return [_entry(name, path) for name, path in sorted(self._index().items())]

    def unnamed(self) -> list[Path]:
        """Return the files that no loss can be named after, but for ``_parts.py`` and the like."""
        files = [path for folder in self.folders for path in folder.glob("*.py")]
        return sorted(x for x in files if not is_name(x.stem) and not x.stem.startswith("_"))

    def _index(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in folder.glob("*.py"):
                if is_name(path.stem):
                    found.setdefault(path.stem, path)
        return found


def is_name(name: str) -> bool:
    """Whether a loss may be called so: a public identifier that is no keyword of Python's."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")


def check_name(name: str) -> str:
    """Return `name` if a loss may be called so.

    Raises:
        LossgenError: saying what is wrong with it, before any path is built from it.
    """
    if keyword.iskeyword(name):
        reason = f"is a keyword of Python. Try '{name.lower()}_loss'"
    elif any(sign in name for sign in "/\\.:"):
        reason = "looks like a path. A loss is a bare name, such as 'dice'; --directory says where"
    elif not (is_name(name) and name.isascii()):
        reason = "is no name for a Python function. Use letters, digits and '_': 'focal_dice'"
    elif name in ("input", "target"):
        reason = "is what a loss calls its argument. Choose another name"
    elif name in dir(builtins) or name in ("nn", "F"):
        reason = f"is a name that the generated code needs as it is. Try '{name.lower()}_loss'"
    elif name in sys.stdlib_module_names or name in ("torch", "numpy", "sympy", "mpmath", "pytest"):
        reason = f"is a module, which a file '{name}.py' would hide. Choose another name"
    elif name.upper() in _DEVICES:
        reason = "is a device on Windows, which no file may be called after. Choose another name"
    else:
        return name
    raise LossgenError(f"{name!r} {reason}.")


def _entry(name: str, path: Path) -> Entry:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError) as fault:
        return Entry(name, "", f"cannot be read: {type(fault).__name__}", path)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            summary = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            return Entry(name, _family(node), summary, path)
    return Entry(name, "", f"has no function called {name}", path)


def _family(function: ast.FunctionDef) -> str:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            for argument in decorator.keywords:
                if argument.arg == "family" and isinstance(argument.value, ast.Constant):
                    return str(argument.value.value)
    return ""


def _plain(name: str) -> str:
    """``DiceLoss`` as ``dice``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().removesuffix("_loss")
