"""Elementwise expressions as C.

In: an expression, and how each read and letter is written where it stands.  Out: C text in which
every number is a ``real``, and in which what options alone decide is known when C is compiled.

    where(given(weight), weight[c], 1)*x[n, c]**2
        →  (GIVEN_WEIGHT ? load(weight[c]) : (real)1) * square(load(input[at + c]))

A node without a C form raises ``Unsupported``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.c.conditions import macro, static_code, whole_code
from lossgen.backends.c.options import Options, of_options, real_literal
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import c_name, extent
from lossgen.backends.kernel_expressions import KernelExpressions
from lossgen.brackets import bare
from lossgen.nodes import Read, is_static

FUNCTIONS: dict[type[sp.Basic], str] = {
    nd.Exp: "real_exp", nd.Log: "real_log", nd.Sqrt: "real_sqrt", nd.Abs: "real_abs",
    nd.Sign: "real_sign", nd.Sigmoid: "real_sigmoid", nd.LogSigmoid: "real_log_sigmoid",
    nd.Softplus: "real_softplus", nd.Log1p: "real_log1p", nd.Expm1: "real_expm1",
    nd.LogCosh: "real_log_cosh", nd.Tanh: "real_tanh", nd.Sin: "real_sin", nd.Cos: "real_cos",
    nd.Acos: "real_acos", nd.Atan: "real_atan", nd.Asinh: "real_asinh", nd.Erf: "real_erf",
    nd.Erfc: "real_erfc", nd.LogErfc: "real_log_erfc", nd.Erfcx: "real_erfcx",
    nd.Log1mExp: "real_log1mexp", nd.HypotM1: "real_hypotm1", nd.Lgamma: "real_lgamma",
    nd.Digamma: "real_digamma", nd.Trigamma: "real_trigamma", nd.Floor: "real_floor",
    nd.Xlogy: "real_xlogy",
    nd.LogAddExp: "real_log_add_exp", nd.Hypot: "real_hypot", nd.Radius: "real_hypot",
    nd.Pow1pM1: "real_pow1pm1", nd.LogRatio: "real_log_ratio", nd.RelEntropy: "real_rel_entropy",
    nd.Ratio: "real_ratio", nd.Step: "real_step",
}  # fmt: skip


def _left_out(term: sp.Basic) -> bool:
    """Whether an option leaves a term out of a sum."""
    return isinstance(term, nd.Where) and is_static(term.args[0]) and term.args[2] == 0


def _reads_nothing(expr: sp.Basic) -> bool:
    """Whether an expression is the same for all elements: no input, so no NaN of one."""
    return expr.is_number or of_options(expr) or isinstance(expr, nd.Param)


class Expressions(KernelExpressions):
    """Prints bodies."""

    one = "(real)1"

    # --- leaves -----------------------------------------------------------------------------

    def _print(self, expr: Any, **settings: Any) -> str:
        if isinstance(expr, (nd.Compare, nd.Junction, nd.Not, nd.Given)):
            return str(super()._print(expr, **settings))
        if of_options(expr):
            return f"(real)({Options().code(expr)})"
        return str(super()._print(expr, **settings))

    def _print_Real(self, expr: Any) -> str:
        return f"(real)({bare(self.code(expr.args[0]))})"

    def _print_Size(self, expr: Any) -> str:
        return f"(real){extent(expr.letter)}"

    def _print_Param(self, expr: Any) -> str:
        name = c_name(expr.name)
        return f"(int64_t){name}" if expr.is_integer else f"(real){name}"

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

    def known_exponent(self, exponent: sp.Basic) -> str:
        """What the macros of a kernel say of an exponent."""
        return whole_code(exponent)

    def _print_Mul(self, expr: Any) -> str:
        """A product, in which numbers that would be divisors are one factor."""
        numbers = [x for x in expr.args if nd.is_constant(x)]
        if not any(isinstance(x, sp.Pow) and not x.is_rational for x in numbers):
            return super()._print_Mul(expr)
        others = [x for x in expr.args if not nd.is_constant(x)]
        return super()._print_Mul(sp.Mul(sp.Mul(*numbers).evalf(20), *others, evaluate=False))

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        """A sum, of which a term that an option leaves out is not added as 0.

        x + 0 is an instruction: of -0 it makes 0.
        """
        optional = [t for t in expr.args if _left_out(t)]
        rest = [t for t in expr.args if t not in optional]
        if len(optional) != 1 or len(rest) != 1 or not isinstance(rest[0], Read):
            return super()._print_Add(expr, order)
        condition, term, _ = optional[0].args
        return self.code(nd.Where(condition, sp.Add(rest[0], term, evaluate=False), rest[0]))

    def _print_Max(self, expr: Any) -> str:
        return self._better("real_larger", "real_max", expr)

    def _print_Min(self, expr: Any) -> str:
        return self._better("real_smaller", "real_min", expr)

    def _better(self, plain: str, careful: str, expr: Any) -> str:
        """The larger or the smaller of two: one instruction where only the second may be NaN."""
        known, other = sorted(expr.args[:2], key=lambda x: not _reads_nothing(x))
        if _reads_nothing(known):
            return self.call(plain, self.code(known), self.code(other))
        return self.call(careful, *map(self.code, expr.args[:2]))

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = expr.args
        if not (_reads_nothing(low) and _reads_nothing(high)):
            return super()._print_Clip(expr)
        raised = self.call("real_larger", self.code(low), self.code(x))
        return self.call("real_smaller", self.code(high), raised)

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        known = self.known_exponent(exponent)
        if known == "-1":
            return self.call("real_power_slope", self.code(base), self.code(exponent))
        return self.call("real_slope_of_power", self.code(base), self.code(exponent), known)

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        place = shifted_letter(expr.left)
        if place is None or not (isinstance(expr.right, nd.Size) or expr.right.is_Integer):
            return super()._print_Compare(expr)
        at = self.letter(place[0]) + (f" + {place[1]}" if place[1] else "")
        end = extent(expr.right.letter) if isinstance(expr.right, nd.Size) else expr.right
        return f"({at} {expr.op} {end})"

    def _print_Not(self, expr: Any) -> str:
        return f"!{self.condition(expr.args[0])}"

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

    # --- functions --------------------------------------------------------------------------

    def _print_ExpNegative(self, expr: Any) -> str:
        return self.call("real_exp_negative", self.code(expr.arg))

    def _print_SigmoidShare(self, expr: Any) -> str:
        return self.call("real_sigmoid_share", self.code(expr.arg))

    def _print_SigmoidOfShare(self, expr: Any) -> str:
        return self.call("real_sigmoid_of_share", self.code(expr.arg))

    def _print_Log1pSquare(self, expr: Any) -> str:
        return f"(2 * {self.code(nd.Log1p(nd.HypotM1(expr.arg)))})"

    def _print_Node(self, expr: Any) -> str:
        if type(expr) not in FUNCTIONS:
            raise Unsupported(f"{type(expr).__name__} has no form in C")
        return self.call(FUNCTIONS[type(expr)], *map(self.code, expr.args))
