"""Parts of an expression: one in place of another, and one in words."""

from __future__ import annotations

from typing import Any

import sympy as sp

from lossgen.nodes import rebuild
from lossgen.verify.words import in_words

Edit = tuple[str, sp.Expr]


def replaced(expr: sp.Basic, old: sp.Basic, new: sp.Basic) -> Any:
    """The expression with one part in place of another, wherever it stands."""
    known: dict[sp.Basic, Any] = {old: new}

    def change(node: sp.Basic) -> Any:
        if node not in known:
            known[node] = rebuild(node, map(change, node.args)) if node.args else node
        return known[node]

    return change(expr)


def short(expr: sp.Basic) -> str:
    """A part of a formula in a sentence."""
    text = in_words(expr)
    return text if len(text) <= 60 else f"{text[:57]}…"
