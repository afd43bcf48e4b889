"""How long `lossgen verify` takes as a process, to a no and to a full yes, beside `import torch`.

python benchmarks/asking.py    # writes benchmarks/results/asking.md
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.zoo.table import BUGS, Bug  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "asking.md"


def took(command: list[str]) -> tuple[float, float, int]:
    """Wall time, processor time of the process and its children, and the exit code."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=False)
    after = os.times()
    spent = after.children_user + after.children_system
    return (
        time.perf_counter() - start,
        spent - before.children_user - before.children_system,
        (done.returncode),
    )


def asking(bug: Bug, name: str) -> list[str]:
    how = [f"--pass={k}={v}" for k, v in bug.how.get("adapt", {}).items()]
    if "reduction" in bug.how:
        how.append(f"--reduction={bug.how['reduction']}")
    target = f"{bug.module.__name__}:{name}"
    return ["-m", "lossgen", "verify", target, "--spec", bug.formula, *how]


def main() -> None:
    torch = [took(["-c", "import torch"]) for _ in range(3)]
    rows = [("`import torch`", torch)]
    for words, code in (("a *no*", 1), ("a full *yes*", 0)):
        answers = []
        for bug in BUGS[::2]:
            answer = took(asking(bug, bug.wrong if code else bug.right))
            assert answer[2] == code, (bug.where, answer)
            answers.append(answer)
        rows.append((words, answers))
    lines = [
        "# Time to an answer",
        "",
        "`python benchmarks/asking.py`: whole processes, every second bug of tests/zoo and its",
        f"right version, on {os.cpu_count()} cores that other work may share; `import torch` in",
        "the same run.",
        "",
        "| what | processes | median s | slowest s | median processor s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for words, answers in rows:
        wall = [a[0] for a in answers]
        cpu = statistics.median(a[1] for a in answers)
        lines.append(
            f"| {words} | {len(answers)} | {statistics.median(wall):.1f} | {max(wall):.1f} "
            f"| {cpu:.1f} |"
        )
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
