"""Elementwise expressions as PyTorch: conditions, choices, and what torch fuses of them.

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
from lossgen.backends.torch_gates import Gates
from lossgen.backends.torch_masks import is_diagonal
from lossgen.brackets import bare
from lossgen.nodes import Read, is_scalar, walk


class Expressions(Gates):
    """Prints one body in one scope."""

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        if is_diagonal(expr, self.names.axes, self.extents):
            return ("~" if expr.op == "!=" else "") + self._eye(expr, "torch.bool")
        level = PRECEDENCE["BitwiseOr"]
        left, right = (self.parenthesize(x, level) for x in (expr.left, expr.right))
        return f"({left} {expr.op} {right})"

    def _eye(self, expr: Any, dtype: str) -> str:
        pair = [x for x in self.scope if x in (expr.left, expr.right)]
        size, device = self.names.size(expr.left), f"{self.names.like}.device"
        code = f"torch.eye({size}, dtype={dtype}, device={device})"
        if self.names.fusing:
            code = f"_fused_eye({size}, {dtype}, {device})"
        return aligned(code, pair, self.scope)

    def _print_And(self, expr: Any) -> str:
        return self._joined(expr, " and " if is_scalar(expr) else " & ")

    def _print_Or(self, expr: Any) -> str:
        return self._joined(expr, " or " if is_scalar(expr) else " | ")

    def _joined(self, expr: Any, word: str) -> str:
        """Conditions joined by a word; ``not`` binds less than those of tensors do."""
        weak = {x for x in expr.args if isinstance(x, nd.Not) and is_scalar(x)}
        parts = (f"({self.code(x)})" if x in weak else self.code(x) for x in expr.args)
        return f"({word.join(parts)})"

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

    def _print_Recording(self, expr: Any) -> str:
        return "_recorded()"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "False"

    # --- choices ----------------------------------------------------------------------------

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
        return self.chosen(nd.Compare(test, a, b), a, b)

    def _against(self, a: Any, bound: Any, share: Any, both: str, clamp: str, beats: str) -> str:
        """A tensor against a number; each tie rule is that of the function printed.

        What is fused is not differentiated: there the fastest will do.
        """
        fused = self.names.fusing and share in (0, 1) and (share, bound) != (0, 0)
        if fused or self._constant(a):
            return f"{self.operand(a)}.clamp({clamp}={self.code(bound)})"
        if share == 1:
            name = "_at_least" if clamp == "min" else "_at_most"
            return f"{name}({bare(self.code(a))}, {self.code(bound)})"
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
        return self.chosen(nd.Compare(beats, a, bound), a, bound)

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = expr.args
        if is_scalar(x) and is_scalar(low) and is_scalar(high):
            return f"min(max({self.code(x)}, {self.code(low)}), {self.code(high)})"
        if self.names.fusing or self._constant(x):
            return f"{self.operand(x)}.clamp({self.code(low)}, {self.code(high)})"
        return f"_within({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _constant(self, expr: sp.Expr) -> bool:
        """Whether nobody asks for a slope: what is held, counts, and what is read off labels."""
        reads = (x for x in walk(expr) if isinstance(x, Read))
        return self.names.held or all(self.names.kinds[x.name] != "real" for x in reads)

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

    def _print_TimesGap(self, expr: Any) -> str:
        return f"_times_gap({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_TimesClippedGap(self, expr: Any) -> str:
        return f"_times_clipped_gap({', '.join(bare(self.code(a)) for a in expr.args)})"

    def _print_Step(self, expr: Any) -> str:
        return f"_step({bare(self.code(expr.arg))})"

    def _print_WhereAbove(self, expr: Any) -> str:
        if expr.args[0] == 0:  # as an option may make it
            return f"torch.zeros_like({bare(self.code(expr.args[1]))})"
        x, gate, bound = (bare(self.code(a)) for a in expr.args)
        return f"_where_above({x}, {gate}{'' if expr.args[2] == 0 else f', {bound}'})"
