"""The command line answers at once: measured against the imports that it cannot do without."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lossgen

ROUNDS = 9


def seconds(command: list[str], folder: Path) -> float:
    # As installed: compiled once. A checkout on a machine that writes no bytecode compiles anew.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder.parent / "bytecode")
    environment["PYTHONPATH"] = str(Path(lossgen.__file__).parent.parent)
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def best_ratio(words: tuple[str, ...], imports: str, folder: Path) -> float:
    """Return the best time of ``lossgen words`` over that of the bare imports, run in turns."""
    ours, theirs = [], []
    for number in range(ROUNDS + 1):  # the first round compiles, and is never the best
        place = folder / str(number)
        place.mkdir()
        ours.append(seconds([sys.executable, "-m", "lossgen", *words], place))
        theirs.append(seconds([sys.executable, "-c", f"import {imports}"], place))
    return min(ours) / min(theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "imports", "bar"),
    [
        (("--help",), "click", 1.5),
        (("new", "dice", "--no-verify"), "sympy, jinja2, click", 1.6),
    ],
    ids=["help", "new"],
)
def test_a_command_costs_little_more_than_its_imports(
    words: tuple[str, ...], imports: str, bar: float, tmp_path: Path
) -> None:
    assert best_ratio(words, imports, tmp_path) <= bar
