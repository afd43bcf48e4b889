"""Functions as LaTeX: each as the formula that it stands for.

In: a node of one or a few arguments, such as a stable form.  Out: LaTeX in which the form is gone.

    hypot_minus_one(x)  →  \\sqrt{1 + x^{2}} - 1

A node without a form raises ``TypeError``.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.mathdoc.arithmetic import ATOM, PRODUCT, Arithmetic, grouped
from lossgen.mathdoc.vocabulary import CALLS
from lossgen.nodes import Where


class Functions(Arithmetic):
    """Prints functions.

    Attributes:
        notes: keys of ``NOTES`` that what was printed needs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, None] = {}

    def _print_Node(self, expr: nd.Node) -> str:
        if type(expr) not in CALLS:
            raise TypeError(f"{type(expr).__name__} has no form in LaTeX")
        if isinstance(expr, nd.StopGradient):
            self.notes["sg"] = None
        arguments = expr.args[:2] if isinstance(expr, nd.Max) else expr.args
        return CALLS[type(expr)] + grouped(", ".join(map(self._print, arguments)))

    _print_Max = _print_Min = _print_Node

    def _print_Sqrt(self, expr: nd.Sqrt) -> str:
        return f"\\sqrt{{{self._print(expr.arg)}}}"

    def _print_Abs(self, expr: nd.Abs) -> str:
        return f"\\left\\lvert {self._print(expr.arg)} \\right\\rvert"

    def _print_Floor(self, expr: nd.Floor) -> str:
        return f"\\left\\lfloor {self._print(expr.arg)} \\right\\rfloor"

    def _print_Log1p(self, expr: nd.Log1p) -> str:
        return f"\\log{grouped(str(self._print(sp.Add(1, expr.arg))))}"

    def _print_Expm1(self, expr: nd.Expm1) -> str:
        return f"\\exp{grouped(str(self._print(expr.arg)))} - 1"

    def _print_Log1mExp(self, expr: nd.Log1mExp) -> str:
        return f"\\log{grouped(f'1 - {self._print(nd.Exp(expr.arg))}')}"

    def _print_Hypot(self, expr: nd.Hypot) -> str:
        a, b = (self.text(x, ATOM) for x in expr.args)
        return f"\\sqrt{{{a}^{{2}} + {b}^{{2}}}}"

    def _print_HypotM1(self, expr: nd.HypotM1) -> str:
        return f"\\sqrt{{1 + {self.text(expr.arg, ATOM)}^{{2}}}} - 1"

    def _print_HypotPowM1(self, expr: nd.HypotPowM1) -> str:
        x, power = expr.args
        return f"{grouped(f'1 + {self.text(x, ATOM)}^{{2}}')}^{{{self._print(power / 2)}}} - 1"

    def _print_HypotPowSlope(self, expr: nd.HypotPowSlope) -> str:
        x, power = expr.args
        size = grouped(f"1 + {self.text(x, ATOM)}^{{2}}")
        return f"{self.text(x, PRODUCT)}\\,{size}^{{{self._print(power / 2 - 1)}}}"

    def _print_Log1pSquare(self, expr: nd.Log1pSquare) -> str:
        return f"\\log{grouped(f'1 + {self.text(expr.arg, ATOM)}^{{2}}')}"

    def _print_Finite(self, expr: nd.Finite) -> str:
        return str(self._print(expr.arg))

    def _print_Gauss(self, expr: nd.Gauss) -> str:
        x, rate, _ = expr.args
        return f"\\exp{grouped(str(self._print(-rate * x**2)))}"

    def _print_GaussM1(self, expr: nd.GaussM1) -> str:
        return f"{self._print(nd.Gauss(*expr.args))} - 1"

    def _print_LogMixture(self, expr: nd.LogMixture) -> str:
        x, share = expr.args
        return f"\\log{grouped(str(self._print(expr.rest + share * nd.Exp(x))))}"

    def _print_LogSum(self, expr: nd.LogSum) -> str:
        return f"\\log{grouped(str(self._print(sp.Add(*expr.args))))}"

    def _print_Pow1pM1(self, expr: nd.Pow1pM1) -> str:
        base = grouped(str(self._print(sp.Add(1, expr.args[0]))))
        return f"{base}^{{{self._print(expr.args[1])}}} - 1"

    def _print_LogRatio(self, expr: nd.LogRatio) -> str:
        return f"\\log{grouped(str(self._print(expr.args[0] / expr.args[1])))}"

    def _print_RelEntropy(self, expr: nd.RelEntropy) -> str:
        p, q = expr.args
        self.notes["entropy"] = None
        return f"{self.text(p, PRODUCT)} \\log{grouped(str(self._print(p / q)))}"

    def _print_Rewritten(self, expr: nd.Rewritten) -> str:
        return str(self._print(expr.formula))

    def _print_Xlogy(self, expr: nd.Xlogy) -> str:
        self.notes["xlogy"] = None
        return f"{self.text(expr.args[0], PRODUCT)} \\log{grouped(str(self._print(expr.args[1])))}"

    def _print_LogAddExp(self, expr: nd.LogAddExp) -> str:
        first, second = (f"\\exp{grouped(str(self._print(a)))}" for a in expr.args)
        return f"\\log{grouped(f'{first} + {second}')}"

    def _print_Ratio(self, expr: nd.Ratio) -> str:
        self.notes["ratio"] = None
        return f"\\frac{{{self._print(expr.args[0])}}}{{{self._print(expr.args[1])}}}"

    def _print_Step(self, expr: nd.Step) -> str:
        sides = Where(nd.Compare("==", expr.arg, 0), nd.HALF, 0)
        return str(self._print(Where(nd.Compare(">", expr.arg, 0), 1, sides)))

    def _print_PowerSlope(self, expr: nd.PowerSlope) -> str:
        self.notes["slope"] = None
        return f"{self.text(expr.args[0], ATOM)}^{{{self._print(expr.args[1] - 1)}}}"

    def _print_StraightThrough(self, expr: nd.StraightThrough) -> str:
        self.notes["st"] = None
        return f"\\operatorname{{st}}{grouped('; '.join(map(self._print, expr.args)))}"
