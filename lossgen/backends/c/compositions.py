"""Compositions that keep range and digits, as C over the functions that there are.

In: a node of ``nodes.compositions``.  Out: C text; a C compiler computes a repeated part once.

    log1p_square(x)  →  (2 * real_log1p(real_hypotm1(x)))
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.nodes import ONE


class Compositions(StrPrinter):
    """Prints them by means of other nodes."""

    used: set[str]

    def code(self, expr: sp.Basic) -> str:
        """An expression as a ``real``."""
        return str(self._print(expr))

    def _print_Log1pSquare(self, expr: Any) -> str:
        return f"(2 * {self.code(nd.Log1p(nd.HypotM1(expr.arg)))})"

    def _print_HypotPowM1(self, expr: Any) -> str:
        x, power = expr.args
        return self.code(nd.Pow1pM1(nd.HypotM1(x), power))

    def _print_HypotPowSlope(self, expr: Any) -> str:
        x, power = nd.Finite(expr.args[0]), expr.args[1]
        length = nd.Hypot(x, ONE)
        # Neither factor alone need be in range.
        return f"({self.code(x)} / {self.code(length)} * {self.code(length ** (power - 1))})"

    def _print_LogSum(self, expr: Any) -> str:
        x, c = map(self.code, expr.args)
        total = f"(({x}) + ({c}))"
        self.used.add("real_log")
        return f"(real_log{total} + (({c}) - ({total} - ({x}))) / {total})"

    def _print_Gauss(self, expr: Any) -> str:
        self.used.add("real_gauss")
        return f"real_gauss({', '.join(map(self.code, expr.args))})"

    def _print_Remainder(self, expr: Any) -> str:
        self.used.add("real_remainder")
        return f"real_remainder({', '.join(map(self.code, expr.args))})"

    def _print_GaussM1(self, expr: Any) -> str:
        x, rate, _ = expr.args
        return self.code(nd.Expm1(-rate * nd.Finite(x) ** 2))

    def _print_Finite(self, expr: Any) -> str:
        self.used |= {"real_min", "real_max"}
        return f"real_min(real_max({self.code(expr.arg)}, -REAL_LARGEST), REAL_LARGEST)"
