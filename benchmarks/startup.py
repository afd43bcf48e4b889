"""Start-up: LossGen's commands against the imports that they cannot do without.

Run: ``python benchmarks/startup.py``; writes ``benchmarks/results/startup.md``.  Whole processes,
A B A B, with bytecode compiled as after an installation; the table gives medians of the ratios of
neighbouring runs, of wall time and of CPU time (on a busy machine the second is the one to read).
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 11
BASE = "sympy, jinja2, click"
ROWS = (
    ("lossgen --help", ("--help",), "click", 1.5, ROUNDS),
    ("lossgen new dice --no-verify", ("new", "dice", "--no-verify"), BASE, 1.6, ROUNDS),
    ("lossgen generate, the whole catalogue", ("generate", "--check"), BASE, 15.0, 5),
)


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratios(words: tuple[str, ...], imports: str, rounds: int) -> tuple[float, float]:
    """Medians of the ratios of wall time and of CPU time."""
    walls, processors = [], []
    with tempfile.TemporaryDirectory() as scratch:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{scratch}/bytecode"}
        for number in range(rounds + 1):
            folder = ROOT if words[0] == "generate" else Path(scratch, str(number))
            folder.mkdir(exist_ok=True)
            ours = seconds([sys.executable, "-m", "lossgen", *words], folder, environment)
            theirs = seconds([sys.executable, "-c", f"import {imports}"], folder, environment)
            if number:  # the first round compiles
                walls.append(ours[0] / theirs[0])
                processors.append(ours[1] / theirs[1])
    return statistics.median(walls), statistics.median(processors)


def main() -> None:
    lines = [
        "# Start-up",
        "",
        "| command | against | wall time | CPU time | bar |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, words, imports, bar, rounds in ROWS:
        wall, processor = ratios(words, imports, rounds)
        lines.append(f"| `{name}` | `import {imports}` | {wall:.2f} | {processor:.2f} | {bar} |")
        print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "results" / "startup.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
