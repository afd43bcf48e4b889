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
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import c_name, extent
from lossgen.nodes import Letter, Param, Read, is_scalar, is_static, walk

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
# Over options alone, in double, once for a whole kernel.
OVER_OPTIONS: dict[type[sp.Basic], str] = {
    nd.Exp: "exp", nd.Log: "log", nd.Sqrt: "sqrt", nd.Abs: "fabs", nd.Log1p: "log1p",
    nd.Expm1: "expm1", nd.Tanh: "tanh", nd.Sin: "sin", nd.Cos: "cos", nd.Acos: "acos",
    nd.Atan: "atan", nd.Asinh: "asinh", nd.Erf: "erf", nd.Erfc: "erfc", nd.Lgamma: "lgamma",
    nd.Floor: "floor", nd.Hypot: "hypot", nd.Max: "fmax", nd.Min: "fmin",
}  # fmt: skip
_OPERATORS = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}


def macro(condition: sp.Basic) -> str:
    """The name under which C knows whether a static condition holds.

    >>> macro(nd.Compare(">", Param("label_smoothing"), 0))
    'LABEL_SMOOTHING_GT_0'
    """
    if isinstance(condition, nd.Given):
        return f"GIVEN_{condition.name.upper()}"
    if isinstance(condition, nd.Needs):
        return " || ".join(f"NEED_{name.upper()}" for name in condition.names)
    if isinstance(condition, nd.Compare):
        right = {sp.oo: "INFINITY", -sp.oo: "MINUS_INFINITY"}.get(
            condition.right, str(condition.right).replace("-", "MINUS_")
        )
        text = f"{condition.left}_{_OPERATORS[condition.op]}_{right}"
        return re.sub(r"\W+", "_", text).upper()
    return re.sub(r"\W+", "_", str(condition)).strip("_").upper()


def atoms(expr: sp.Basic) -> list[sp.Basic]:
    """The static conditions in an expression, taken apart at ``and``, ``or`` and ``not``."""
    found: dict[sp.Basic, None] = {}
    for x in walk(expr):
        if isinstance(x, nd.Where) and is_static(x.args[0]):
            found.update(dict.fromkeys(leaves(x.args[0])))
        elif isinstance(x, (nd.Given, nd.Needs)):
            found.setdefault(x)
    return list(found)


def leaves(condition: sp.Basic) -> list[sp.Basic]:
    """What ``and``, ``or`` and ``not`` join in a static condition."""
    if condition in (nd.TRUE, nd.FALSE):
        return []
    if isinstance(condition, (nd.And, nd.Or, nd.Not)):
        return [y for x in condition.args for y in leaves(x)]
    return [condition]


def static_code(condition: sp.Basic) -> str:
    """A static condition as C knows it when it is compiled."""
    if condition in (nd.TRUE, nd.FALSE):
        return "1" if condition is nd.TRUE else "0"
    if isinstance(condition, nd.Not):
        return f"!{static_code(condition.args[0])}"
    if isinstance(condition, (nd.And, nd.Or)):
        word = " || " if isinstance(condition, nd.Or) else " && "
        return f"({word.join(map(static_code, condition.args))})"
    text = macro(condition)
    return f"({text})" if " " in text else text


def integer_macro(exponent: sp.Basic) -> str:
    """The name under which C knows a small whole exponent, -1 where it is another number."""
    return f"WHOLE_{exponent.name.upper()}" if isinstance(exponent, Param) else "-1"


class Expressions(StrPrinter):
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
        if _of_options(expr):
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
        above: list[str] = []
        below: list[str] = []
        sign = ""
        for factor in expr.args:
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
        whole = integer_macro(exponent)
        return self._call("real_power", self.code(base), self.code(exponent), whole)

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        whole = integer_macro(exponent)
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
        return self._call("norm_scale", self.code(expr.arg))

    def _print_Node(self, expr: Any) -> str:
        if type(expr) not in FUNCTIONS:
            raise Unsupported(f"{type(expr).__name__} has no form in C")
        return self._call(FUNCTIONS[type(expr)], *map(self.code, expr.args))


def _of_options(expr: Any) -> bool:
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

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        if expr.exp == -1:
            return f"1.0 / {self.parenthesize(expr.base, PRECEDENCE['Mul'])}"
        return f"pow({self.code(expr.base)}, {self.code(expr.exp)})"

    def _print_Mul(self, expr: Any) -> str:
        if expr.could_extract_minus_sign():
            return f"-{self.parenthesize(-expr, PRECEDENCE['Mul'])}"
        above = [f for f in expr.args if not (isinstance(f, sp.Pow) and f.exp == -1)]
        below = [f.base for f in expr.args if isinstance(f, sp.Pow) and f.exp == -1]
        parts = [self.parenthesize(f, PRECEDENCE["Mul"]) for f in above] or ["1.0"]
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
            return f"1.0 / (1.0 + exp(-({self.code(expr.arg)})))"
        if kind in (nd.StopGradient, nd.Rewritten):
            return self.code(expr.args[0])
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
