"""Positions that may lie outside their axis: ``x[n, label[n] + 1]`` at the last label.

In: the expressions of a loss and its integer tensors. Out: reads at arithmetic of labels that no
condition asks about. A label alone is inside by its role, a letter with a shift by its extent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Read, walk
from lossgen.notation import plain

# Message, hint, name.
Finding = tuple[str, str, str]


def check_positions(
    exprs: Iterable[sp.Basic], axes: Mapping[str, tuple[nodes.Letter, ...]], labels: Set[str]
) -> Iterator[Finding]:
    """Reads at positions of which nothing says that they are there.

    Args:
        axes: of each tensor.
        labels: the tensors of integers.
    """
    told: dict[str, Finding] = {}
    for expr in exprs:
        for what, place, axis in _unasked(expr, axes, labels, frozenset()):
            at = plain(place)
            end = axis.name if axis.name.isdigit() else f"size({axis})"
            below = any(x.is_number and x.is_negative for x in place.args)
            asks = f"0 <= {at}" if below else f"{at} < {end}"
            message = f"{what} at {at}, which may lie outside its axis"
            hint = f"say what holds there: where({asks}, ..., 0)"
            told.setdefault(at, (message, hint, min(_named(place, labels))))
    yield from told.values()


def _unasked(
    expr: sp.Basic,
    axes: Mapping[str, tuple[nodes.Letter, ...]],
    labels: Set[str],
    asked: frozenset[str],
) -> Iterator[tuple[str, sp.Basic, nodes.Letter]]:
    """What is read where, at arithmetic of labels that no condition around it reads."""
    if isinstance(expr, nodes.Where):
        asked |= _named(expr.args[0], labels)
    elif isinstance(expr, nodes.Reduce):
        asked |= _named(expr.where, labels)
    elif isinstance(expr, nodes.Junction):
        asked |= _named(expr, labels)
    what = f"'{expr.name}' is read" if isinstance(expr, Read) else "a value is read"
    for place, axis in _places(expr, axes):
        if _is_arithmetic(place) and not _named(place, labels) <= asked:
            yield what, place, axis
    for part in expr.args:
        yield from _unasked(part, axes, labels, asked)


def _places(
    expr: sp.Basic, axes: Mapping[str, tuple[nodes.Letter, ...]]
) -> Iterator[tuple[sp.Basic, nodes.Letter]]:
    """What stands for a position, and the letter whose axis it is on."""
    if isinstance(expr, Read):
        yield from zip(expr.subscripts, axes[expr.name], strict=True)
    elif isinstance(expr, nodes.Along):
        yield expr.position, expr.letter
    elif isinstance(expr, nodes.Let):
        yield from zip(expr.at, expr.params, strict=True)


def _is_arithmetic(place: sp.Basic) -> bool:
    """Whether a position is a label with something added, or a multiple of one."""
    if isinstance(place, nodes.Let):
        return _is_arithmetic(place.body)
    if isinstance(place, nodes.Where):
        asks = any(isinstance(x, Read) for x in walk(place.args[0]))
        return not asks and any(map(_is_arithmetic, place.args[1:]))
    return isinstance(place, (sp.Add, sp.Mul)) and any(isinstance(x, Read) for x in walk(place))


def _named(expr: sp.Basic, labels: Set[str]) -> frozenset[str]:
    return frozenset(x.name for x in walk(expr) if isinstance(x, Read)) & frozenset(labels)
