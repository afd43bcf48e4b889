"""Which settings of its options the generated test of a loss tries.

In: a ``LossSpec``.  Out: for every option, values other than its default: every flag and choice,
numbers that a static condition compares with, and powers on either side of 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Read, walk
from lossgen.spec import LossSpec, Parameter
from lossgen.testsamples import samples

_BELOW_ONE = (0.375, 0.625, 0.25, 0.875, 0.75, 0.5)
_ABOVE = (1.5, 2.5, 1.25, 0.75, 3.5, 0.625)


def alternatives(spec: LossSpec) -> dict[str, list[Any]]:
    """For every option, values other than its default, the most telling first."""
    marked = {row.marked for row in samples(spec)}
    found: dict[str, list[Any]] = {}
    pools = {True: iter(_BELOW_ONE), False: iter(_ABOVE)}
    for parameter in spec.parameters:
        if parameter.name in marked:
            found[parameter.name] = [1]
            continue
        values = list(_values(parameter, pools, compared(spec, parameter)))
        found[parameter.name] = [*values, *_powers(spec, parameter, values)]
    return found


def _values(
    parameter: Parameter, pools: dict[bool, Iterator[float]], compared: list[float]
) -> Iterator[Any]:
    role, default = parameter.role, parameter.default
    if role.kind == "boolean":
        yield not default
        return
    if role.choices:
        yield from (value for value in role.choices if value != default)
        return
    if role.kind == "integer":
        yield (default or 0) + 1
    else:
        small = default is not None and abs(default) < 1
        yield next(v for v in pools[small] if v != default and role.admits(v))
    if role.kind == "real" and not role.extended:
        compared = [*compared, 0.0]
    for value in dict.fromkeys(compared):
        if value != default and (role.admits(value) or value == math.inf):
            yield value


def compared(spec: LossSpec, parameter: Parameter) -> list[float]:
    """Numbers by which a static condition tells values apart, and some on either side of them."""
    found: dict[float, None] = {}
    for node in walk(spec.item):
        if isinstance(node, nodes.Compare) and parameter.symbol in (node.left, node.right):
            other = node.right if node.left == parameter.symbol else node.left
            if other.is_number:
                number = float(other)
                found[number] = None
                if node.op not in ("==", "!="):
                    found.update(dict.fromkeys((number - 0.5, number + 0.5)))
    return list(found)


def _powers(spec: LossSpec, parameter: Parameter, tried: Iterable[Any]) -> Iterator[float]:
    """Values that bring a power on either side of 1, where those tried so far leave one out."""
    tried = [x for x in (parameter.default, *tried) if x is not None]
    pool = [x for x in (*_BELOW_ONE, *_ABOVE) if parameter.role.admits(x)]
    for node in walk(spec.item):
        if not isinstance(node, sp.Pow) or node.exp.free_symbols != {parameter.symbol}:
            continue
        for below in (True, False) if _varies(node.base) else ():
            beside = partial(_beside_one, node.exp, parameter, below)
            if not any(map(beside, tried)):
                found = list(filter(beside, pool))[:1]
                tried += found
                yield from found


def _varies(base: sp.Expr) -> bool:
    """Whether a base has a slope wherever it is 0.

    A base that a bound holds at 0 has none. Below 1 torch multiplies the two in forward mode, and
    0 times infinity is NaN: docs/architecture.md names it among the limits.
    """
    while isinstance(base, nodes.Let):
        base = base.body
    held = isinstance(base, (nodes.Max, nodes.Clip))
    return not held and any(isinstance(x, Read) for x in walk(base))


def _beside_one(exponent: sp.Expr, parameter: Parameter, below: bool, value: Any) -> bool:
    """Whether an exponent lies between 0 and 1, or above, for a value of its parameter."""
    power = exponent.xreplace({parameter.symbol: sp.sympify(value)})
    return bool(0 < power < 1 if below else 1 < power < sp.oo)
