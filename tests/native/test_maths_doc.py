"""docs/c-maths.md states the errors that the C functions have.

``python -m tests.native.test_maths_doc`` measures them and writes the table into the page.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.native.cases import CASES
from tests.native.dense import DENSE, STEPS, densely
from tests.native.maths import compiled, points, worst

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "c-maths.md"
TABLE = re.compile(r"(<!-- errors -->\n)(.*?)(<!-- end -->)", re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def stated() -> dict[str, tuple[float, float, float]]:
    """What the page says of each function: its error in float, in double, and the limit."""
    (found,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    return {name: tuple(map(float, row)) for name, *row in ROW.findall(found[1])}


def test_the_table_has_every_function_and_its_limit() -> None:
    assert {name: row[2] for name, row in stated().items()} == {
        name.removeprefix("real_"): case.limit for name, case in CASES.items()
    }


def test_the_stated_errors_are_within_the_limits() -> None:
    assert [name for name, (*errors, limit) in stated().items() if max(errors) > limit] == []


def table() -> str:
    counts = {name: case.arguments for name, case in CASES.items()}
    columns = []
    for kind in (np.float32, np.float64):
        with tempfile.TemporaryDirectory() as folder:
            library, _ = compiled(Path(folder), counts, kind is np.float64, "-march=native")
            errors = {n: worst(library, n, points(c, kind))[0] for n, c in CASES.items()}
            if kind is np.float32:
                errors |= {
                    n: max(errors[n], densely(library, n, STEPS.get(n, 1031))[0]) for n in DENSE
                }
            columns.append(errors)
    lines = ["| function | float | double | limit |", "| --- | --- | --- | --- |"]
    for name, case in CASES.items():
        single, double = (math.ceil(column[name] * 100) / 100 for column in columns)
        lines.append(
            f"| `{name.removeprefix('real_')}` | {single:.2f} | {double:.2f} | {case.limit:g} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda m: f"{m[1]}{table()}{m[3]}", text), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} renewed\n")
