"""Expressions as short plain text, for messages and for ``lossgen show --program``."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter


class _Plain(StrPrinter):
    def _print_Node(self, expr: Any) -> str:
        return f"{type(expr).__name__}({', '.join(map(self._print, expr.args))})"

    def _print_Read(self, expr: Any) -> str:
        inside = ", ".join(map(self._print, expr.subscripts))
        return f"{expr.name}[{inside}]" if inside else str(expr.name)

    def _print_Compare(self, expr: Any) -> str:
        return f"({self._print(expr.left)} {expr.op} {self._print(expr.right)})"

    def _print_Str(self, expr: Any) -> str:
        return str(expr.name)


def plain(expr: sp.Basic) -> str:
    """The expression on one line."""
    return str(_Plain().doprint(expr))
