"""From generated texts to formatted ones, by the pinned ruff.

In: ``{"dice.py": text, …}``. Out: the same names with sorted imports, unused imports removed, and
ruff's default format, whatever the configuration of the project around them. However many texts
there are, ruff is started twice: once to sort, once to format.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lossgen.errors import LossgenError

_SORT = ("check", "--fix", "--fix-only", "--select", "I,F401")
_FORMAT = ("format",)
_COMMON = ("--isolated", "--no-cache", "--quiet", "--target-version", "py311")


def format_sources(sources: Mapping[str, str]) -> dict[str, str]:
    """Return `sources`, formatted.

    Raises:
        LossgenError: where ruff is missing, or refuses a text (a template that gives no Python).
    """
    if not sources:
        return {}
    ruff = find_ruff()
    with tempfile.TemporaryDirectory(prefix="lossgen-") as folder:
        paths = {name: Path(folder, name) for name in sources}
        for name, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(sources[name], encoding="utf-8", newline="\n")
        for command in (_SORT, _FORMAT):
            _run([ruff, *command, *_COMMON, folder], folder)
        return {name: path.read_text(encoding="utf-8") for name, path in paths.items()}


def find_ruff() -> str:
    """Return the ruff installed with this Python, else the one on the PATH.

    Raises:
        LossgenError: where there is none.
    """
    program = "ruff.exe" if os.name == "nt" else "ruff"
    beside = Path(sys.executable).parent / program
    if beside.is_file():
        return str(beside)
    import shutil

    found = shutil.which("ruff")
    if found is None:
        raise LossgenError(
            "ruff, which formats the generated code, is not installed beside "
            f"{sys.executable} nor on the PATH. Install it: pip install 'ruff==0.17.6'"
        )
    return found


def _run(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as fault:
        raise LossgenError(
            f"{command[0]} cannot be started: {fault.strerror or fault}. "
            "Reinstall it: pip install --force-reinstall 'ruff==0.17.6'"
        ) from fault
    if done.returncode != 0:
        loud = [word for word in command if word != "--quiet"]
        done = subprocess.run(loud, capture_output=True, text=True, check=False)
        told = (done.stderr or done.stdout).replace(folder + os.sep, "").strip()
        raise LossgenError(
            f"ruff refuses the generated code, so a template gives no valid Python:\n{told}"
        )
