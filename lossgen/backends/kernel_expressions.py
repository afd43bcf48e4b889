"""What expressions in a kernel look like whether it is written in C or in Triton.

In: an expression over elements.  Out: its text, over the functions that ``templates/c`` names.

    -(a - b)*x/t  →  -(a - b) * x / t        max(0, x)  →  real_max(0, x)

What the languages say differently (leaves, choices, numbers) is left to their own printers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.kernel_squares import Squares
from lossgen.brackets import bare
from lossgen.nodes import ONE, Letter, Read, is_scalar

# What changes a slope and not the value: the kernels print their first argument alone.
_MARKS = (nd.StopGradient, nd.StraightThrough, nd.Rewritten)


class KernelExpressions(Squares):
    """Prints arithmetic and compositions.

    Args:
        read: the text of a read where it stands.
        letter: the text of a letter where it stands.
        used: collects the names of the maths functions that are called.
    """

    one: ClassVar[str]  # the number, of a kernel's type

    def __init__(
        self, read: Callable[[Read], str], letter: Callable[[Letter], str], used: set[str]
    ) -> None:
        super().__init__()
        self.read, self.letter, self.used = read, letter, used

    def code(self, expr: sp.Basic) -> str:
        """An expression where it stands."""
        return str(self._print(expr))

    def call(self, name: str, *arguments: str) -> str:
        """The call of a maths function."""
        self.used.add(name)
        return f"{name}({', '.join(map(bare, arguments))})"

    @abstractmethod
    def known_exponent(self, exponent: sp.Basic) -> str:
        """Which small whole number an exponent is, where that is known beforehand, else -1."""

    def exponent(self, exponent: Any) -> str:
        """An exponent as an argument."""
        return self.code(exponent)

    # --- leaves -----------------------------------------------------------------------------

    def _print_Read(self, expr: Any) -> str:
        return self.read(expr)

    def _print_Letter(self, expr: Any) -> str:
        return self.letter(expr)

    def _print_Integer(self, expr: Any) -> str:
        return str(expr.p) if expr.p >= 0 else f"({expr.p})"

    # --- arithmetic -------------------------------------------------------------------------

    def _print_Mul(self, expr: Any) -> str:
        inverse = next((f for f in expr.args if isinstance(f, nd.Ratio) and f.args[0] == 1), None)
        if inverse is not None:
            # The product is divided, as 1 over what is tiny would be infinite by itself.
            product = sp.Mul(*(f for f in expr.args if f is not inverse), evaluate=False)
            return self.code(nd.Ratio(product, inverse.args[1]))
        above, factors = self.squares_joined(expr.args)
        below: list[str] = []
        again: list[str] = []  # what divides several times comes last: alone it may leave the range
        sign = ""
        for factor in factors:
            if factor == -1:
                sign = "-" if not sign else ""
                continue
            base, exponent = factor.as_base_exp()
            if isinstance(factor, sp.Pow) and exponent.is_Integer and exponent < 0:
                (again if exponent < -1 else below).extend([self.factor(base)] * int(-exponent))
            elif isinstance(factor, sp.Rational) and factor.p == 1 and factor.q != 1:
                below.append(str(factor.q))
            elif factor.is_number and factor.is_negative:
                sign = "-" if not sign else ""
                above.append(self.factor(-factor))
            else:
                above.append(self.factor(factor))
        return sign + " / ".join((" * ".join(above) or self.one, *below, *again))

    def parenthesize(self, item: Any, level: Any, strict: bool = False) -> str:
        """An expression with what parentheses it needs, as what only marks it is not printed."""
        while isinstance(item, _MARKS):
            item = item.args[0]
        return str(super().parenthesize(item, level, strict))

    def factor(self, expr: sp.Basic) -> str:
        """An expression as a factor."""
        return str(self.parenthesize(expr, PRECEDENCE["Mul"]))

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        # Tensors before scalars, as in PyTorch: differences that tie do so with a constant added.
        signs = {t: t.could_extract_minus_sign() for t in expr.args}
        leading = any(not negative and not is_scalar(t) for t, negative in signs.items())

        def early(term: sp.Expr) -> tuple[bool, bool]:
            kind, negative = is_scalar(term), signs[term]
            return (kind, negative) if leading else (negative, kind)

        text = ""
        for term in sorted(expr.args, key=early):
            negative = term.could_extract_minus_sign()
            shown = -term if negative and text else term
            code = self.parenthesize(shown, PRECEDENCE["Add"], strict=not (negative and text))
            text += (f" - {code}" if negative else f" + {code}") if text else code
        return text

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent.is_Integer and 2 <= exponent <= 4:
            return self.call("real_whole_power", self.code(base), str(exponent))
        if exponent.is_Integer and exponent < 0:
            return " / ".join([self.one, *[self.factor(base)] * -int(exponent)])
        if exponent == sp.S.Half:
            return self.call("real_sqrt", self.code(base))
        known = self.known_exponent(exponent)
        return self.call("real_power", self.code(base), self.exponent(exponent), known)

    # --- conditions and choices -------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        level = PRECEDENCE["BitwiseOr"]
        left, right = self.parenthesize(expr.left, level), self.parenthesize(expr.right, level)
        return f"({left} {expr.op} {right})"

    def _print_And(self, expr: Any) -> str:
        return f"({' & '.join(map(self.condition, expr.args))})"

    def _print_Or(self, expr: Any) -> str:
        return f"({' | '.join(map(self.condition, expr.args))})"

    def condition(self, expr: sp.Basic) -> str:
        """A part of a condition; an option that is true or false is passed as a number."""
        return f"({self.code(expr)} != 0)" if isinstance(expr, nd.Param) else self.code(expr)

    def _print_Max(self, expr: Any) -> str:
        return self.call("real_max", *map(self.code, expr.args[:2]))

    def _print_Min(self, expr: Any) -> str:
        return self.call("real_min", *map(self.code, expr.args[:2]))

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = map(self.code, expr.args)
        return self.call("real_min", self.call("real_max", x, low), high)

    def _print_Rewritten(self, expr: Any) -> str:
        return self.code(expr.form)

    def _print_Standstill(self, expr: Any) -> str:
        text = self.factor(expr.args[0])
        return f"({text} - {text})"

    def _print_StopGradient(self, expr: Any) -> str:
        return self.code(expr.arg)

    def _print_StraightThrough(self, expr: Any) -> str:
        return self.code(expr.args[0])

    # --- compositions that keep range and digits --------------------------------------------

    def _print_NormScale(self, expr: Any) -> str:
        return self.call("norm_scale", self.code(expr.args[0]))

    def _print_FittingScale(self, expr: Any) -> str:
        return self.call("fitting_scale", self.code(expr.args[0]))

    def _print_Fitted(self, expr: Any) -> str:
        row, fitting = expr.args
        return self.code(fitting) if row == ONE else self.code(sp.Mul(row, fitting))

    def _print_ExpNegative(self, expr: Any) -> str:
        return self.code(nd.Exp(expr.arg))

    def _print_HypotPowM1(self, expr: Any) -> str:
        x, power = expr.args
        return self.code(nd.Pow1pM1(nd.HypotM1(x), power))

    def _print_HypotPowSlope(self, expr: Any) -> str:
        x, power = nd.Finite(expr.args[0]), expr.args[1]
        length = nd.Hypot(x, ONE)
        # Neither factor alone need be in range.
        return f"({self.code(x)} / {self.code(length)} * {self.code(length ** (power - 1))})"

    def _print_LogSum(self, expr: Any) -> str:
        return self.call("real_log_sum_of", *map(self.code, expr.args))

    def _print_LogMixture(self, expr: Any) -> str:
        x, share = expr.args
        return self.call("real_log_mixture", *map(self.code, (x, share, expr.rest)))

    def _print_Finite(self, expr: Any) -> str:
        return self.call("real_finite", self.code(expr.arg))

    def _print_Gauss(self, expr: Any) -> str:
        return self.call("real_gauss", *map(self.code, expr.args))

    def _print_GaussM1(self, expr: Any) -> str:
        x, rate, _ = expr.args
        return self.code(nd.Expm1(-rate * nd.Finite(x) ** 2))

    def _print_Remainder(self, expr: Any) -> str:
        return self.call("real_remainder", *map(self.code, expr.args))
