"""Which vectors the generated test of a loss makes very long and very short.

In: a ``LossSpec``.  Out: the tensors that it measures, and whether it must hold at any length.
Squares overflow long before lengths do, and a norm is right all the same; but what grows like a
square elsewhere in a loss may overflow by its nature.

    z / norm(z, d)                   of degree 0 in z: holds at any length
    Sum(a * b, d) / norm(a, d)       a sum of degree 2 on the way: not tried
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Let, Read, Reduce, Where, walk
from lossgen.spec import LossSpec

# How fast a part of the loss grows with the measured tensors: the least and the largest power.
_Degrees = tuple[sp.Expr, sp.Expr]
_LEVEL: _Degrees = (sp.S.Zero, sp.S.Zero)
_LIKE_ITS_ARGUMENTS = (nd.Abs, nd.Max, nd.Min, nd.Hypot, nd.StopGradient, nd.StraightThrough)


class _Unbounded(Exception):
    """A part of the loss grows faster than the measured tensors, or not like a power of them."""


def measured(spec: LossSpec) -> frozenset[str]:
    """The tensors of which the loss takes norms."""
    return _under_norms(spec.item) & {t.name for t in spec.tensors if t.role.kind == "real"}


def at_any_length(spec: LossSpec, options: Mapping[str, Any]) -> bool:
    """Whether the loss, with these options, takes norms and grows no faster than its inputs."""
    tensors = measured(spec)
    if not tensors:
        return False
    settings = {p.symbol: _exact(options.get(p.name, p.default)) for p in spec.parameters}
    item = spec.item.xreplace(settings)
    try:
        _degrees(item, tensors)
    except _Unbounded:
        return False
    return any(_is_norm(x) for x in walk(item))


@cache
def _under_norms(item: sp.Expr) -> frozenset[str]:
    bodies = (x.body for x in walk(item) if _is_norm(x))
    return frozenset(x.name for body in bodies for x in walk(body) if isinstance(x, Read))


def _is_norm(node: sp.Basic) -> bool:
    return isinstance(node, Reduce) and node.op == "norm"


def _exact(option: Any) -> sp.Basic:
    finite = isinstance(option, float) and abs(option) != float("inf")
    return sp.Rational(option) if finite else sp.sympify(option)


@cache
def _degrees(expr: sp.Basic, tensors: frozenset[str]) -> _Degrees:
    """The degrees of an expression; raises ``_Unbounded``."""
    low, high = _combined(expr, tensors)
    if low < -1 or high > 1:
        raise _Unbounded
    return low, high


def _combined(expr: sp.Basic, tensors: frozenset[str]) -> _Degrees:
    if isinstance(expr, Read):
        return (sp.S.One, sp.S.One) if expr.name in tensors else _LEVEL
    if isinstance(expr, Let):
        return _degrees(expr.body, tensors)
    if isinstance(expr, Where):
        return _either(expr.args[1:], tensors)
    if isinstance(expr, (sp.Add, *_LIKE_ITS_ARGUMENTS)):
        return _either(expr.args, tensors)
    if isinstance(expr, Reduce) and expr.op in ("sum", "mean", "amax", "amin", "norm"):
        return _either((expr.body,), tensors)
    if isinstance(expr, sp.Mul):
        parts = [_degrees(x, tensors) for x in expr.args]
        return sum(low for low, _ in parts), sum(high for _, high in parts)
    if isinstance(expr, sp.Pow) and expr.exp.is_number:
        ends = [x * expr.exp for x in _degrees(expr.base, tensors)]
        return min(ends), max(ends)
    if any(_degrees(x, tensors) != _LEVEL for x in expr.args if isinstance(x, sp.Expr)):
        raise _Unbounded
    return _LEVEL


def _either(args: tuple[sp.Basic, ...], tensors: frozenset[str]) -> _Degrees:
    parts = [_degrees(x, tensors) for x in args]
    return min(low for low, _ in parts), max(high for _, high in parts)
