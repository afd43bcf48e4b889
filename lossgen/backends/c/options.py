"""What options alone decide, in double, once for a whole kernel.

In: an expression without elements.  Out: C text.

    1 - label_smoothing  →  1 - label_smoothing, a double
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import c_name, extent
from lossgen.brackets import bare
from lossgen.nodes import is_scalar, walk

OVER_OPTIONS: dict[type[sp.Basic], str] = {
    nd.Exp: "exp", nd.Log: "log", nd.Sqrt: "sqrt", nd.Abs: "fabs", nd.Log1p: "log1p",
    nd.Expm1: "expm1", nd.Tanh: "tanh", nd.Sin: "sin", nd.Cos: "cos", nd.Acos: "acos",
    nd.Atan: "atan", nd.Asinh: "asinh", nd.Erf: "erf", nd.Erfc: "erfc", nd.Lgamma: "lgamma",
    nd.Floor: "floor", nd.Hypot: "hypot", nd.Max: "fmax", nd.Min: "fmin",
}  # fmt: skip


def of_options(expr: Any) -> bool:
    """Whether options alone decide an expression, which is then computed once, in double."""
    return (
        isinstance(expr, sp.Expr)
        and bool(expr.args)
        and not isinstance(expr, nd.Size)
        and not expr.is_number
        and is_scalar(expr)
        and not any(isinstance(x, nd.Where) for x in walk(expr))
    )


class Options(StrPrinter):
    """Prints what options alone decide, in double."""

    def code(self, expr: sp.Basic) -> str:
        """The expression as a ``double``."""
        return str(self._print(expr))

    def _print_Param(self, expr: Any) -> str:
        return c_name(expr.name)

    def _print_Size(self, expr: Any) -> str:
        return f"(double){extent(expr.letter)}"

    def _print_Rational(self, expr: Any) -> str:
        return real_literal(expr)

    _print_Half = _print_Rational
    _print_Float = _print_Rational

    def _print_Infinity(self, expr: Any) -> str:
        return "INFINITY"

    def _print_Pi(self, expr: Any) -> str:
        return "3.14159265358979323846"

    def _print_Exp1(self, expr: Any) -> str:
        return "2.71828182845904523536"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        if expr.exp == -1:
            return f"1.0 / {self.parenthesize(expr.base, PRECEDENCE['Mul'])}"
        return f"pow({self.code(expr.base)}, {self.code(expr.exp)})"

    def _print_Mul(self, expr: Any) -> str:
        if expr.could_extract_minus_sign():
            return f"-{self.parenthesize(-expr, PRECEDENCE['Mul'])}"
        above = [f for f in expr.args if not (isinstance(f, sp.Pow) and f.exp == -1)]
        below = [f.base for f in expr.args if isinstance(f, sp.Pow) and f.exp == -1]
        level = PRECEDENCE["Mul"]
        parts = [self.code(f) if f.is_number else self.parenthesize(f, level) for f in above]
        parts = parts or ["1.0"]
        text = " * ".join(parts)
        for base in below:
            text += f" / {self.parenthesize(base, PRECEDENCE['Mul'])}"
        return text

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = sorted(expr.args, key=lambda t: t.could_extract_minus_sign())
        text = self.code(terms[0])
        for term in terms[1:]:
            negative = term.could_extract_minus_sign()
            shown = self.parenthesize(-term if negative else term, PRECEDENCE["Mul"])
            text += f" - {shown}" if negative else f" + {shown}"
        return text

    def _print_Node(self, expr: Any) -> str:
        kind = type(expr)
        if kind is nd.Sigmoid:
            return f"(1.0 / (1.0 + exp(-({self.code(expr.arg)}))))"
        if kind is nd.Softplus:
            u = self.code(expr.arg)
            return f"(fmax({u}, 0) + log1p(exp(-fabs({u}))))"
        if kind is nd.LogSigmoid:
            return f"(-{self.code(nd.Softplus(-expr.arg))})"
        if kind in (nd.StopGradient, nd.Rewritten):
            return f"({bare(self.code(expr.args[0]))})"
        if kind not in OVER_OPTIONS:
            raise Unsupported(f"{kind.__name__} of options alone has no form in C")
        count = 2 if kind in (nd.Max, nd.Min, nd.Hypot) else 1
        return f"{OVER_OPTIONS[kind]}({', '.join(map(self.code, expr.args[:count]))})"


def real_literal(number: Any) -> str:
    """A rational as a C double: exact decimals where it has them, else a quotient."""
    value = float(number)
    if isinstance(number, sp.Float) or sp.Rational(repr(value)) == number:
        return repr(value)
    return f"({number.p}.0 / {number.q}.0)"
