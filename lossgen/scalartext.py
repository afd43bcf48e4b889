"""Prints a spec's expression as Python over scalars.

In: an expression.  Out: text in the words of ``WORDS``, which the generated test defines, and in
calls of the formula's named parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from lossgen import nodes
from lossgen.brackets import bare
from lossgen.nodes import Letter
from lossgen.spec import LossSpec
from lossgen.subscripts import kind, neutral_read, size_name

_RENAMED = {
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Abs": "absolute",
    "Sign": "sign",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log_sigmoid",
    "Softplus": "softplus",
    "Log1p": "log1p",
    "Expm1": "expm1",
    "LogCosh": "log_cosh",
    "Tanh": "tanh",
    "Sin": "sin",
    "Cos": "cos",
    "Acos": "acos",
    "Atan": "atan",
    "Erf": "erf",
    "Erfc": "erfc",
    "Log1mExp": "log1mexp",
    "Hypot": "hypot",
    "Lgamma": "loggamma",
    "Digamma": "digamma",
    "Floor": "floor",
    "Xlogy": "xlogy",
    "LogAddExp": "logaddexp",
    "Ratio": "ratio",
    "Max": "larger",
    "Min": "smaller",
    "Clip": "clip",
    "StopGradient": "stop_gradient",
    "StraightThrough": "straight_through",
}
_REDUCED = {
    "sum": "total",
    "mean": "mean",
    "amax": "largest",
    "amin": "smallest",
    "logsumexp": "logsumexp",
    "norm": "norm",
}
WORDS = frozenset(
    (*_RENAMED.values(), *_REDUCED.values(), "masked_logsumexp", "softmax", "log_softmax", "raised")
)


class Statement(Protocol):
    """What is being stated: it knows the named parts, and collects the words used."""

    spec: LossSpec
    words: set[str]

    @property
    def asked(self) -> frozenset[str]: ...

    def argument(self, name: str) -> str: ...

    def named(self, let: nodes.Let) -> str: ...

    def loop(self, expr: sp.Basic, letter: Letter) -> str: ...

    def loops(self, expr: sp.Basic, letters: Iterable[Letter]) -> str: ...


class ScalarPrinter(StrPrinter):
    """Prints an expression as Python over scalars."""

    def __init__(self, statement: Statement) -> None:
        super().__init__({"full_prec": False})
        self.statement, self.spec = statement, statement.spec

    def word(self, name: str, *args: str) -> str:
        self.statement.words.add(name)
        return f"{name}({', '.join(args)})"

    def _print_Letter(self, expr: Letter) -> str:
        return str(expr.name)

    def _print_Size(self, expr: nodes.Size) -> str:
        return size_name(self.spec.axes[expr.letter])

    def _print_Read(self, expr: nodes.Read) -> str:
        name = self.statement.argument(str(expr.name))
        return f"{name}[{', '.join(self._print(x) for x in expr.subscripts) or '()'}]"

    def _print_Given(self, expr: nodes.Given) -> str:
        return f"({self.statement.argument(str(expr.name))} is not None)"

    def _print_Param(self, expr: nodes.Param) -> str:
        return self.statement.argument(str(expr.name))

    def _print_Let(self, expr: nodes.Let) -> str:
        name = self.statement.named(expr)
        return f"{name}({', '.join(self._print(a) for a in expr.at)})"

    def _print_Where(self, expr: nodes.Where) -> str:
        read = neutral_read(expr, self.spec)
        if read is not None and read.name not in self.statement.asked:
            return str(self._print(read))
        condition, yes, no = map(self._print, expr.args)
        return f"({yes} if {bare(condition)} else {no})"

    def _print_Compare(self, expr: nodes.Compare) -> str:
        sides = [expr.left, expr.right]
        texts = [str(self._print(side)) for side in sides]
        if not nodes.is_static(expr) and any(kind(side, self.spec) == "real" for side in sides):
            texts = [
                t if s.is_Integer else f"value({t})" for s, t in zip(sides, texts, strict=True)
            ]
        return f"({texts[0]} {expr.op} {texts[1]})"

    def _print_And(self, expr: nodes.And) -> str:
        return "(" + " and ".join(map(self._print, expr.args)) + ")"

    def _print_Or(self, expr: nodes.Or) -> str:
        return "(" + " or ".join(map(self._print, expr.args)) + ")"

    def _print_Not(self, expr: nodes.Not) -> str:
        return f"(not {self._print(expr.args[0])})"

    def _print_Unary(self, expr: nodes.Unary) -> str:
        return self.word(_RENAMED[type(expr).__name__], *map(self._print, expr.args))

    _print_Xlogy = _print_Hypot = _print_LogAddExp = _print_Ratio = _print_Clip = _print_Unary
    _print_StraightThrough = _print_Unary

    def _print_Max(self, expr: nodes.Max) -> str:
        first, second = map(self._print, expr.args[:2])
        share = () if expr.share is nodes.HALF else (f"share={self._print(expr.share)}",)
        return self.word(_RENAMED[type(expr).__name__], first, second, *share)

    def _print_Reduce(self, expr: nodes.Reduce) -> str:
        both = sp.Tuple(expr.body, expr.where)
        loops = self.statement.loops(both, expr.bound)
        if expr.where is not sp.true:
            loops += f" if {bare(self._print(expr.where))}"
        body = self._print(expr.body)
        if expr.op == "any":
            return f"any({body} {loops})"
        if expr.op == "count":
            return f"sum(1 {loops} if {body})"
        extra = (
            ()
            if expr.op != "mean" or expr.empty is sp.nan
            else (f"empty={self._print(expr.empty)}",)
        )
        masked = expr.op == "logsumexp" and expr.where is not sp.true
        name = "masked_logsumexp" if masked else _REDUCED[expr.op]
        self.statement.words.add(name)
        inner = f"({body} {loops})" if extra else f"{body} {loops}"
        return f"{name}({', '.join((inner, *extra))})"

    def _print_Along(self, expr: nodes.Along) -> str:
        loop = self.statement.loop(expr.body, expr.letter)
        return self.word(expr.op, f"[{self._print(expr.body)} {loop}]", self._print(expr.position))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"exact({expr.p}) / {expr.q}"

    _print_Half = _print_Rational

    def _print_Float(self, expr: sp.Float) -> str:
        return f"exact({float(expr)!r})"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "sp.oo"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-sp.oo"

    def _print_NaN(self, expr: sp.Expr) -> str:
        return "sp.nan"

    def _print_Pi(self, expr: sp.Expr) -> str:
        return "sp.pi"

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:
        return "False"

    def _print_Mul(self, expr: sp.Mul) -> str:
        text = str(super()._print_Mul(expr))
        kept = next((c for c in map(_of_labels, expr.args) if c is not None), None)
        # What it multiplies may read at a label that stands for none.
        return text if kept is None else f"({text} if {bare(self._print(kept))} else 0)"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        if (rootless := nodes.without_root(expr)) is not None:
            return str(self._print(rootless))
        if _may_be_steep(expr):
            return self.word("raised", bare(self._print(expr.base)), bare(self._print(expr.exp)))
        base = self.parenthesize(expr.base, PRECEDENCE["Pow"], strict=False)
        if expr.exp is sp.S.NegativeOne:
            return f"1/{base}"
        return f"{base}**{self.parenthesize(expr.exp, PRECEDENCE['Pow'], strict=False)}"


def _of_labels(factor: sp.Basic) -> sp.Basic | None:
    """The condition on a label without which a factor is 0: ``target[n] != ignore_index``."""
    if isinstance(factor, nodes.Let):
        kept = _of_labels(factor.body)
        places = dict(zip(factor.params, factor.at, strict=True))
        return None if kept is None else nodes.substitute(kept, places)
    if isinstance(factor, sp.Mul):
        return next((c for c in map(_of_labels, factor.args) if c is not None), None)
    if not isinstance(factor, nodes.Where) or factor.args[2] != 0:
        return None
    condition = factor.args[0]
    told = isinstance(condition, nodes.Compare) and isinstance(condition.right, nodes.Param)
    return condition if told and isinstance(condition.left, nodes.Read) else None


def _may_be_steep(power: sp.Pow) -> bool:
    """Whether a power may have an infinite slope, or one that SymPy writes by log(0), at base 0."""
    if nodes.is_scalar(power.base):
        return False
    return not power.exp.is_number or bool(0 < power.exp < 1)
