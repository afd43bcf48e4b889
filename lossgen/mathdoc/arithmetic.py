"""Sums, products and powers as LaTeX, in the order in which one writes them.

In: arithmetic over our nodes.  Out: LaTeX whose parentheses are those that are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy.printing.latex import LatexPrinter

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Where, free_letters, is_scalar

# How tightly an expression holds together. What is weaker than its place asks is parenthesised.
TEST, SUM, PRODUCT, POWER, ATOM = range(5)

OPEN_ENDED = ("sum", "mean", "amax", "amin", "logsumexp")


def tall(text: str) -> bool:
    """Whether LaTeX sets a text higher than a line."""
    return any(
        word in text
        for word in ("\\frac", "\\sum", "\\begin", "\\sqrt", "\\max_", "\\min_", "mean}_")
    )


def grouped(text: str) -> str:
    """A text in parentheses of its height."""
    return f"\\left({text}\\right)" if tall(text) else f"({text})"


def negative(expr: sp.Basic) -> bool:
    """Whether an expression is written with a leading minus."""
    return bool(expr.is_Number and expr.is_negative) or (
        isinstance(expr, sp.Mul) and bool(expr.args[0].is_Number and expr.args[0].is_negative)
    )


def bracketed(expr: sp.Basic) -> sp.Basic:
    """A choice against 0 as a factor: what is chosen, times the bracket of its condition."""
    if isinstance(expr, sp.Mul):
        return sp.Mul(*map(bracketed, expr.args))
    if isinstance(expr, Where) and expr.args[1:] not in ((1, 0), (0, 1)) and 0 in expr.args[1:]:
        condition, yes, no = expr.args
        holds = condition if no == 0 else nd.Not(condition)
        return sp.Mul(Where(holds, 1, 0), bracketed(yes if no == 0 else no))
    if isinstance(expr, Where) and expr.args[1:] == (0, 1):
        return Where(nd.Not(expr.args[0]), 1, 0)
    return expr


def is_bracket(expr: sp.Basic) -> bool:
    """Whether an expression is 1 where a condition holds and 0 elsewhere."""
    return isinstance(expr, Where) and expr.args[1:] == (1, 0)


def counts_as(expr: Where) -> str:
    """What an optional tensor's element counts as when it is not given, if this is one."""
    condition, yes, no = expr.args
    given = isinstance(condition, nd.Given) and isinstance(yes, nd.Read)
    named = given and condition.name == yes.name
    return str(no) if named and (no.is_Number or no is TRUE) else ""


