"""What the subscripts of a formula say: sizes of axes, ranges of letters, kinds of values.

In: expressions and their ``LossSpec``.  Out: names, ranges and kinds, for the scalar statement of
the formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import sympy as sp

from lossgen import nodes
from lossgen.axes import axis_order, shifted_letter
from lossgen.nodes import Letter, free_letters
from lossgen.spec import LossSpec


def argument_names(spec: LossSpec) -> list[str]:
    """The names of tensors and parameters, in the order of the spec."""
    return [t.name for t in spec.tensors] + [p.name for p in spec.parameters]


def size_name(axis: Letter) -> str:
    """The name that holds the size of an axis: ``N`` for ``n``; a literal axis is its number."""
    name = str(axis.name)
    return name if name.isdigit() else name.upper()


def result_letters(spec: LossSpec) -> tuple[Letter, ...]:
    """The letters of the unreduced loss, in the order of its axes; an axis's own letter first."""
    order = {axis: k for k, axis in enumerate(axis_order(t.axes for t in spec.tensors))}
    letters = free_letters(spec.item)
    return tuple(sorted(letters, key=lambda x: (order[spec.axes[x]], x != spec.axes[x], x.name)))


@lru_cache(maxsize=4096)
def extent(expr: sp.Basic, letter: Letter) -> tuple[int, int]:
    """How far a letter's subscripts reach below and above it: ``x[h + 1]`` gives (0, 1)."""
    shifts = {0, *_shifts(expr, letter)}
    return -min(shifts), max(shifts)


def _shifts(expr: sp.Basic, letter: Letter) -> Iterator[int]:
    if letter not in free_letters(expr):
        return
    if isinstance(expr, nodes.Read):
        for subscript in expr.subscripts:
            place = shifted_letter(subscript)
            if place is not None and place[0] == letter:
                yield place[1]
            elif place is None:
                yield from _shifts(subscript, letter)
    elif isinstance(expr, nodes.Let):
        for param, arg in zip(expr.params, expr.at, strict=True):
            place = shifted_letter(arg)
            if place is not None and place[0] == letter:
                yield from (place[1] + inner for inner in _shifts(expr.body, param))
            elif place is None:
                yield from _shifts(arg, letter)
    elif isinstance(expr, nodes.Along) and expr.position == letter:
        yield from _shifts(expr.body, expr.letter)
    else:
        for arg in expr.args:
            yield from _shifts(arg, letter)


def kind(expr: sp.Basic, spec: LossSpec) -> str:
    """What an expression is at the sample point: ``boolean``, ``integer`` or ``real``."""
    if isinstance(expr, nodes.Let):
        return kind(expr.body, spec)
    if isinstance(expr, nodes.Where):
        kinds = {kind(expr.args[1], spec), kind(expr.args[2], spec)}
        return kinds.pop() if len(kinds) == 1 else "real"
    if isinstance(expr, nodes.Read):
        return spec.tensor(expr.name).role.kind
    if isinstance(expr, nodes.Param):
        return next(p.role.kind for p in spec.parameters if p.name == expr.name)
    if isinstance(
        expr, (nodes.Compare, nodes.Junction, nodes.Not, nodes.Given, sp.logic.boolalg.BooleanAtom)
    ):
        return "boolean"
    if isinstance(expr, nodes.Reduce):
        return {"any": "boolean", "count": "integer"}.get(expr.op, "real")
    if isinstance(expr, (nodes.Size, Letter, sp.Integer)):
        return "integer"
    if isinstance(expr, (sp.Add, sp.Mul)) and all(kind(a, spec) == "integer" for a in expr.args):
        return "integer"
    return "real"


def asked_for(expr: sp.Basic, spec: LossSpec) -> Iterator[str]:
    """The tensors whose presence is asked for beyond reading their neutral value."""
    if isinstance(expr, nodes.Given):
        yield expr.name
    elif isinstance(expr, nodes.Where) and (read := neutral_read(expr, spec)) is not None:
        yield from (name for place in read.subscripts for name in asked_for(place, spec))
    else:
        for arg in expr.args:
            yield from asked_for(arg, spec)


def neutral_read(node: nodes.Where, spec: LossSpec) -> nodes.Read | None:
    """The read of an optional tensor that has a neutral value, where a node is one."""
    condition, yes, no = node.args
    if isinstance(condition, nodes.Given) and isinstance(yes, nodes.Read):
        tensor = spec.tensor(yes.name)
        if condition.name == yes.name and tensor.role.neutral is not None:
            return yes if sp.sympify(tensor.role.neutral) == no else None
    return None
