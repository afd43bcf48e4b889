"""Functions as PyTorch: a table of those that torch has, and what stands for the others.

In: a node over tensors or over Python numbers.  Out: a call of torch, of ``math``, or of a helper.

    softplus(x[n])  →  F.softplus(x, threshold=80)

A node without a PyTorch form raises ``NotImplementedError``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_reads import Reads
from lossgen.brackets import bare
from lossgen.derivatives import quotient
from lossgen.nodes import is_scalar

# Functions by node: over tensors, and over Python numbers.
FUNCTIONS: dict[type[sp.Basic], tuple[str, str]] = {
    nd.Exp: ("torch.exp", "math.exp"),
    nd.Log: ("torch.log", "math.log"),
    nd.Sqrt: ("torch.sqrt", "math.sqrt"),
    nd.Abs: ("torch.abs", "abs"),
    nd.Sign: ("torch.sign", ""),
    nd.Sigmoid: ("torch.sigmoid", ""),
    nd.Log1p: ("torch.log1p", "math.log1p"),
    nd.Expm1: ("torch.expm1", "math.expm1"),
    nd.Tanh: ("torch.tanh", "math.tanh"),
    nd.Sin: ("torch.sin", "math.sin"),
    nd.Cos: ("torch.cos", "math.cos"),
    nd.Acos: ("torch.acos", "math.acos"),
    nd.Atan: ("torch.atan", "math.atan"),
    nd.Erf: ("torch.erf", "math.erf"),
    nd.Asinh: ("torch.asinh", "math.asinh"),
    nd.Erfc: ("torch.erfc", "math.erfc"),
    nd.Erfcx: ("torch.special.erfcx", ""),
    nd.LogErfc: ("_log_erfc", ""),
    nd.Log1mExp: ("_log1mexp", ""),
    nd.HypotM1: ("_hypot_minus_one", ""),
    nd.Pow1pM1: ("_pow1p_minus_one", ""),
    nd.HypotPowM1: ("_hypot_power_minus_one", ""),
    nd.HypotPowSlope: ("_hypot_power_slope", ""),
    nd.Log1pSquare: ("_log1p_square", ""),
    nd.LogSum: ("_log_sum", ""),
    nd.LogMixture: ("_log_mixture", ""),
    nd.SettledLogMixture: ("_log_mixture", ""),
    nd.Finite: ("_finite", ""),
    nd.Remainder: ("_remainder", ""),
    nd.LogRatio: ("_log_ratio", ""),
    nd.RelEntropy: ("_rel_entropy", ""),
    nd.Lgamma: ("torch.lgamma", "math.lgamma"),
    nd.Digamma: ("_digamma", ""),
    nd.Trigamma: ("_trigamma", ""),
    nd.Floor: ("torch.floor", "math.floor"),
    nd.LogAddExp: ("torch.logaddexp", ""),
}


# Over Python numbers, functions that ``math`` lacks.
OVER_NUMBERS: dict[type[sp.Basic], str] = {
    nd.Sign: "math.copysign(1.0, {0}) * ({0} != 0)",
    nd.Sigmoid: "0.5 * (1.0 + math.tanh(0.5 * {0}))",
    nd.LogSigmoid: "min({0}, 0.0) - math.log1p(math.exp(-abs({0})))",
    nd.Softplus: "max({0}, 0.0) + math.log1p(math.exp(-abs({0})))",
    nd.LogCosh: "abs({0}) + math.log1p(math.exp(-2.0 * abs({0}))) - math.log(2.0)",
    nd.LogAddExp: "max({0}, {1}) + math.log1p(math.exp(-abs({0} - {1})))",
    nd.Xlogy: "{0} * math.log({1}) if {0} else 0.0",
    nd.Log1mExp: "math.log(-math.expm1({0}))",
    nd.LogErfc: "math.log(math.erfc({0}))",
    nd.Digamma: "torch.digamma(torch.tensor({0}, dtype=torch.float64)).item()",
    nd.HypotM1: "math.hypot(1.0, {0}) - 1.0",
    nd.Pow1pM1: "math.expm1({1} * math.log1p({0}))",
    nd.HypotPowM1: "math.hypot(1.0, {0}) ** {1} - 1.0",
    nd.HypotPowSlope: "{0} * math.hypot(1.0, {0}) ** ({1} - 2.0)",
    nd.Log1pSquare: "math.log1p({0} ** 2)",
    nd.LogSum: "math.log({0} + {1})",
    nd.LogMixture: "math.log1p({1} * math.expm1({0}))",
    nd.SettledLogMixture: "math.log1p({1} * math.expm1({0}))",
    nd.Gauss: "math.exp(-{1} * {0} ** 2)",
    nd.GaussM1: "math.expm1(-{1} * {0} ** 2)",
    nd.LogRatio: "math.log({0} / {1})",
    nd.RelEntropy: "{0} * math.log({0} / {1}) if {0} else 0.0",
}


class Functions(Reads):
    """Prints functions in one scope."""

    def _print_TimesSigmoid(self, expr: Any) -> str:
        factor, at = expr.args
        sign = ""
        if not isinstance(at, nd.Read):
            at, sign = -at, ", -1"
        return f"_times_sigmoid({bare(self.code(factor))}, {self.code(at)}{sign})"

    def _print_Gauss(self, expr: Any) -> str:
        if is_scalar(expr):
            return str(self._print_Node(expr))
        x, rate, rest = expr.args
        arguments = [x, rate] if rest == 0 else [x, rate, rest]
        return f"_gauss({', '.join(map(self.code, arguments))})"

    def _print_GaussM1(self, expr: Any) -> str:
        if is_scalar(expr):
            return str(self._print_Node(expr))
        return f"_gauss_minus_one({', '.join(map(self.code, expr.args[:2]))})"

    def _print_TimesFadingSigmoid(self, expr: Any) -> str:
        factor, at = expr.args
        return f"_times_fading_sigmoid({bare(self.code(factor))}, {self.code(at)})"

    def _print_LogAddExp(self, expr: Any) -> str:
        numbers = [is_scalar(x) for x in expr.args]
        if all(numbers):
            return self._print_Node(expr)
        a, b = (
            self.number(x) if number else bare(self.code(x))
            for x, number in zip(expr.args, numbers, strict=True)
        )
        return f"torch.logaddexp({a}, {b})"

    def _print_Softplus(self, expr: Any) -> str:
        if is_scalar(expr):
            return self._print_Node(expr)
        # By default it is linear from 20 on, where float64 still sees the difference.
        return f"F.softplus({bare(self.code(expr.arg))}, threshold=80)"

    def _print_FlatSqrt(self, expr: Any) -> str:
        return f"_sqrt({bare(self.code(expr.arg))})"

    def _print_FlatAcos(self, expr: Any) -> str:
        return f"_acos({bare(self.code(expr.arg))})"

    def _print_FlatPower(self, expr: Any) -> str:
        base, exponent = expr.args
        if is_scalar(base):  # a number has no slope
            return f"{self.operand(base)}**{self.operand(exponent)}"
        name = "_power" if is_scalar(exponent) else "_powers"
        return f"{name}({bare(self.code(base))}, {bare(self.code(exponent))})"

    def _print_Steep(self, expr: Any) -> str:
        return f"_steep({bare(self.code(expr.arg))})"

    def _print_Bounded(self, expr: Any) -> str:
        return f"_bounded({bare(self.code(expr.arg))})"

    def _print_Taken(self, expr: Any) -> str:
        x, where = (bare(self.code(a)) for a in expr.args)
        return f"_taken({x}, {where})"

    def _print_SoftplusTail(self, expr: Any) -> str:
        return f"_softplus_tail({bare(self.code(expr.arg))})"

    def _print_LogSigmoid(self, expr: Any) -> str:
        if is_scalar(expr):
            return self._print_Node(expr)
        return f"_fused_logsigmoid({self._signed(expr.arg)})"

    def _print_Xlogy(self, expr: Any) -> str:
        x, y = expr.args
        if is_scalar(expr):
            return self._print_Node(expr)
        texts = [bare(self.code(a)) for a in expr.args]
        if x == y:
            return f"_xlogx({texts[0]})"
        name = "torch.xlogy" if is_scalar(x) or is_scalar(y) else "_xlogy"
        return f"{name}({', '.join(texts)})"

    def _print_Sigmoid(self, expr: Any) -> str:
        if is_scalar(expr) or self.names.plain:
            return self._print_Node(expr)
        name = "_fused_sigmoid" if self.names.fusing else "_sigmoid"
        return f"{name}({self._signed(expr.arg)})"

    def _print_Share(self, expr: Any) -> str:
        return f"_fused_share({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_LogShare(self, expr: Any) -> str:
        return f"_fused_log_share({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_LogTotal(self, expr: Any) -> str:
        return f"_fused_log_total({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_Others(self, expr: Any) -> str:
        return f"torch.exp({bare(self.code(expr.arg))}).frac()"  # of the largest it is 1

    def _print_Written(self, expr: Any) -> str:
        return f"_written({bare(self.code(expr.arg))})"

    def _print_SigmoidSlope(self, expr: Any) -> str:
        return f"_fused_sigmoid_slope({bare(self.code(expr.arg))})"

    def _signed(self, at: sp.Expr) -> str:
        """Arguments of a helper that takes a sign apart."""
        negative = isinstance(at, sp.Mul) and at.args[0] == -1
        return f"{bare(self.code(-at))}, -1" if negative else bare(self.code(at))

    def _print_Atan(self, expr: Any) -> str:
        sides = quotient(expr.arg)
        if sides is None or is_scalar(expr) or self.names.fusing:
            return self._print_Node(expr)
        return f"_angle({', '.join(bare(self.code(x)) for x in sides)})"

    def _print_LogCosh(self, expr: Any) -> str:
        if is_scalar(expr):
            return self._print_Node(expr)
        return f"_log_cosh({self.code(expr.arg)})"

    def _print_Hypot(self, expr: Any) -> str:
        a, b = (bare(self.code(x)) for x in expr.args)
        numbers = [is_scalar(x) for x in expr.args]
        if all(numbers):
            return f"math.hypot({a}, {b})"
        if not any(numbers):
            never_zero = self.names.known.of(expr).nonzero
            return f"{'torch.' if never_zero else '_'}hypot({a}, {b})"
        tensor, number = (b, a) if numbers[0] else (a, b)
        return f"torch.hypot({tensor}, {self.names.like}.new_full((), {number}))"

    def _print_Fitted(self, expr: Any) -> str:
        return f"_fitted({self._of_rows(expr)})"

    def _print_Unit(self, expr: Any) -> str:
        return f"{'_over_length' if self.names.plain else '_unit'}({self._of_rows(expr)})"

    def _print_UnitSlope(self, expr: Any) -> str:
        return f"_unit_slope({self._of_rows(expr)})"

    def _of_rows(self, expr: Any) -> str:
        """Arguments of a helper: rows, last what has one number for each, and along which axis."""
        *rows, number = expr.args
        letters = self._letters(number)
        (along,) = (k for k, x in enumerate(self.scope) if x not in letters)
        told = [bare(self.code(x)) for x in rows]
        told.append(bare(self.within(letters).code(number)))
        return f"{', '.join(told)}, {along - len(self.scope)}"

    def _print_Rewritten(self, expr: Any) -> str:
        return f"({bare(self.code(expr.form))})"

    def _print_StopGradient(self, expr: Any) -> str:
        if is_scalar(expr.arg):
            return f"({bare(self.code(expr.arg))})"  # a number, which has no gradient
        return f"{self.held().operand(expr.arg)}.detach()"

    def _print_StraightThrough(self, expr: Any) -> str:
        value, wrt = expr.args
        if is_scalar(wrt):
            return self._print_StopGradient(nd.StopGradient(value))
        if isinstance(value, nd.Max):
            # The gradient is the other expression's, so the shortest form of the value will do.
            value = value.func(
                value.args[0], value.args[1], sp.S.One if is_scalar(value.args[1]) else sp.S.Zero
            )
        if not (is_scalar(value) or self.names.plain or self.names.fusing):
            return f"_straight_through({bare(self.held().code(value))}, {bare(self.code(wrt))})"
        fixed = self.code(value) if is_scalar(value) else f"{self.held().operand(value)}.detach()"
        moving = self.operand(wrt)
        return f"({fixed} + ({moving} - {moving}.detach()))"

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        name = "_power_slope" if is_scalar(exponent) else "_power_slopes"
        return f"{name}({bare(self.code(base))}, {bare(self.code(exponent))})"

    def _print_Log(self, expr: Any) -> str:
        at_end = expr.has(nd.Size) or not self.names.known.of(expr.arg).positive
        if is_scalar(expr) and not expr.arg.is_number and at_end:
            return f"_log({bare(self.code(expr.arg))})"
        return self._print_Node(expr)

    def _print_Node(self, expr: Any) -> str:
        if type(expr) in OVER_NUMBERS and is_scalar(expr):
            return f"({OVER_NUMBERS[type(expr)].format(*map(self.operand, expr.args))})"
        if type(expr) in FUNCTIONS:
            over_tensors, over_numbers = FUNCTIONS[type(expr)]
            name = over_numbers if is_scalar(expr) else over_tensors
            if name == "torch.abs":
                return f"{self.operand(expr.args[0])}.abs()"
            return f"{name}({', '.join(bare(self.code(a)) for a in expr.args)})"
        raise NotImplementedError(f"{type(expr).__name__} has no PyTorch form")

    def number(self, expr: sp.Basic) -> str:
        """A number as a tensor, filled on the device: ``new_tensor`` would wait for it."""
        return f"{self.names.like}.new_full((), {self.code(expr)})"
