"""Under which options a loss is measured: its defaults, and each static switch the other way.

In: a ``LossSpec``. Out: ``Setting``s; the first is the default, without optional tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.spec import LossSpec, Parameter


@dataclass(frozen=True)
class Setting:
    """Options by name, and the optional tensors that are passed."""

    options: Mapping[str, Any]
    present: frozenset[str]
    words: str

    def __str__(self) -> str:
        return self.words


def settings(spec: LossSpec, most: int = 10) -> list[Setting]:
    """The settings of a loss, the default first, no more than `most`."""
    optional = frozenset(t.name for t in spec.tensors if t.optional)
    default = {p.name: _value(p) for p in spec.parameters}
    found = [Setting(default, frozenset(), "")]
    if optional:
        found.append(Setting(default, optional, "with " + ", ".join(sorted(optional))))
    for parameter in spec.parameters:
        for value in _others(spec, parameter):
            words = f"{parameter.name}={value!r}"
            found.append(Setting({**default, parameter.name: value}, frozenset(), words))
    return found[:most]


def _value(parameter: Parameter) -> Any:
    """The default, or an ordinary value where the caller must give one."""
    if parameter.default is not None:
        return parameter.default
    if parameter.role.choices:
        return parameter.role.choices[0]
    return {"boolean": False, "integer": 2}.get(parameter.role.kind, 0.75)


def _others(spec: LossSpec, parameter: Parameter) -> list[Any]:
    """Values that take the static conditions on an option the other way."""
    role, default = parameter.role, _value(parameter)
    if role.kind == "boolean":
        return [not default]
    if role.choices:
        return [x for x in role.choices if x != default]
    found: dict[Any, bool] = {default: True}
    seen: set[Any] = {_sides(spec, parameter, default)}
    for bound in _bounds(spec, parameter):
        step = 1 if role.kind == "integer" else 0.5
        for value in (bound, *(() if math.isinf(bound) else (bound + step, bound - step))):
            value = int(value) if role.kind == "integer" else float(value)
            sides = _sides(spec, parameter, value)
            if (math.isinf(value) or role.admits(value)) and sides not in seen:
                seen.add(sides)
                found[value] = True
    return list(found)[1:]


def _conditions(spec: LossSpec, parameter: Parameter) -> Iterator[nodes.Compare]:
    for node in nodes.walk(sp.Tuple(spec.item, *((spec.over,) if spec.over is not None else ()))):
        if isinstance(node, nodes.Compare) and parameter.symbol in (node.left, node.right):
            other = node.right if node.left == parameter.symbol else node.left
            if other.is_number or other in (sp.oo, -sp.oo):
                yield node


def _bounds(spec: LossSpec, parameter: Parameter) -> list[float]:
    found = {}
    for node in _conditions(spec, parameter):
        other = node.right if node.left == parameter.symbol else node.left
        found[float(other)] = True
    return list(found)


def _sides(spec: LossSpec, parameter: Parameter, value: Any) -> tuple[Any, ...]:
    """How the static conditions on an option come out."""
    exact = sp.oo if value == math.inf else -sp.oo if value == -math.inf else sp.Rational(value)
    return tuple(_holds(node, parameter, exact) for node in _conditions(spec, parameter))


def _holds(node: nodes.Compare, parameter: Parameter, value: Any) -> bool:
    sides = [value if x == parameter.symbol else x for x in (node.left, node.right)]
    return nodes.Compare(node.op, *sides) is sp.true
