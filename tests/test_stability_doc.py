"""docs/stability.md has the table of rules as it is.

Run as a program, this file writes the table into the page anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lossgen.stabilize import RULES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "stability.md"
TABLE = re.compile(r"(<!-- rules -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)


def table() -> str:
    rows = [f"| `{r.pattern}` | `{r.becomes}` | {r.valid} |" for r in RULES]
    return "\n".join(["| from | to | valid |", "| --- | --- | --- |", *rows]) + "\n"


def test_the_table_is_what_the_rules_are() -> None:
    (found,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    assert found[1] == table(), "run `python tests/test_stability_doc.py`"


def test_a_rule_can_stand_in_a_table() -> None:
    assert not [r for r in RULES if "|" in r.pattern + r.becomes + r.valid]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda m: f"{m[1]}{table()}{m[3]}", text), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} renewed\n")
