"""Parentheses in code: taken off where they enclose all of it, put on where it binds too loosely.

In: an expression as text, of Python or C.  Out: the same expression, fit for where it is to stand.

    (a + b)  →  a + b        a + b  →  (a + b)
"""

from __future__ import annotations


def bare(code: str) -> str:
    """``code`` without a pair of parentheses around all of it."""
    if not (code.startswith("(") and code.endswith(")")):
        return code
    depth = 0
    for position, char in enumerate(code):
        depth += (char == "(") - (char == ")")
        if depth == 0 and position < len(code) - 1:
            return code
    return code[1:-1]


def atomic(code: str) -> bool:
    """Whether code binds as tightly as a name: nothing outside brackets but names, dots, calls."""
    depth = 0
    for char in code:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in " -~":
            return False
    return True


def enclosed(code: str) -> str:
    """Code fit for a method call."""
    return code if atomic(code) else f"({code})"


def opposite(code: str) -> str:
    """``x`` of ``(-x)``; nothing, if the code is not the negative of what binds tightly."""
    inner = bare(code)
    return inner[1:] if inner != code and inner[:1] == "-" and atomic(inner[1:]) else ""
