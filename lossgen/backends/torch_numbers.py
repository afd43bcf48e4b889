"""Numbers as Python: exact decimals where a float is exact, quotients where it is not.

In: a number or an option.  Out: its text.

    1/3, 1/2, pi, alpha  →  1 / 3, 0.5, math.pi, alpha

It refuses nothing.
"""

from __future__ import annotations

from typing import Any

from sympy.printing.str import StrPrinter


class Numbers(StrPrinter):
    """Prints numbers and options."""

    def _print_Float(self, expr: Any) -> str:
        return _short(repr(float(expr)))

    def _print_Rational(self, expr: Any) -> str:
        return repr(float(expr)) if float(expr) == expr else f"{expr.p} / {expr.q}"

    def _print_Half(self, expr: Any) -> str:
        return "0.5"

    def _print_Pi(self, expr: Any) -> str:
        return "math.pi"

    def _print_Infinity(self, expr: Any) -> str:
        return "math.inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-math.inf"

    def _print_NaN(self, expr: Any) -> str:
        return "math.nan"

    def _print_Param(self, expr: Any) -> str:
        return str(expr.name)


def _short(number: str) -> str:
    """A whole number of many zeros as a person writes it: 5e11."""
    whole = number.removesuffix(".0")
    digits = whole.rstrip("0")
    if not whole.isdigit() or len(whole) - len(digits) < 4:
        return number
    return f"{'.'.join(x for x in (digits[0], digits[1:]) if x)}e{len(whole) - 1}"
