"""Compositions that keep range and digits, over the functions that there are.

In: a node of ``nodes.compositions``.  Out: Python text.

    log1p_square(x)  →  2.0 * _log1p(_hypotm1(x))
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.backends.c.expressions import bare
from lossgen.nodes import ONE


class Compositions(StrPrinter):
    """Prints them by means of other nodes."""

    used: set[str]

    def code(self, expr: sp.Basic) -> str:
        """An expression."""
        return str(self._print(expr))

    def call(self, name: str, *arguments: str) -> str:
        """A call of a maths function."""
        self.used.add(name)
        return f"{name}({', '.join(map(bare, arguments))})"

    def _print_NormScale(self, expr: Any) -> str:
        return self.call("_norm_scale", self.code(expr.args[0]))

    def _print_Log1pSquare(self, expr: Any) -> str:
        return f"2.0 * {self.code(nd.Log1p(nd.HypotM1(expr.arg)))}"

    def _print_HypotPowM1(self, expr: Any) -> str:
        x, power = expr.args
        return self.code(nd.Pow1pM1(nd.HypotM1(x), power))

    def _print_HypotPowSlope(self, expr: Any) -> str:
        x, power = nd.Finite(expr.args[0]), expr.args[1]
        length = nd.Hypot(x, ONE)
        # Neither factor alone need be in range.
        return f"({self.code(x)} / {self.code(length)} * {self.code(length ** (power - 1))})"

    def _print_LogSum(self, expr: Any) -> str:
        return self.call("_log_sum_of", *map(self.code, expr.args))

    def _print_Gauss(self, expr: Any) -> str:
        return self.call("_gauss", *map(self.code, expr.args))

    def _print_Remainder(self, expr: Any) -> str:
        return self.call("_remainder", *map(self.code, expr.args))

    def _print_GaussM1(self, expr: Any) -> str:
        x, rate, _ = expr.args
        return self.code(nd.Expm1(-rate * nd.Finite(x) ** 2))

    def _print_Finite(self, expr: Any) -> str:
        return self.call("_finite", self.code(expr.arg))
