"""How an array stands in a scope of letters: permute, index, add axes.

A scope is an ordered tuple of letters, one per dimension.  Arrays broadcast from the
right, so a letter that an array lacks needs a new axis only to the right of one that it has.

In: code, its letters, the scope.  Out: code that stands in the scope, or the text of a shape.

    aligned("w", [c], [n, c, s])  →  w[:, None]

It refuses nothing: letters outside the scope are a fault of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.nodes import Letter


def aligned(code: str, letters: Sequence[Letter], scope: Sequence[Letter]) -> str:
    """``code``, whose dimensions are ``letters``, laid out to broadcast over ``scope``."""
    wanted = [x for x in scope if x in letters]
    code = permuted(code, letters, wanted)
    if not wanted:
        return code
    marks = [":" if x in wanted else "None" for x in scope[scope.index(wanted[0]) :]]
    if "None" not in marks:
        return code
    if marks.index("None") == len(wanted):
        return f"{code}[..., {', '.join(marks[len(wanted) :])}]"
    while marks[-1] == ":":
        marks.pop()
    return f"{code}[{', '.join(marks)}]"


def permuted(code: str, letters: Sequence[Letter], wanted: Sequence[Letter]) -> str:
    """``code`` with its dimensions in the wanted order."""
    if list(letters) == list(wanted):
        return code
    order = [list(letters).index(x) for x in wanted]
    if len(order) == 2:
        return f"{code}.T"
    return f"{code}.permute({', '.join(map(str, order))})"


def dims(bound: Sequence[Letter], scope: Sequence[Letter]) -> str:
    """The dimensions of letters in a scope, as an argument: ``-1`` or ``(1, 2)``; empty for all."""
    if len(bound) == len(scope):
        return ""
    places = [scope.index(x) for x in bound]
    texts = ["-1" if p == len(scope) - 1 and len(places) == 1 else str(p) for p in places]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def shape_comment(letters: Sequence[Letter]) -> str:
    """``[N, C, S]``."""
    return f"[{', '.join(x.name.upper() for x in letters)}]"


def shape_text(axes: tuple[Letter, ...], *, drop_ragged: bool = False) -> str:
    """``[N, C, *S]``; an axis of any shape is ``[*]``."""
    if axes and axes[0].name == "e":
        return "[*]"
    names = [f"*{a.name.upper()}" if a.name == "s" else a.name.upper() for a in axes]
    return f"[{', '.join(x for x in names if not (drop_ragged and x.startswith('*')))}]"
