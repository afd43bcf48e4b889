"""Lines of a Triton kernel, tidied once they are written.

In: lines, some under a condition of their own.  Out: the same program in fewer lines.

    if NEED_INPUT: / a = 1 / if NEED_INPUT: / b = 2  →  if NEED_INPUT: / a = 1 / b = 2
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_SET = re.compile(r" *(\w+) = ")


def used(lines: list[str]) -> list[str]:
    """Lines without values that nothing reads: another form of a value does not need them."""
    while True:
        count = Counter(re.findall(r"\w+", "\n".join(lines)))
        kept = [x for x in lines if not ((m := _SET.match(x)) and count[m[1]] == 1)]
        if len(kept) == len(lines):
            return kept
        lines = kept


def together(lines: Sequence[str]) -> list[str]:
    """Lines in which neighbours under the same condition stand under it together."""
    out: list[str] = []
    condition = ""
    for line in lines:
        if line.startswith("    "):
            out.append(line)
        elif line != condition:
            out.append(line)
            condition = line if line.startswith("if ") else ""
    return out
