"""Elementwise expressions as Triton.

In: an expression, and how each read and letter is written where it stands.  Out: Python text that
computes in ``REAL``, the type of the kernel, and in which static conditions are ``tl.constexpr``.

    where(given(weight), weight[c], 1)*x[n, c]**2
        →  (weight if GIVEN_WEIGHT else 1.0) * x * x

A node without a form raises ``Unsupported``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.backends.c import Unsupported
from lossgen.backends.c.conditions import integer_macro
from lossgen.backends.c.expressions import FUNCTIONS
from lossgen.backends.c.options import of_options
from lossgen.backends.c.words import extent
from lossgen.backends.kernel_expressions import KernelExpressions
from lossgen.backends.triton.conditions import static_code
from lossgen.brackets import bare
from lossgen.nodes import Param, is_static

_BUILT_IN = {nd.Abs: "tl.abs", nd.Floor: "tl.floor"}


# What the C backend calls otherwise.
_NAMES = {
    "real_max": "_larger",
    "real_min": "_smaller",
    "norm_scale": "_norm_scale",
    "fitting_scale": "_fitting_scale",
}


class Expressions(KernelExpressions):
    """Prints bodies."""

    one = "1.0"
    integers = False  # whether what is printed is an integer

    def call(self, name: str, *arguments: str) -> str:
        """The call of what the C backend calls ``real_name``."""
        return super().call(_NAMES.get(name, name.removeprefix("real")), *arguments)

    def whole(self, expr: sp.Basic) -> str:
        """An expression whose value is an integer."""
        self.integers = True
        try:
            return self.code(expr)
        finally:
            self.integers = False

    def parenthesize(self, item: Any, level: int, strict: bool = False) -> str:
        """An operand, in parentheses where it needs them."""
        if of_options(item):
            return self.code(item)
        return str(super().parenthesize(item, level, strict=strict))

    # --- leaves -----------------------------------------------------------------------------

    def _print(self, expr: Any, **settings: Any) -> str:
        if isinstance(expr, (nd.Compare, nd.Junction, nd.Not, nd.Given)):
            if is_static(expr):
                return f"({static_code(expr)})"
            return str(super()._print(expr, **settings))
        if of_options(expr):
            return f"({bare(Options(self.used).code(expr))}).to(REAL)"
        return str(super()._print(expr, **settings))

    def _print_Size(self, expr: Any) -> str:
        return f"tl.full((), {extent(expr.letter)}, REAL)"

    def _print_Param(self, expr: Any) -> str:
        return str(expr.name) if expr.is_integer else f"{expr.name}.to(REAL)"

    def _print_Rational(self, expr: Any) -> str:
        return number(expr)

    _print_Half = _print_Rational
    _print_Float = _print_Rational

    def _print_Pi(self, expr: Any) -> str:
        return "3.141592653589793"

    def _print_Exp1(self, expr: Any) -> str:
        return "2.718281828459045"

    def _print_Infinity(self, expr: Any) -> str:
        return 'float("inf")'

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return 'float("-inf")'

    def _print_NaN(self, expr: Any) -> str:
        return 'float("nan")'

    # --- arithmetic -------------------------------------------------------------------------

    def _print_Real(self, expr: Any) -> str:
        return f"({self.code(expr.args[0])}).to(REAL)"

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        known = self.known_exponent(exponent)
        return self.call("_slope_of_power", self.code(base), self.exponent(exponent), known)

    def known_exponent(self, exponent: sp.Basic) -> str:
        """What the constants of a kernel say of an exponent."""
        return integer_macro(exponent)

    def exponent(self, exponent: Any) -> str:
        code = self.code(exponent)
        plain = exponent.is_number or (isinstance(exponent, Param) and exponent.is_integer)
        return f"tl.full((), {code}, REAL)" if plain else code

    # --- conditions -------------------------------------------------------------------------

    def _print_Not(self, expr: Any) -> str:
        return f"(~{self.condition(expr.args[0])})"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "False"

    # --- choices ----------------------------------------------------------------------------

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = expr.args
        if is_static(condition):
            return f"({self._real(yes)} if {static_code(condition)} else {self._real(no)})"
        test = bare(self.code(condition))
        text = f"tl.where({test}, {bare(self._real(yes))}, {bare(self._real(no))})"
        # Of numbers alone it would be a float, or an integer.
        numbers = _is_literal(yes) and _is_literal(no) and not self.integers
        return f"{text}.to(REAL)" if numbers else text

    def _real(self, expr: Any) -> str:
        if self.integers:
            return self.code(expr)
        if _is_literal(expr) and not expr.is_Integer and float(expr) * 64 % 1:
            return f"tl.full((), {self.code(expr)}, REAL)"  # a float would round it
        return f"{expr}.0" if expr.is_Integer else self.code(expr)

    # --- functions --------------------------------------------------------------------------

    def _print_Log1pSquare(self, expr: Any) -> str:
        return f"2.0 * {self.code(nd.Log1p(nd.HypotM1(expr.arg)))}"

    def _print_Node(self, expr: Any) -> str:
        if type(expr) in _BUILT_IN:
            return f"{_BUILT_IN[type(expr)]}({bare(self.code(expr.args[0]))})"
        if type(expr) not in FUNCTIONS:
            raise Unsupported(f"{type(expr).__name__} has no form in Triton")
        return self.call(FUNCTIONS[type(expr)], *map(self._operand, expr.args))

    def _operand(self, expr: Any) -> str:
        code = self.code(expr)
        return f"tl.full((), {code}, REAL)" if expr.is_number else code


class Options(Expressions):
    """Prints what options alone decide, in double."""

    def __init__(self, used: set[str]) -> None:
        super().__init__(lambda read: str(read), str, used)

    def parenthesize(self, item: Any, level: int, strict: bool = False) -> str:
        """An operand, in parentheses where it needs them."""
        return str(StrPrinter.parenthesize(self, item, level, strict=strict))

    def _print(self, expr: Any, **settings: Any) -> str:
        return str(StrPrinter._print(self, expr, **settings))

    def _print_Param(self, expr: Any) -> str:
        return str(expr.name)

    def _print_Size(self, expr: Any) -> str:
        return f"tl.full((), {extent(expr.letter)}, tl.float64)"

    def _operand(self, expr: Any) -> str:
        code = self.code(expr)
        return f"tl.full((), {code}, tl.float64)" if expr.is_number else code

    def exponent(self, exponent: Any) -> str:
        return self._operand(exponent)


def number(value: Any) -> str:
    """A rational as a Python number: exact decimals where it has them, else a quotient."""
    if isinstance(value, sp.Float) or sp.Rational(repr(float(value))) == value:
        return repr(float(value))
    return f"({value.p} / {value.q})"


def _is_literal(expr: Any) -> bool:
    return bool(expr.is_number) and bool(expr.is_finite)
