"""Conditions that are calculated with, and numbers that are asked, as in Python and torch.

In: an expression of a spec, ``mask[n] * (input[n] > 0)``. Out: the same with ``where(…, 1, 0)``
around each condition that stands where a number is meant, and ``… != 0`` after each number that
stands where a condition is: ``where(label[n], …, …)``. ``(x**2)**0.5``, of which SymPy makes an
absolute value of its own to the power 1.0, is ours. Nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import rebuild
from lossgen.roles import Kind

_ARITHMETIC = (
    *(sp.Add, sp.Mul, sp.Pow, nd.Unary, nd.Max, nd.Clip),
    *(nd.StraightThrough, nd.Xlogy, nd.Hypot, nd.Along),
)
_OF_CONDITIONS = frozenset(("any", "all", "count"))


def counted(expr: sp.Basic, kinds: Mapping[str, Kind]) -> Any:
    """The expression, its conditions as numbers; ``kinds`` of tensors and options by name."""
    known: dict[sp.Basic, Any] = {}

    def number(node: Any) -> Any:
        return nd.Where(node, sp.S.One, sp.S.Zero) if _is_condition(node, kinds) else node

    def truth(node: Any) -> Any:
        return node if _is_condition(node, kinds) else nd.Compare("!=", node, sp.S.Zero)

    def compared(op: str, left: Any, right: Any) -> Any:
        """A comparison; of a condition and a number, what it says of the condition."""
        asked = _is_condition(left, kinds)
        if asked and right in (nd.TRUE, nd.FALSE) and op in ("==", "!="):
            return left if (op == "==") == (right is nd.TRUE) else nd.Not(left)
        if asked == _is_condition(right, kinds):
            return nd.Compare(op, left, right)
        if not asked:
            return nd.Compare(op, left, number(right))
        if not right.is_number:
            return nd.Compare(op, number(left), right)
        yes, no = (nd.Compare(op, x, right) for x in (sp.S.One, sp.S.Zero))
        return nd.Or(nd.And(left, yes), nd.And(nd.Not(left), no)) if yes != no else yes

    def change(node: sp.Basic) -> Any:
        if node not in known:
            args = [change(x) for x in node.args]
            if isinstance(node, _ARITHMETIC):
                args = [number(x) for x in args]
            elif isinstance(node, nd.Reduce):
                args[1] = truth(args[1]) if node.op in _OF_CONDITIONS else number(args[1])
                args[2] = truth(args[2])
            elif isinstance(node, nd.Where):
                args[0] = truth(args[0])
                if not _is_condition(node, kinds):
                    args[1:] = [number(x) for x in args[1:]]
            elif isinstance(node, (nd.Junction, nd.Not)):
                args = [truth(x) for x in args]
            if isinstance(node, nd.Compare):
                known[node] = compared(node.op, *args[1:])
            elif isinstance(node, sp.Abs):
                known[node] = nd.Abs(*args)
            elif isinstance(node, sp.Pow) and args[1].is_Float and args[1] == int(args[1]):
                known[node] = sp.Pow(args[0], int(args[1]))
            else:
                known[node] = rebuild(node, args) if args else node
        return known[node]

    return change(expr)


def _is_condition(expr: Any, kinds: Mapping[str, Kind]) -> bool:
    if isinstance(expr, nd.Let):
        return _is_condition(expr.body, kinds)
    if isinstance(expr, nd.Where):
        return all(_is_condition(x, kinds) for x in expr.args[1:])
    if isinstance(expr, (nd.Read, nd.Param)):
        return kinds.get(expr.name) == "boolean"
    if isinstance(expr, nd.Reduce):
        return expr.op in ("any", "all")
    conditions = (nd.Compare, nd.Junction, nd.Not, nd.Given, sp.logic.boolalg.BooleanAtom)
    return isinstance(expr, conditions)
