"""Expressions as short plain text, in the words of a spec, for ``lossgen show --program``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

# Nodes whose word in a spec is not their own name in small letters.
_WORDS: Mapping[str, str] = {
    "Abs": "Abs",
    "Max": "Max",
    "Min": "Min",
    "LogSigmoid": "log_sigmoid",
    "LogCosh": "log_cosh",
    "LogErfc": "log_erfc",
    "LogRatio": "log_ratio",
    "GaussM1": "gauss_minus_one",
    "HypotM1": "hypot_minus_one",
    "HypotPowM1": "hypot_power_minus_one",
    "HypotPowSlope": "hypot_power_slope",
    "Log1pSquare": "log1p_square",
    "LogMixture": "log_mixture",
    "LogSum": "log_sum",
    "Pow1pM1": "pow1p_minus_one",
    "RelEntropy": "rel_entropy",
    "SettledLogMixture": "log_mixture",
    "StopGradient": "stop_gradient",
    "StraightThrough": "straight_through",
    "PowerSlope": "power_slope",
}


class _Plain(StrPrinter):
    def _print_Node(self, expr: Any) -> str:
        word = type(expr).__name__
        return f"{_WORDS.get(word, word.lower())}({', '.join(map(self._print, expr.args))})"

    def _print_Max(self, expr: Any) -> str:
        first, second, share = expr.args
        tie = "" if share == sp.S.Half else f", tie={self._print(share)}"
        return f"{type(expr).__name__}({self._print(first)}, {self._print(second)}{tie})"

    _print_Min = _print_Max

    def _print_Rewritten(self, expr: Any) -> str:
        return f"({self._print(expr.form)})"

    def _print_Abs(self, expr: Any) -> str:
        return f"Abs({self._print(expr.args[0])})"

    def _print_Read(self, expr: Any) -> str:
        inside = ", ".join(map(self._print, expr.subscripts))
        return f"{expr.name}[{inside}]" if inside else str(expr.name)

    def _print_Compare(self, expr: Any) -> str:
        return f"{self._print(expr.left)} {expr.op} {self._print(expr.right)}"

    def _print_And(self, expr: Any) -> str:
        return " and ".join(map(self._clause, expr.args))

    def _print_Or(self, expr: Any) -> str:
        return " or ".join(map(self._clause, expr.args))

    def _print_Not(self, expr: Any) -> str:
        return f"not {self._clause(expr.args[0])}"

    def _clause(self, expr: Any) -> str:
        text = str(self._print(expr))
        return f"({text})" if type(expr).__name__ in ("And", "Or", "Compare") else text

    def _print_Str(self, expr: Any) -> str:
        return str(expr.name)

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "true"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "false"

    def _print_Infinity(self, expr: Any) -> str:
        return "inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-inf"


def plain(expr: sp.Basic, *, operand: bool = False) -> str:
    """The expression on one line, as an ``operand`` in parentheses where it is a sum."""
    printer = _Plain()
    if operand:
        return str(printer.parenthesize(expr, PRECEDENCE["Mul"]))
    return str(printer.doprint(expr))