class Arithmetic(LatexPrinter):
    """Prints arithmetic; what it is made of is printed by the class that derives from it."""

    def text(self, expr: sp.Basic, least: int = TEST) -> str:
        """The expression, in parentheses where it holds together less than asked."""
        text = str(self._print(expr))
        return text if self.strength(expr) >= least else grouped(text)

    def strength(self, expr: sp.Basic) -> int:
        """How tightly an expression holds together."""
        if isinstance(expr, nd.Rewritten):
            return self.strength(expr.formula)
        if isinstance(expr, nd.Finite):
            return self.strength(expr.arg)
        if isinstance(expr, (nd.Compare, nd.Junction, nd.Not, Where, nd.Given)) and not is_bracket(
            expr
        ):
            if isinstance(expr, Where):
                return ATOM if counts_as(expr) else PRODUCT
            return TEST
        if isinstance(
            expr, (sp.Add, nd.Expm1, nd.HypotM1, nd.Pow1pM1, nd.HypotPowM1, nd.GaussM1)
        ) or negative(expr):
            return SUM
        if expr.is_Float or expr.is_Integer:
            return PRODUCT if "\\" in self._print(expr) else ATOM
        if isinstance(
            expr, (sp.Mul, nd.Reduce, nd.Along, nd.Xlogy, nd.RelEntropy, nd.HypotPowSlope)
        ):
            closed = isinstance(expr, nd.Reduce) and expr.op == "norm" and expr.where is TRUE
            return ATOM if closed else PRODUCT
        calls = (
            nd.Log,
            nd.LogSigmoid,
            nd.LogErfc,
            nd.LogRatio,
            nd.Log1p,
            nd.Log1pSquare,
            nd.LogMixture,
            nd.LogSum,
            nd.Log1mExp,
            nd.LogAddExp,
        )
        if isinstance(expr, (sp.Pow, nd.PowerSlope, nd.Ratio, *calls)):
            quotient = isinstance(expr, nd.Ratio) or (expr.is_Pow and expr.exp.is_negative)
            return PRODUCT if quotient else POWER
        if isinstance(expr, sp.Rational) and not expr.is_Integer:
            return PRODUCT
        if isinstance(expr, (nd.Read, nd.Let)):
            name = str(self._print(expr)).rpartition("_{")[0]
            return POWER if "^" in name or "'" in name else ATOM
        return ATOM

    # --- arithmetic -------------------------------------------------------------------------

    def terms(self, expr: sp.Basic) -> list[str]:
        """The terms of a sum, each after the first with its sign."""
        parts = expr.args if isinstance(expr, sp.Add) else (expr,)
        parts = tuple(map(bracketed, parts)) if len(parts) > 1 else parts
        ordered = sorted(parts, key=lambda t: (negative(t), is_scalar(t), -len(free_letters(t))))
        out: list[str] = []
        for k, term in enumerate(ordered):
            minus = negative(term)
            text = self.text(-term if minus else term, PRODUCT)
            sign = "-" if minus else "+"
            if k:
                out.append(f"{sign} {text}")
            else:
                out.append(f"-{text}" if minus else self.text(term, SUM))
        return out if len(parts) > 1 else [str(self._print(expr))]

    def _print_Add(self, expr: sp.Add, order: object = None) -> str:
        return " ".join(self.terms(expr))

    def _print_Mul(self, expr: sp.Mul) -> str:
        expr = bracketed(expr)
        if not isinstance(expr, sp.Mul):
            return str(self._print(expr))
        coefficient, factors = expr.as_coeff_mul()
        sign = "-" if coefficient.is_negative else ""
        p, q = sp.fraction(abs(coefficient))
        above: list[sp.Basic] = [] if p == 1 else [p]
        below: list[sp.Basic] = [] if q == 1 else [q]
        for factor in factors:
            if isinstance(factor, nd.Ratio) and factor.args[0] == 1:
                self.notes["ratio"] = None
                below.append(factor.args[1])
                continue
            inverse = isinstance(factor, sp.Pow) and negative(factor.exp)
            (below if inverse else above).append(1 / factor if inverse else factor)
        last = [f for f in above if self._runs_on(f)]
        above = [f for f in above if f not in last]
        if not below:
            factors = [*above, *last]
            return sign + (
                self.text(factors[0], PRODUCT) if len(factors) == 1 else self._product(factors)
            )
        if len(last) == 1 and isinstance(last[0], nd.Reduce):
            quotient = f"\\frac{{{self._product(above)}}}{{{self._product(below)}}}"
            return f"{sign}{quotient} {self._print(last[0])}"
        return f"{sign}\\frac{{{self._product([*above, *last])}}}{{{self._product(below)}}}"

    def _product(self, factors: Sequence[sp.Basic]) -> str:
        if not factors:
            return "1"
        if len(factors) == 1:
            return str(self._print(factors[0]))
        ordered = sorted(factors, key=self._place)
        out = ""
        for k, factor in enumerate(ordered):
            text = self.text(factor, PRODUCT)
            text = grouped(text) if k + 1 < len(ordered) and self._runs_on(factor) else text
            close = not out or (factor is sp.pi and ordered[k - 1].is_Number)
            out += text if close else f"\\,{text}"
        return out

    def _place(self, factor: sp.Basic) -> tuple[bool, ...] | tuple[object, ...]:
        bracket = isinstance(factor, Where) and not self._runs_on(factor)
        return (
            self._runs_on(factor),
            not factor.is_Number,
            not bracket,
            not is_scalar(factor),
            len(free_letters(factor)),
        )

    def _runs_on(self, expr: sp.Basic) -> bool:
        """Whether what follows an expression would be read as part of it."""
        if isinstance(expr, Where):
            return not counts_as(expr) and not is_bracket(expr)
        return isinstance(expr, nd.Xlogy) or (isinstance(expr, nd.Reduce) and expr.op in OPEN_ENDED)

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.base, expr.exp
        if negative(exponent):
            return f"\\frac{{1}}{{{self._print(sp.Pow(base, -exponent))}}}"
        if exponent == sp.S.Half:
            return f"\\sqrt{{{self._print(base)}}}"
        return f"{self.text(base, ATOM)}^{{{self._print(exponent)}}}"

    def _print_Float(self, expr: sp.Float) -> str:
        return self._decimal(repr(float(expr)))

    def _print_Integer(self, expr: sp.Integer) -> str:
        return self._decimal(f"{float(expr):e}") if expr and expr % 10**6 == 0 else str(expr.p)

    def _print_Rational(self, expr: sp.Rational) -> str:
        sign = "-" if expr.p < 0 else ""
        return f"{sign}\\frac{{{abs(expr.p)}}}{{{expr.q}}}"

    _print_Half = _print_Rational

    def _decimal(self, text: str) -> str:
        digits, _, power = text.partition("e")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        if not power:
            return digits
        factor = "" if digits == "1" else f"{digits} \\cdot "
        return f"{factor}10^{{{int(power)}}}"
