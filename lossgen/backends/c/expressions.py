"""Elementwise expressions as C.

In: an expression, and how each read and letter is written where it stands.  Out: C text in which
every number is a ``real``, and in which what options alone decide is known when C is compiled.

    where(given(weight), weight[c], 1)*x[n, c]**2
        →  (GIVEN_WEIGHT ? load(weight[c]) : (real)1) * square(load(input[at + c]))

A node without a C form raises ``Unsupported``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.c.compositions import Compositions
from lossgen.backends.c.conditions import macro, static_code, whole_code
from lossgen.backends.c.options import Options, of_options, real_literal
from lossgen.backends.c.squares import Squares
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import c_name, extent
from lossgen.nodes import Letter, Read, is_static

FUNCTIONS: dict[type[sp.Basic], str] = {
    nd.Exp: "real_exp", nd.Log: "real_log", nd.Sqrt: "real_sqrt", nd.Abs: "real_abs",
    nd.Sign: "real_sign", nd.Sigmoid: "real_sigmoid", nd.LogSigmoid: "real_log_sigmoid",
    nd.Softplus: "real_softplus", nd.Log1p: "real_log1p", nd.Expm1: "real_expm1",
    nd.LogCosh: "real_log_cosh", nd.Tanh: "real_tanh", nd.Sin: "real_sin", nd.Cos: "real_cos",
    nd.Acos: "real_acos", nd.Atan: "real_atan", nd.Asinh: "real_asinh", nd.Erf: "real_erf",
    nd.Erfc: "real_erfc", nd.LogErfc: "real_log_erfc", nd.Erfcx: "real_erfcx",
    nd.Log1mExp: "real_log1mexp", nd.HypotM1: "real_hypotm1", nd.Lgamma: "real_lgamma",
    nd.Digamma: "real_digamma", nd.Floor: "real_floor", nd.Xlogy: "real_xlogy",
    nd.LogAddExp: "real_log_add_exp", nd.Hypot: "real_hypot", nd.Pow1pM1: "real_pow1pm1",
    nd.LogRatio: "real_log_ratio", nd.RelEntropy: "real_rel_entropy", nd.Ratio: "real_ratio",
    nd.Step: "real_step",
}  # fmt: skip


class Expressions(Compositions, Squares):
    """Prints bodies.

    Args:
        read: the C text of a read where it stands.
        letter: the C text of a letter where it stands.
        used: collects the names of the maths functions that are called.
    """

    def __init__(
        self,
        read: Callable[[Read], str],
        letter: Callable[[Letter], str],
        used: set[str],
    ) -> None:
        super().__init__()
        self.read, self.letter, self.used = read, letter, used

    def code(self, expr: sp.Basic) -> str:
        """An expression as a ``real`` (a condition as an ``int``)."""
        return str(self._print(expr))

    def _call(self, name: str, *arguments: str) -> str:
        self.used.add(name)
        return f"{name}({', '.join(map(bare, arguments))})"

    # --- leaves -----------------------------------------------------------------------------

    def _print(self, expr: Any, **settings: Any) -> str:
        if isinstance(expr, (nd.Compare, nd.And, nd.Or, nd.Not, nd.Given)):
            return str(super()._print(expr, **settings))
        if of_options(expr):
            return f"(real)({Options().code(expr)})"
        return str(super()._print(expr, **settings))

    def _print_Read(self, expr: Any) -> str:
        return self.read(expr)

    def _print_Letter(self, expr: Any) -> str:
        return self.letter(expr)

    def _print_Size(self, expr: Any) -> str:
        return f"(real){extent(expr.letter)}"

    def _print_Param(self, expr: Any) -> str:
        name = c_name(expr.name)
        return f"(int64_t){name}" if expr.is_integer else f"(real){name}"

    def _print_Integer(self, expr: Any) -> str:
        return str(expr.p) if expr.p >= 0 else f"({expr.p})"

    def _print_Rational(self, expr: Any) -> str:
        return f"(real){real_literal(expr)}"

    _print_Half = _print_Rational
    _print_Float = _print_Rational

    def _print_Pi(self, expr: Any) -> str:
        return "(real)3.14159265358979323846"

    def _print_Exp1(self, expr: Any) -> str:
        return "(real)2.71828182845904523536"

    def _print_Infinity(self, expr: Any) -> str:
        return "(real)INFINITY"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "(real)-INFINITY"

    def _print_NaN(self, expr: Any) -> str:
        return "(real)NAN"

    # --- arithmetic -------------------------------------------------------------------------

    def _print_Mul(self, expr: Any) -> str:
        above, factors = self.squares_joined(expr.args)
        below: list[str] = []
        sign = ""
        for factor in factors:
            if factor == -1:
                sign = "-" if not sign else ""
                continue
            base, exponent = factor.as_base_exp()
            if isinstance(factor, sp.Pow) and exponent.is_Integer and exponent < 0:
                below += [self._factor(base)] * int(-exponent)
            elif isinstance(factor, sp.Rational) and factor.p == 1 and factor.q != 1:
                below.append(str(factor.q))
            elif factor.is_number and factor.is_negative:
                sign = "-" if not sign else ""
                above.append(self._factor(-factor))
            else:
                above.append(self._factor(factor))
        first = " * ".join(above) if above else "(real)1"
        text = " / ".join((first, *below))
        return f"{sign}{text}"

    def _factor(self, expr: sp.Basic) -> str:
        return str(self.parenthesize(expr, PRECEDENCE["Mul"]))

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = sorted(expr.args, key=lambda t: t.could_extract_minus_sign())
        text = ""
        for term in terms:
            negative = term.could_extract_minus_sign()
            shown = -term if negative and text else term
            code = self.parenthesize(shown, PRECEDENCE["Add"], strict=not (negative and text))
            text += (f" - {code}" if negative else f" + {code}") if text else code
        return text

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent.is_Integer and 2 <= exponent <= 4:
            return self._call("real_whole_power", self.code(base), str(exponent))
        if exponent.is_Integer and exponent < 0:
            below = self._factor(base)
            return " / ".join(["(real)1", *[below] * -int(exponent)])
        if exponent == sp.S.Half:
            return self._call("real_sqrt", self.code(base))
        whole = whole_code(exponent)
        return self._call("real_power", self.code(base), self.code(exponent), whole)

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        whole = whole_code(exponent)
        if whole == "-1":
            return self._call("real_power_slope", self.code(base), self.code(exponent))
        return self._call("real_slope_of_power", self.code(base), self.code(exponent), whole)

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        level = PRECEDENCE["BitwiseOr"]
        return (
            f"({self.parenthesize(expr.left, level)} {expr.op} "
            f"{self.parenthesize(expr.right, level)})"
        )

    def _print_And(self, expr: Any) -> str:
        return f"({' & '.join(map(self.code, expr.args))})"

    def _print_Or(self, expr: Any) -> str:
        return f"({' | '.join(map(self.code, expr.args))})"

    def _print_Not(self, expr: Any) -> str:
        return f"!{self.code(expr.args[0])}"

    def _print_Given(self, expr: Any) -> str:
        return macro(expr)

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "1"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "0"

    # --- choices ----------------------------------------------------------------------------

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = expr.args
        test = static_code(condition) if is_static(condition) else self.code(condition)
        if not isinstance(condition, nd.Where):
            test = bare(test)
        return f"({test} ? {self.code(yes)} : {self.code(no)})"

    def _print_Max(self, expr: Any) -> str:
        return self._call("real_max", self.code(expr.args[0]), self.code(expr.args[1]))

    def _print_Min(self, expr: Any) -> str:
        return self._call("real_min", self.code(expr.args[0]), self.code(expr.args[1]))

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = map(self.code, expr.args)
        self.used.add("real_max")
        return self._call("real_min", f"real_max({bare(x)}, {bare(low)})", high)

    def _print_Rewritten(self, expr: Any) -> str:
        return self.code(expr.form)

    def _print_StopGradient(self, expr: Any) -> str:
        return self.code(expr.arg)

    def _print_StraightThrough(self, expr: Any) -> str:
        return self.code(expr.args[0])

    def _print_NormScale(self, expr: Any) -> str:
        return self._call("norm_scale", self.code(expr.args[0]))

    def _print_Node(self, expr: Any) -> str:
        if type(expr) not in FUNCTIONS:
            raise Unsupported(f"{type(expr).__name__} has no form in C")
        return self._call(FUNCTIONS[type(expr)], *map(self.code, expr.args))


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


def names_in(texts: Iterable[str]) -> set[str]:
    """The words in C text."""
    return {word for text in texts for word in re.findall(r"\w+", text)}
