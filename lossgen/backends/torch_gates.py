"""Choices between values, element by element, as PyTorch.

In: a choice, in a scope.  Out: one Python expression.

    where(sim[n, m] > 0, x[n, m], 0)  →  torch.where(sim > 0, x, 0)
    where(x[e] > y[e], x[e], y[e])    →  _chosen(x, y, _positive(x - y))

On a CPU a comparison takes eight passes over the elements, and ``torch.where`` a branch for each
of them: fifteen passes where the mask is as good as random. Over arrays of the largest input's
rank a ``Function`` therefore has gates: numbers, 1 where a condition holds and 0 elsewhere.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.torch_functions import Functions
from lossgen.backends.torch_masks import is_diagonal
from lossgen.brackets import bare
from lossgen.nodes import free_letters, is_scalar
from lossgen.program import kind_of


class Gates(Functions):
    """Prints choices in one scope."""

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = expr.args
        if is_scalar(condition):
            return f"({self.code(yes)} if {bare(self.code(condition))} else {self.code(no)})"
        if not all(is_scalar(x) for x in (yes, no)):
            return self.chosen(condition, yes, no)
        # where(mask, 0.1, 0.2) is float32 whatever the inputs are.
        dtype = f"{self.names.like}.dtype"
        if (yes, no) == (1, 0):
            diagonal = is_diagonal(condition, self.names.axes, self.extents)
            if diagonal and condition.op == "==":
                return self._eye(condition, dtype)
            return self._gate(condition) or f"{self.operand(condition)}.to({dtype})"
        if (yes, no) == (0, 1):
            return self._print_Where(nd.Where(nd.Not(condition), 1, 0))
        if no == 0 and yes.is_finite:
            number = self.parenthesize(yes, PRECEDENCE["Mul"])
            gate = self._gate(condition) or f"{self.operand(condition)}.to({dtype})"
            return f"({number} * {gate})"
        first = self.number(yes)
        return f"torch.where({bare(self.code(condition))}, {first}, {self.code(no)})"

    def chosen(self, condition: Any, yes: Any, no: Any) -> str:
        """A choice between values that are not both numbers."""
        kept, other, turned = (yes, no, condition) if no == 0 else (no, yes, nd.Not(condition))
        if other == 0 and (gate := self._gate(turned, nonzero=True)) is not None:
            return f"_masked({bare(self.code(kept))}, {bare(gate)})"
        values = [bare(self.code(x)) for x in (yes, no)]
        if is_scalar(yes) and self._gate(condition) is not None:
            return self.chosen(nd.Not(condition), no, yes)
        finite = no.is_finite is not False  # infinity times a gate of 0 is NaN
        if finite and (gate := self._gate(condition)) is not None:
            return f"_chosen({', '.join(values)}, {gate})"
        return f"torch.where({bare(self.code(condition))}, {', '.join(values)})"

    def _gate(self, condition: Any, *, nonzero: bool = False) -> str | None:
        """A condition as numbers; None where it is better a mask.

        Args:
            condition: what holds or not.
            nonzero: whether anything but 0 stands for a condition that holds.
        """
        if self.names.plain or self.names.fusing or self.extents:
            return None
        if len(self.scope) < self.names.rank or condition in self.names.guards:
            return None
        if isinstance(condition, nd.Not) and isinstance(condition.args[0], nd.Compare):
            turned = condition.args[0]
            condition = nd.Compare(nd.MIRROR[turned.op], turned.left, turned.right)
        first, *others = nd.conjuncts(condition)
        if others:
            gates = [self._gate(first, nonzero=nonzero), *map(self._gate, others)]
            return None if None in gates else f"({' * '.join(map(str, gates))})"
        if not isinstance(condition, nd.Compare) or not self._compares_everywhere(condition):
            return None
        # q*x > (q - 1)*x is x > 0.
        gap = sp.expand_mul(condition.left - condition.right)
        right = condition.right
        if isinstance(gap, sp.Add) and isinstance(right, sp.Add) and not is_scalar(right):
            return None  # one difference of all terms is rounded otherwise than the two sides
        if condition.op in ("==", "!="):
            sides = ", ".join(bare(self.code(x)) for x in (condition.left, condition.right))
            return f"_unlike({sides})" if nonzero and condition.op == "!=" else None
        gap = gap if condition.op in (">", ">=") else -gap
        name = "_positive" if condition.op in (">", "<") else "_not_negative"
        return f"{name}({bare(self.code(gap))})"

    def _compares_everywhere(self, condition: nd.Compare) -> bool:
        """Whether a comparison is between numbers of each element."""
        sides = [x for x in (condition.left, condition.right) if not is_scalar(x)]
        letters = {y for x in sides for y in free_letters(x)}
        return letters >= {*self.scope} and all(
            kind_of(x, self.names.kinds) == "real" for x in sides
        )
