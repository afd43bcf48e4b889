"""docs/triton-maths.md states the errors that the functions of the Triton backend have.

``TRITON_INTERPRET=1 python -m tests.triton.stated`` measures them and writes the table.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import numpy as np

from lossgen.backends.triton.maths import function_names
from tests.native.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "triton-maths.md"
TABLE = re.compile(r"(<!-- errors -->\n)(.*?)(<!-- end -->)", re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)
# Of the C backend's functions, those that there are here.
NAMES = tuple(x for x in CASES if x.removeprefix("real") in function_names())


def stated() -> dict[str, tuple[float, float, float]]:
    """What the page says of each function: its error in float, in double, and the limit."""
    (found,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    return {name: tuple(map(float, row)) for name, *row in ROW.findall(found[1])}


def _table() -> str:
    from tests.triton.running.maths import worst

    lines = ["| function | float | double | limit |", "| --- | --- | --- | --- |"]
    for name in NAMES:
        single, double = (
            math.ceil(worst(name, kind)[0] * 100) / 100 for kind in (np.float32, np.float64)
        )
        limit = CASES[name].limit
        lines.append(
            f"| `{name.removeprefix('real_')}` | {single:.2f} | {double:.2f} | {limit:g} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda m: f"{m[1]}{_table()}{m[3]}", text), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} renewed\n")
