"""Values on either side of the thresholds at which a loss changes its formula.

In: a ``LossSpec`` and one of its tensors.  Out: numbers, for the thresholds that its usual values
would miss: those between 0 and the first of them, and those beyond them all; and what a logarithm
of a sum is most easily wrong about.

    where(p * (1 - p) > 1e-12, …)    0.8e-12 and 1.1e-12
    log(x + eps)                     an x that is lost in x + 1
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Let, Read, rebuild, substitute, walk
from lossgen.spec import LossSpec, TensorArg

_STEP, _LEAST, _MOST = 2.0**-10, 2.0**-120, 2.0**120
# Several, so that one of them meets a factor that does not hide it.
_LOST = (2.0**-40, -(2.0**-40), 2.0**-42)


def beside_thresholds(
    spec: LossSpec, tensor: TensorArg, low: float, high: float
) -> tuple[float, ...]:
    """Values below and above each threshold that multiples of 1/1024 in [low, high] miss."""
    found: dict[float, None] = {}
    for gap in _gaps(spec.item):
        for root in _roots(gap, tensor):
            missed = abs(root) < _STEP or not low <= root <= high
            if missed and _LEAST < abs(root) < _MOST:
                beside = (_coarse(root * 0.75), _coarse(root * 1.25))
                found.update(dict.fromkeys(x for x in beside if tensor.role.admits(x)))
    return tuple(found)


def beside_shifts(spec: LossSpec, tensor: TensorArg) -> tuple[float, ...]:
    """Numbers that rounding loses in a sum with an option of which a logarithm is taken."""
    reads = [x for _, terms in shifts(spec.item) for x in terms if isinstance(x, Read)]
    added = any(x.name == tensor.name for x in reads)
    return tuple(filter(tensor.role.admits, _LOST)) if added else ()


@cache
def shifts(item: sp.Expr) -> tuple[tuple[nodes.Param, tuple[sp.Expr, ...]], ...]:
    """The options that are terms of a logarithm's argument, each with the other terms."""
    found = []
    for node in walk(item):
        terms = sp.Add.make_args(_spelt_out(node.arg)) if isinstance(node, nodes.Log) else ()
        for option in terms:
            others = tuple(x for x in terms if x is not option)
            if isinstance(option, nodes.Param) and others:
                found.append((option, others))
    return tuple(found)


@cache
def _gaps(item: sp.Expr) -> tuple[sp.Expr, ...]:
    """What is 0 at a threshold."""
    found = []
    for node in walk(item):
        if isinstance(node, nodes.Compare):
            pairs = [(node.left, node.right)]
        elif isinstance(node, nodes.Max):
            pairs = [node.args[:2]]
        elif isinstance(node, nodes.Clip):
            pairs = [(node.args[0], bound) for bound in node.args[1:]]
        else:
            continue
        found += [x - y for x, y in pairs if x.is_number or y.is_number]
    return tuple(found)


def _spelt_out(expr: sp.Basic) -> Any:
    """An expression without names for its parts."""
    if isinstance(expr, Let):
        return _spelt_out(substitute(expr.body, dict(zip(expr.params, expr.at, strict=True))))
    return rebuild(expr, map(_spelt_out, expr.args))


def _roots(expr: sp.Expr, tensor: TensorArg) -> list[float]:
    """Where an expression is 0, if it is a polynomial in one element of the tensor."""
    if any(x.name != tensor.name for x in walk(expr) if isinstance(x, Read)):
        return []
    expr = _spelt_out(expr)
    reads = {x for x in walk(expr) if isinstance(x, Read)}
    if len(reads) != 1:
        return []
    element = sp.Dummy(real=True)
    stated = expr.xreplace({reads.pop(): element})
    if stated.free_symbols != {element} or not stated.is_polynomial(element):
        return []
    return [float(x) for x in sp.Poly(stated, element).nroots() if x.is_real]


def _coarse(value: float) -> float:
    """The number rounded to three bits, so that any float holds it and what is made of it."""
    share, exponent = math.frexp(value)
    return math.ldexp(round(share * 8) / 8, exponent)
