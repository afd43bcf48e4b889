"""Elementwise expressions as PyTorch: conditions, and a table of functions.

In: a body, the scope of letters it is computed over, and where arrays and sizes are to be found.
Out: one Python expression.

    max(0, 1 - x[n, c])  →  torch.relu(1 - x)

A node without a PyTorch form raises ``NotImplementedError``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.layout import aligned
from lossgen.backends.torch_reads import Reads
from lossgen.brackets import bare
from lossgen.nodes import Letter, Read, is_scalar, walk
from lossgen.program import kind_of

# Functions by node: over tensors, and over Python numbers.
FUNCTIONS: dict[type[sp.Basic], tuple[str, str]] = {
    nd.Exp: ("torch.exp", "math.exp"),
    nd.Log: ("torch.log", "math.log"),
    nd.Sqrt: ("torch.sqrt", "math.sqrt"),
    nd.Abs: ("torch.abs", "abs"),
    nd.Sign: ("torch.sign", ""),
    nd.Sigmoid: ("torch.sigmoid", ""),
    nd.LogSigmoid: ("F.logsigmoid", ""),
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
    nd.Finite: ("_finite", ""),
    nd.Remainder: ("_remainder", ""),
    nd.LogRatio: ("_log_ratio", ""),
    nd.RelEntropy: ("_rel_entropy", ""),
    nd.Lgamma: ("torch.lgamma", "math.lgamma"),
    nd.Digamma: ("torch.digamma", ""),
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
    nd.HypotM1: "math.hypot(1.0, {0}) - 1.0",
    nd.Pow1pM1: "math.expm1({1} * math.log1p({0}))",
    nd.HypotPowM1: "math.hypot(1.0, {0}) ** {1} - 1.0",
    nd.HypotPowSlope: "{0} * math.hypot(1.0, {0}) ** ({1} - 2.0)",
    nd.Log1pSquare: "math.log1p({0} ** 2)",
    nd.LogSum: "math.log({0} + {1})",
    nd.Gauss: "math.exp(-{1} * {0} ** 2)",
    nd.GaussM1: "math.expm1(-{1} * {0} ** 2)",
    nd.LogRatio: "math.log({0} / {1})",
    nd.RelEntropy: "{0} * math.log({0} / {1}) if {0} else 0.0",
}


class Expressions(Reads):
    """Prints one body in one scope."""

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        left, right = expr.left, expr.right
        if (
            isinstance(left, Letter)
            and isinstance(right, Letter)
            and expr.op in ("==", "!=")
            and self.names.axes.get(left) == self.names.axes.get(right)
            and not self.extents.keys() & {left, right}
        ):
            like = self.names.like
            eye = f"torch.eye({self.names.size(left)}, dtype=torch.bool, device={like}.device)"
            pair = [x for x in self.scope if x in (left, right)]
            return ("~" if expr.op == "!=" else "") + aligned(eye, pair, self.scope)
        level = PRECEDENCE["BitwiseOr"]
        return f"({self.parenthesize(left, level)} {expr.op} {self.parenthesize(right, level)})"

    def _print_And(self, expr: Any) -> str:
        word = " and " if is_scalar(expr) else " & "
        return f"({word.join(map(self.code, expr.args))})"

    def _print_Or(self, expr: Any) -> str:
        word = " or " if is_scalar(expr) else " | "
        return f"({word.join(map(self.code, expr.args))})"

    def _print_Not(self, expr: Any) -> str:
        return f"{'not ' if is_scalar(expr) else '~'}{self.code(expr.args[0])}"

    def opposite(self, condition: sp.Basic) -> str:
        """The test that a static condition fails."""
        if isinstance(condition, nd.Given):
            return f"{condition.name} is None"
        if isinstance(condition, nd.Compare):
            return bare(
                self.code(nd.Compare(nd.MIRROR[condition.op], condition.left, condition.right))
            )
        return f"not {self.operand(condition)}"

    def _print_Given(self, expr: Any) -> str:
        return f"{expr.name} is not None"

    def _print_Needs(self, expr: Any) -> str:
        asked = " or ".join(f"need_{name}" for name in expr.names)
        return f"({asked})" if len(expr.names) > 1 else asked

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "False"

    # --- functions --------------------------------------------------------------------------

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = expr.args
        if is_scalar(condition):
            return f"({self.code(yes)} if {bare(self.code(condition))} else {self.code(no)})"
        test = bare(self.code(condition))
        numbers = [is_scalar(x) for x in (yes, no)]
        if all(numbers):
            # where(mask, 0.1, 0.2) is float32 whatever the inputs are.
            if (yes, no) == (1, 0):
                return f"{self.operand(condition)}.to({self.names.like}.dtype)"
            if (yes, no) == (0, 1):
                return f"{self.operand(nd.Not(condition))}.to({self.names.like}.dtype)"
            first = self.number(yes)
            return f"torch.where({test}, {first}, {self.code(no)})"
        return self._choice(condition, yes, no)

    def _choice(self, condition: Any, yes: Any, no: Any) -> str:
        """A choice between values that are not both numbers."""
        test = bare(self.code(condition))
        kept, other = (yes, no) if no == 0 else (no, yes)
        real = is_scalar(kept) or kind_of(kept, self.names.kinds) == "real"
        if other == 0 and real and self._scattered(condition):
            test = test if no == 0 else self.code(nd.Not(condition))
            return f"_masked({bare(self.code(kept))}, {test})"
        return f"torch.where({test}, {bare(self.code(yes))}, {bare(self.code(no))})"

    def _scattered(self, condition: Any) -> bool:
        """Whether a mask over a large array is as good as random: one that labels decide."""
        if len(self.scope) < self.names.rank or self.extents or condition in self.names.guards:
            return False
        labels = any(
            isinstance(x, nd.Compare)
            and is_scalar(x.right)
            and type(x.left) is Read
            and x.left.name in self.names.inputs
            and {*x.left.subscripts} >= {*self.scope}
            for x in walk(condition)
        )
        return labels and not self.names.plain and not self.names.fusing

    def number(self, expr: sp.Basic) -> str:
        """A number as a tensor, filled on the device: ``new_tensor`` would wait for it."""
        return f"{self.names.like}.new_full((), {self.code(expr)})"

    def _print_Max(self, expr: Any) -> str:
        return self._extreme(expr, "maximum", "min", ">")

    def _print_Min(self, expr: Any) -> str:
        return self._extreme(expr, "minimum", "max", "<")

    def _extreme(self, expr: Any, both: str, clamp: str, beats: str) -> str:
        a, b, share = expr.args
        if is_scalar(a) and is_scalar(b):
            return f"{both[:3]}({self.code(a)}, {self.code(b)})"
        if is_scalar(a):
            a, b, share = b, a, 1 - share
        if is_scalar(b):
            return self._against(a, b, share, both, clamp, beats)
        if share == sp.S.Half:
            return f"torch.{both}({self.code(a)}, {self.code(b)})"
        test = f"{beats}=" if share == 1 else beats
        first, second = (
            self.parenthesize(a, PRECEDENCE["Add"]),
            self.parenthesize(b, PRECEDENCE["Add"]),
        )
        return f"torch.where({first} {test} {second}, {self.code(a)}, {self.code(b)})"

    def _against(self, a: Any, bound: Any, share: Any, both: str, clamp: str, beats: str) -> str:
        """A tensor against a number; each tie rule is that of the function printed."""
        if share == 1:
            return f"{self.operand(a)}.clamp({clamp}={self.code(bound)})"
        if share == 0 and bound == 0 and clamp == "min":
            return f"torch.relu({self.code(a)})"
        if share == sp.S.Half:
            return f"torch.{both}({self.code(a)}, {self.number(bound)})"
        if share == 0:
            # The one clamp of torch's whose slope at the bound is 0.
            if clamp == "min":
                limit = self.code(bound)
                return f"F.threshold({bare(self.code(a))}, {limit}, {limit})"
            limit = self.code(-bound)
            return f"(-F.threshold({bare(self.code(-a))}, {limit}, {limit}))"
        first, limit = self.parenthesize(a, PRECEDENCE["Add"]), self.code(bound)
        return f"torch.where({first} {beats} {limit}, {self.code(a)}, {limit})"

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = expr.args
        return f"{self.operand(x)}.clamp({self.code(low)}, {self.code(high)})"

    def _print_FlatClip(self, expr: Any) -> str:
        return f"F.hardtanh({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_SquaredError(self, expr: Any) -> str:
        a, b = map(self.code, expr.args)
        return f'F.mse_loss({a}, {b}, reduction="none")'

    def _print_Bent(self, expr: Any) -> str:
        a, b, bound = map(self.code, expr.args)
        return f'F.huber_loss({a}, {b}, reduction="none", delta={bound})'

    def _print_BentOver(self, expr: Any) -> str:
        a, b, bound = map(self.code, expr.args)
        return f'F.smooth_l1_loss({a}, {b}, reduction="none", beta={bound})'

    def _print_TimesBentSlope(self, expr: Any) -> str:
        return f"_times_bent_slope({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_Step(self, expr: Any) -> str:
        return f"_step({bare(self.code(expr.arg))})"

    def _print_WhereAbove(self, expr: Any) -> str:
        x, gate, bound = (bare(self.code(a)) for a in expr.args)
        return f"_where_above({x}, {gate}{'' if expr.args[2] == 0 else f', {bound}'})"

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
        # F.softplus turns linear at 20, where float64 still sees the difference.
        return f"(-F.logsigmoid({self.code(-expr.arg)}))"

    def _print_Xlogy(self, expr: Any) -> str:
        x, y = expr.args
        texts = [bare(self.code(a)) for a in expr.args]
        if x == y:
            return f"_xlogx({texts[0]})"
        name = "torch.xlogy" if is_scalar(x) or is_scalar(y) else "_xlogy"
        return f"{name}({', '.join(texts)})"

    def _print_Sigmoid(self, expr: Any) -> str:
        if is_scalar(expr) or self.names.plain:
            return self._print_Node(expr)
        at, sign = expr.arg, ""
        if isinstance(at, sp.Mul) and at.args[0] == -1:
            at, sign = -at, ", -1"
        name = "_fused_sigmoid" if self.names.fusing else "_sigmoid"
        return f"{name}({bare(self.code(at))}{sign})"

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
            return f"_hypot({a}, {b})"
        tensor, number = (b, a) if numbers[0] else (a, b)
        return f"torch.hypot({tensor}, {self.names.like}.new_full((), {number}))"

    def _print_Rewritten(self, expr: Any) -> str:
        return f"({bare(self.code(expr.form))})"

    def _print_StopGradient(self, expr: Any) -> str:
        return f"{self.operand(expr.arg)}.detach()"

    def _print_StraightThrough(self, expr: Any) -> str:
        value, wrt = expr.args
        if isinstance(value, nd.Max):
            # The gradient is the other expression's, so the shortest form of the value will do.
            value = value.func(
                value.args[0], value.args[1], sp.S.One if is_scalar(value.args[1]) else sp.S.Zero
            )
        fixed = self.code(value) if is_scalar(value) else f"{self.operand(value)}.detach()"
        moving = self.operand(wrt)
        return f"({fixed} + ({moving} - {moving}.detach()))"

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        return f"_power_slope({bare(self.code(base))}, {self.code(exponent)})"

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
