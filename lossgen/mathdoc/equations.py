"""Equations laid out as lines of LaTeX, short enough for a docstring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# A line that would be set wider than this many characters is broken between its terms.
SET_WIDTH = 84


@dataclass(frozen=True, slots=True)
class Equation:
    """One line: ``left relation terms``, and when it is computed at all.

    Attributes:
        terms: the right side, cut where it may be broken.
        condition: in LaTeX; empty when it is always computed.
    """

    left: str
    terms: tuple[str, ...]
    relation: str = "="
    condition: str = ""

    @property
    def text(self) -> str:
        """The equation on one line, without alignment."""
        return f"{self.left} {self.relation} {' '.join(self.terms)}{self.when}"

    @property
    def when(self) -> str:
        """When it is computed, as it stands behind it."""
        return f" \\quad \\text{{if }} {self.condition}" if self.condition else ""


def layout(equations: Sequence[Equation], width: int) -> list[str]:
    """Equations as LaTeX source, aligned at their relation where there is more than one line.

    Args:
        equations: in order.
        width: what no line of source exceeds, as far as LaTeX can be broken.
    """
    broken = [_broken(e) for e in equations]
    aligned = len(equations) > 1 or any(len(rows) > 1 for rows in broken)
    out: list[str] = []
    for e, rows in zip(equations, broken, strict=True):
        head = f"{e.left} {'&' if aligned else ''}{e.relation} {rows[0]}"
        lines = [head, *(f"&\\quad {row}" for row in rows[1:])]
        last = e is equations[-1]
        for k, line in enumerate(lines):
            end = "" if last and k == len(lines) - 1 else " \\\\"
            out += wrapped(_merged(line) + end, width)
    return out


def _broken(e: Equation) -> list[str]:
    """The right side, in rows of the width that is set."""
    rows: list[str] = []
    for term in e.terms:
        if rows and _set_width(f"{rows[-1]} {term}") <= SET_WIDTH:
            rows[-1] += f" {term}"
        else:
            rows.append(term)
    rows[-1] += e.when
    return rows


def _set_width(text: str) -> int:
    """About how many characters a formula is wide once it is set."""
    text = re.sub(
        r"\\begin\{cases\}(.*?)\\end\{cases\}", lambda m: max(m[1].split("\\\\"), key=len), text
    )
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m[1], m[2], key=len), text)
    text = re.sub(
        r"\\(mathrm|overline|bar|text|operatorname\*?|left|right|quad)(?![a-z])", "", text
    )
    return len(re.sub(r"\\[a-zA-Z]+", "x", re.sub(r"[{}_^&]|\\,|\\_", "", text)))


def _merged(text: str) -> str:
    """Neighbouring words as one text."""
    return text.replace("\\text{if } \\text{", "\\text{if ").replace(
        "\\text{ and } \\text{", "\\text{ and "
    )


def wrapped(text: str, width: int) -> list[str]:
    """A line of LaTeX, broken where it reads best; further lines are indented."""
    lines: list[str] = []
    indent = ""
    while len(indent) + len(text) > width and (cut := _cut(text, width - len(indent))):
        lines.append(indent + text[:cut].rstrip())
        text, indent = text[cut:].lstrip(), "    "
    return [*lines, indent + text]


def _cut(text: str, width: int) -> int:
    """Where to break a text: after a row, else outside braces, else at the last place that fits."""
    best = (-1, 0)
    depth = 0
    for k, character in enumerate(text[: width + 1]):
        depth += (character == "{") - (character == "}")
        after_space = character == " " and k > 0
        thin = text[k - 1 : k + 1] == "\\,"
        if not (after_space or thin) or text[k:].strip() in ("", "\\\\") or text[:k].endswith("&="):
            continue
        row = text[:k].endswith("\\\\")
        quality = (
            (3 if row else 2 if depth == 0 and after_space else 1 if depth == 0 else 0)
            if 2 * k > width
            else -1
        )
        if (quality, k) >= best or best == (-1, 0):
            best = (quality, k + 1)
    return best[1]
