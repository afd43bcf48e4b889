"""Reductions of an elementwise body as methods of tensors.

In: a statement with bound letters.  Out: its right-hand side.

    lse[n] = logsumexp_c x[n, c]  →  x.logsumexp(-1)

It refuses nothing; a mask goes inside, or to a helper where what is outside must not count at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.layout import dims
from lossgen.backends.torch_context import Context, operand
from lossgen.backends.torch_expressions import Expressions
from lossgen.backends.wholes import Real, whole
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Size, free_letters
from lossgen.program import Statement
from lossgen.static import ALWAYS

_METHODS = {
    "sum": "sum",
    "mean": "mean",
    "amax": "amax",
    "amin": "amin",
    "any": "any",
    "count": "sum",
}
_OUTSIDE = {"sum": "0.0"}
# Of whole numbers these are whole numbers.
_OF_WHOLES = ("any", "count", "amax", "amin")


@dataclass(frozen=True, slots=True)
class Reductions(Context):
    """Prints reductions."""

    def reduction(self, x: Statement) -> str:
        """The reduction of a body over the statement's bound letters."""
        inside = free_letters(x.body) | free_letters(x.where)
        scope = self.program.sorted(inside)
        bound = [y for y in x.bound if y in inside]
        printer = self.printer(x, scope)
        idle = [y for y in x.bound if y not in inside]
        if not bound:
            return self._over_nothing(x, printer, idle)
        if x.op == "nll":
            return self.likelihood(x, x.free, "_fused_nll" if len(x.target) > 1 else "_nll")
        if split := self._split(x, scope, bound, idle):
            return split
        if running := self._running(x):
            return running
        masked = x.where is not TRUE
        counted = x.op in _OF_WHOLES or not whole(x.body, self.names.kinds)
        inner = printer.code(x.body if counted else Real(x.body))
        if masked and x.op in ("logsumexp", "amax", "amin"):
            axes = tuple(scope.index(y) - len(scope) for y in bound)
            where = bare(printer.code(x.where))
            return f"_masked_{x.op}({bare(inner)}, {where}, {axes if len(axes) > 1 else axes[0]})"
        if masked and x.op in _OUTSIDE:
            inner = f"torch.where({bare(printer.code(x.where))}, {inner}, {_OUTSIDE[x.op]})"
        where = dims(bound, scope)
        if x.op == "log_softmax" and not self.names.plain:
            code = f"_log_softmax({bare(inner)}, {where or 0})"
        elif x.op in ("softmax", "log_softmax"):
            code = f"{operand(inner)}.{x.op}({where or 0})"
        elif x.op == "fitting":
            code = f"_fitting({bare(inner)}, {where or 0})"
        elif x.op == "norm":
            name = "_fused_norm" if self.names.fusing else "_norm"
            code = f"{name}({bare(inner)}, {where or tuple(range(len(scope)))})"
        elif x.op == "amax" and _is_held_size(x.body):
            size = printer.code(x.body.arg.arg)
            code = f"_largest({bare(size)}, {where or tuple(range(len(scope)))})"
        elif x.op in ("amax", "amin") and not self.names.fusing:
            code = f"_{x.op}({bare(inner)}, {where or tuple(range(len(scope)))})"
        elif x.op == "logsumexp":
            code = f"{operand(inner)}.logsumexp({where or tuple(range(len(scope)))})"
        else:
            code = f"{operand(inner)}.{_METHODS[x.op]}({where})"
        if idle and x.op in ("sum", "count"):
            code = f"{code} * {' * '.join(map(self.names.size, idle))}"
        return code

    def likelihood(self, x: Statement, free: Sequence[Letter], name: str) -> str:
        """A call that takes scores, the label, and the dimension that is the classes."""
        scope = self.program.sorted(free_letters(x.body))
        # A slope's second target is not read: it is made with it.
        targets = x.target if x.op == "nll" else x.target[:1]
        read = [bare(self.printer(x, free).code(y)) for y in targets]
        if free_letters(targets[0]) and not {*free} <= free_letters(targets[0]):
            # One label for several rows: torch gathers as many as there are labels.
            read[0] = f"{operand(read[0])}.expand({self.shape(free, x.extents)})"
        scores = bare(self.printer(x, scope).code(x.body))
        return f"{name}({', '.join((scores, *read))}, {scope.index(x.bound[0])})"

    def balance(self, x: Statement) -> str:
        """The adjoint of scores, of which a softmax was taken along the bound letter."""
        prob, *parts = x.target
        printer, dim = self.printer(x, x.free), dims(x.bound, x.free) or "0"
        if parts:
            small = self.printer(x, [y for y in x.free if y not in x.bound])
            texts = [printer.code(x.body), printer.code(prob), *map(small.code, parts)]
            return f"_fused_balance({', '.join(map(bare, texts))}, {dim})"
        factors = sp.Mul.make_args(x.body)
        rest = sp.Mul(*(f for f in factors if f != prob))
        if prob in factors and free_letters(rest) == {*x.free}:
            return f"_softmax_backward({bare(printer.code(rest))}, {printer.code(prob)}, {dim})"
        code = bare(printer.code(x.body))
        if free_letters(x.body) != {*x.free}:
            code = f"{operand(code)}.expand({self.shape(x.free, x.extents)})"
        return f"_balanced({code}, {printer.code(prob)}, {dim})"

    def _running(self, x: Statement) -> str:
        """A sum over ``k <= b`` or ``k >= b``, of what has no ``b``, as a cumulative sum."""
        body, where = x.body, x.where
        masks = [f for f in sp.Mul.make_args(body) if isinstance(f, nd.Where) and f.args[2] == 0]
        if where is TRUE and len(masks) == 1:
            rest = (f for f in sp.Mul.make_args(body) if f is not masks[0])
            where, body = masks[0].args[0], sp.Mul(masks[0].args[1], *rest)
        if x.op != "sum" or len(x.bound) != 1 or x.extents or self.names.fusing:
            return ""
        if not isinstance(where, nd.Compare) or {where.left, where.right} - {*x.bound, *x.free}:
            return ""
        (k,) = x.bound
        forwards = "<=" if where.left == k else ">="
        b = where.right if where.left == k else where.left
        scope = tuple(k if y == b else y for y in x.free)
        factors = sp.Mul.make_args(body)
        inner = sp.Mul(*(f for f in factors if k in free_letters(f)))
        outer = sp.Mul(*(f for f in factors if k not in free_letters(f)))
        same = self.names.axes.get(k, k) == self.names.axes.get(b, b)
        whole = self.program.sorted(free_letters(inner)) == scope
        if where.op not in ("<=", ">=") or not same or not whole:
            return ""
        code, dim = operand(self.printer(x, scope).code(inner)), dims((b,), x.free) or "0"
        turn = "" if where.op == forwards else f".flip({dim})"
        code = f"{code}{turn}.cumsum({dim}){turn}"
        return code if outer == 1 else f"{code} * {operand(self.printer(x, x.free).code(outer))}"

    def _split(
        self, x: Statement, scope: Sequence[Letter], bound: list[Letter], idle: list[Letter]
    ) -> str:
        """The sum of ``a + b`` as two sums: ``a + b`` is then never laid out in memory."""
        terms = sp.Add.make_args(x.body)
        reads = all(isinstance(t, nd.Read) and free_letters(t) == {*scope} for t in terms)
        plain = x.op == "sum" and x.where is TRUE and not idle
        if not plain or not reads or len(terms) < 2 or not self.full:
            return ""
        printer, where = self.printer(x, scope), dims(bound, scope)
        sums = (self._summed(t, x) or f"{printer.operand(t)}.sum({where})" for t in terms)
        return " + ".join(sums)

    def _summed(self, term: sp.Expr, x: Statement) -> str:
        """The name of the sum of a term, if a line above makes it whatever the options are."""
        if x.guard != ALWAYS:
            return ""  # it may be laid out earlier than it stands
        for y in takewhile(lambda y: y is not x, self.program.statements):
            bound = dict(zip(y.bound, x.bound, strict=False))
            alike = y.op == "sum" and y.free == x.free and len(y.bound) == len(x.bound)
            if alike and (y.where, y.guard) == (TRUE, ALWAYS) and y.body.xreplace(bound) == term:
                return y.name
        return ""

    def _over_nothing(self, x: Statement, printer: Expressions, idle: list[Letter]) -> str:
        """A reduction of what does not depend on its letters (a mask that is absent)."""
        count = printer.code(sp.Mul(*(Size(y) - sum(x.extents.get(y, (0, 0))) for y in idle)))
        if x.op == "count" or (x.op == "sum" and x.body == 1):
            shape = f"({', '.join('1' for _ in x.free)}{',' if len(x.free) == 1 else ''})"
            kind = ", dtype=torch.int64" if x.op == "count" else ""
            return f"{self.names.like}.new_full({shape}, {count}{kind})"
        return printer.code(x.body)


def _is_held_size(body: sp.Expr) -> bool:
    """Whether a body is a magnitude that is held constant."""
    return isinstance(body, nd.StopGradient) and isinstance(body.arg, nd.Abs)
