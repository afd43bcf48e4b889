"""Whole numbers where they become real ones: torch would take its default dtype for them.

In: an expression over labels, counts and positions.  Out: the same, as real numbers in the dtype of
the inputs where nothing beside them says which.

    log(1 + rank[n]), rank a count  →  torch.log1p(rank.to(x.dtype))

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, Read, is_scalar
from lossgen.roles import Kind

Part = tuple[Any, ...]  # of a product: how it is sorted, whether it divides, and the factor
# What of whole numbers is a whole number.
_KEEPING = (nd.Abs, nd.Sign, nd.Max, nd.Min, nd.Clip, nd.StopGradient)
# What is told nothing by the dtype of its arguments, or prints them itself.
_OTHER = (nd.Compare, nd.Junction, nd.Not, nd.Given, nd.Reduce, nd.Along, nd.Let, Read, Letter)


class Real(nd.Node):
    """Whole numbers as real ones."""

    __slots__ = ()


def whole(expr: sp.Basic, kinds: Mapping[str, Kind]) -> bool:
    """Whether torch computes an expression as a tensor of integers."""
    if is_scalar(expr):
        return False
    if isinstance(expr, Letter):
        return True
    if isinstance(expr, Read):
        return kinds[str(expr.name)] == "integer"
    if isinstance(expr, nd.Where):
        return any(whole(x, kinds) for x in expr.args[1:]) and _exact(expr.args[1:], kinds)
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_Integer and expr.exp > 0) and whole(expr.base, kinds)
    return isinstance(expr, (sp.Add, sp.Mul, *_KEEPING)) and _exact(expr.args, kinds)


def _exact(parts: tuple[sp.Basic, ...], kinds: Mapping[str, Kind]) -> bool:
    return all(x.is_integer or isinstance(x, nd.Size) or whole(x, kinds) for x in parts)


def real(expr: sp.Basic, kinds: Mapping[str, Kind]) -> sp.Basic:
    """An expression of real value whose tensors are not all of whole numbers."""
    if not isinstance(expr, sp.Expr) or is_scalar(expr):
        return expr
    if isinstance(expr, sp.Pow):
        parts = [Real(x) if whole(x, kinds) else x for x in expr.args]
        return expr if whole(expr, kinds) or parts == [*expr.args] else sp.Pow(*parts)
    if not isinstance(expr, (sp.Add, nd.Node)) or isinstance(expr, (Real, *_OTHER)):
        return expr
    parts = list(expr.args[1:] if isinstance(expr, nd.Where) else expr.args)
    tensors = [x for x in parts if not is_scalar(x)]
    if not tensors or not all(whole(x, kinds) for x in tensors) or whole(expr, kinds):
        return expr
    parts[parts.index(tensors[0])] = Real(tensors[0])
    return expr.func(*(expr.args[:1] if isinstance(expr, nd.Where) else ()), *parts)


def realised(expr: sp.Basic, kinds: Mapping[str, Kind]) -> sp.Basic:
    """An expression in which no quotient or function is one of whole numbers alone, as C has it."""
    if not expr.args or isinstance(expr, (Read, Letter)):
        return expr
    expr = nd.rebuild(expr, [realised(x, kinds) for x in expr.args])
    if not isinstance(expr, sp.Mul):
        return real(expr, kinds)
    tensors = [x for x in expr.args if not is_scalar(x.as_base_exp()[0])]
    if not tensors or not all(whole(x.as_base_exp()[0], kinds) for x in tensors):
        return expr
    above = next((x for x in tensors if whole(x, kinds)), None)
    if above is None or whole(expr, kinds):
        return expr
    return sp.Mul(*(Real(x) if x is above else x for x in expr.args))


def in_product(sequence: list[Part], kinds: Mapping[str, Kind]) -> list[Part]:
    """A product from the left, of which no part is of torch's default dtype."""
    first, fraction = None, False
    for k, (*_, inverse, factor) in enumerate(sequence):
        fraction |= bool(inverse) or (is_scalar(factor) and not factor.is_integer)
        if whole(factor, kinds):
            first = k if first is None else first
        elif not is_scalar(factor):
            break
        if first is not None and fraction:
            *place, counted = sequence[first]
            return [*sequence[:first], (*place, Real(counted)), *sequence[first + 1 :]]
    return sequence
