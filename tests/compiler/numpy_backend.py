"""A second backend, as small as one can be: forward programs as NumPy, for the test of extensions.

It shows what a backend needs: a table of functions, a printer of expressions, a walk over blocks,
and a template. Nothing of the compiler is touched for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.nodes import Letter, is_scalar
from lossgen.program import Extent, Program, Statement
from lossgen.schedule import Block, Branch, schedule, with_guards
from lossgen.static import ALWAYS

TEMPLATE = """import numpy as np


def ix(size, low, trim, axis, rank):
    return np.arange(low, size - trim).reshape([-1 if k == axis else 1 for k in range(rank)])


def {{ name }}({{ arguments }}):
{% for line in lines %}
    {{ line }}
{% endfor %}
    return {{ result }}
"""
FUNCTIONS = {
    nd.Exp: "np.exp({})", nd.Log: "np.log({})", nd.Sqrt: "np.sqrt({})", nd.Abs: "np.abs({})",
    nd.Sigmoid: "(1 / (1 + np.exp(-({}))))", nd.Softplus: "np.logaddexp({}, 0)",
    nd.LogSigmoid: "(-np.logaddexp(-({}), 0))", nd.Log1p: "np.log1p({})", nd.Expm1: "np.expm1({})",
    nd.Atan: "np.arctan({})", nd.Max: "np.maximum({}, {})", nd.Min: "np.minimum({}, {})",
    nd.Clip: "np.clip({}, {}, {})", nd.Where: "np.where({}, {}, {})", nd.Not: "np.logical_not({})",
    nd.Fitted: "({})",
    nd.StopGradient: "({})", nd.StraightThrough: "({})", nd.LogAddExp: "np.logaddexp({}, {})",
}  # fmt: skip
REDUCTIONS = {
    "sum": "np.sum({}, {}, where={})", "mean": "np.mean({}, {}, where={})",
    "any": "np.any({}, {}, where={})", "count": "np.sum({}, {}, where={})",
    "amax": "np.max({}, {}, where={}, initial=-np.inf)",
    "amin": "np.min({}, {}, where={}, initial=np.inf)",
    "norm": "np.sqrt(np.sum(np.square({}), {}, where={}))",
    "fitting": "np.ones_like(np.sum({}, {}, where={}))",
    "logsumexp": "np.log(np.sum(np.exp({}), {}, where={}))",
}  # fmt: skip


class NumPyPrinter(StrPrinter):
    """Prints one body over a scope of letters: a letter is the grid of its positions."""

    def __init__(self, backend: NumPyBackend, scope: Sequence[Letter], x: Statement) -> None:
        super().__init__()
        self.backend, self.scope, self.extents = backend, tuple(scope), x.extents

    def _print_Letter(self, expr: Any) -> str:
        low, trim = self.extents.get(expr, (0, 0))
        axis, rank = self.scope.index(expr), len(self.scope)
        return f"ix({self.backend.size(expr)}, {low}, {trim}, {axis}, {rank})"

    def _print_Size(self, expr: Any) -> str:
        return self.backend.size(expr.letter)

    def _print_Param(self, expr: Any) -> str:
        return str(expr.name)

    def _print_Read(self, expr: Any) -> str:
        lows = self.backend.lows[expr.name]
        places = [self._print(s - low) for s, low in zip(expr.subscripts, lows, strict=True)]
        return f"{expr.name}[{', '.join(places) or '()'}]"

    def _print_Given(self, expr: Any) -> str:
        return f"({expr.name} is not None)"

    def _print_Compare(self, expr: Any) -> str:
        return f"({self._print(expr.left)} {expr.op} {self._print(expr.right)})"

    def _print_And(self, expr: Any) -> str:
        word = (" and " if is_scalar(expr) else " & ") if type(expr) is nd.And else " | "
        return f"({word.join(map(self._print, expr.args))})"

    _print_Or = _print_And

    def _print_Infinity(self, expr: Any) -> str:
        return "np.inf"

    def _print_Pi(self, expr: Any) -> str:
        return "np.pi"

    def _print_Ratio(self, expr: Any) -> str:
        above, below = map(self._print, expr.args)
        return f"(({above}) / np.where(({below}) == 0, np.inf, {below}))"

    def _print_Rewritten(self, expr: Any) -> str:
        return f"({self._print(expr.form)})"

    def _print_Node(self, expr: Any) -> str:
        text = FUNCTIONS[type(expr)]
        return text.format(*map(self._print, expr.args[: text.count("{}")]))


class NumPyBackend:
    """Lays a forward program out as the lines of one NumPy function."""

    def __init__(self, program: Program) -> None:
        self.program = program
        extents: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]] = {
            **{a.name: (a.axes, a.extents) for a in program.inputs},
            **{x.name: (x.free, x.extents) for x in program.statements},
        }
        self.lows = {k: [e.get(y, (0, 0))[0] for y in ys] for k, (ys, e) in extents.items()}

    def size(self, letter: Letter) -> str:
        axis = self.program.axes.get(letter, letter)
        if axis.name.isdigit():
            return axis.name
        lead = next(a for a in self.program.inputs if axis in a.axes and not a.optional)
        return f"{lead.name}.shape[{lead.axes.index(axis)}]"

    def lines(self) -> list[str]:
        roots = dict.fromkeys(self.program.results, ALWAYS)
        return list(self._lines(schedule(with_guards(self.program, roots)), ""))

    def _lines(self, blocks: Sequence[Block], indent: str) -> list[str]:
        out: list[str] = []
        for block in blocks:
            if isinstance(block, Branch):
                test = NumPyPrinter(self, (), self.program.statements[0]).doprint(block.condition)
                for word, inner in ((f"if {test}:", block.then), ("else:", block.otherwise)):
                    out += [
                        indent + word,
                        *self._lines(inner, indent + "    "),
                        f"{indent}    pass",
                    ]
            else:
                out.append(f"{indent}{block.name} = {self._value(block)}")
        return out

    def _value(self, x: Statement) -> str:
        if x.op == "nll":
            whole = replace(x, free=self.program.sorted({*x.free, *x.bound}), op="log_softmax")
            axis = whole.free.index(x.bound[0])
            label = NumPyPrinter(self, x.free, x).doprint(x.target[0])
            index = f"np.expand_dims({label}, {axis})"
            found = f"np.take_along_axis({self._value(whole)}, {index}, {axis})"
            return f"-np.squeeze({found}, {axis})"
        along = x.op in ("softmax", "log_softmax")
        scope = x.free if along else (*x.free, *x.bound)
        shape = [f"{self.size(y)} - {sum(x.extents.get(y, (0, 0)))}" for y in scope]
        whole = f"({''.join(f'{s}, ' for s in shape)})"
        printer = NumPyPrinter(self, scope, x)
        body, where = (f"np.broadcast_to({printer.doprint(e)}, {whole})" for e in (x.body, x.where))
        if x.op == "map":
            return body
        if along:
            log = (
                f"{body} - np.log(np.sum(np.exp({body}), {scope.index(x.bound[0])}, keepdims=True))"
            )
            return log if x.op == "log_softmax" else f"np.exp({log})"
        axes = tuple(range(len(x.free), len(scope)))
        return REDUCTIONS[x.op].format(body, axes, where)
