"""A formula in a line that a person reads, its named parts by name alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from lossgen import nodes

_SIGNS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">"}
_ATOMS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min"}


class _Words(StrPrinter):
    def _print_Node(self, expr: Any) -> str:
        name = "".join(f"_{x.lower()}" if x.isupper() else x for x in type(expr).__name__)
        return f"{name.lstrip('_')}({', '.join(map(self._print, expr.args))})"

    def _print_Max(self, expr: Any) -> str:
        name = "min" if isinstance(expr, nodes.Min) else "max"
        return f"{name}({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    _print_Min = _print_Max

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        # What is taken off comes last: x - y, not -y + x.
        terms = sorted(expr.args, key=lambda term: term.could_extract_minus_sign())
        return str(super()._print_Add(sp.Add(*terms, evaluate=False), order))

    def _print_Abs(self, expr: Any) -> str:
        return f"|{self._print(expr.args[0])}|"

    def _print_Read(self, expr: Any) -> str:
        inner = ", ".join(map(self._print, expr.subscripts))
        return f"{expr.name}[{inner}]" if inner else str(expr.name)

    def _print_Let(self, expr: Any) -> str:
        at = dict(zip(expr.params, expr.at, strict=True))
        return named(expr.name, [self._print(at[x]) for x in in_order(expr)])

    def _print_Reduce(self, expr: Any) -> str:
        letters = ",".join(map(str, expr.bound))
        where = "" if expr.where is sp.true else f" where {self._print(expr.where)}"
        return f"{_ATOMS.get(expr.op, expr.op)}_{letters}({self._print(expr.body)}{where})"

    def _print_Along(self, expr: Any) -> str:
        at = "" if expr.position == expr.letter else f" at {self._print(expr.position)}"
        return f"{expr.op}_{expr.letter}({self._print(expr.body)}{at})"

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = map(self._print, expr.args)
        if isinstance(expr.args[0], nodes.Given) and expr.args[2] == 1:
            return str(yes)
        return f"({yes} if {condition} else {no})"

    def _print_Compare(self, expr: Any) -> str:
        return f"{self._print(expr.left)} {_SIGNS[expr.op]} {self._print(expr.right)}"

    def _print_And(self, expr: Any) -> str:
        return " and ".join(map(self._print, expr.args))

    def _print_Or(self, expr: Any) -> str:
        return "(" + " or ".join(map(self._print, expr.args)) + ")"

    def _print_Not(self, expr: Any) -> str:
        return f"not {self.parenthesize(expr.args[0], PRECEDENCE['Not'])}"

    def _print_Given(self, expr: Any) -> str:
        return f"{expr.name} is given"

    def _print_Size(self, expr: Any) -> str:
        return f"size({expr.letter})"

    def _print_Float(self, expr: Any) -> str:
        return f"{float(expr):g}"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "true"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "false"


def named(name: str, subscripts: Iterable[str]) -> str:
    """A part and where it is read."""
    inner = ", ".join(subscripts)
    return f"{name}[{inner}]" if inner else name


def in_order(part: nodes.Let) -> list[nodes.Letter]:
    """The letters of a part as a tensor in it has them; a part has them by the alphabet."""
    reads = [x.subscripts for x in nodes.walk(part.body) if isinstance(x, nodes.Read)]
    most = max(reads, key=lambda letters: len(set(letters) & set(part.params)), default=())
    order = {letter: k for k, letter in enumerate(most)}
    return sorted(part.params, key=lambda x: order.get(x, len(order)))


def in_words(expr: sp.Basic) -> str:
    """An expression on one line."""
    return str(_Words({"order": "none"}).doprint(expr))
