"""Which axis each letter runs over.

In: expressions and the tensors they read. Out: a map from every letter to the axis letter of an
annotation.  ``z[i, d] * z[j, d]`` over ``z: Embedding[n, d]`` makes ``i`` and ``j`` run over the
rows, and in ``Sum(x[n, b], b, where=b <= k)`` ``k`` runs over the axis of ``b``.  One letter, one
axis; a letter that neither a subscript nor a comparison places is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from lossgen.errors import suggest
from lossgen.nodes import Along, Compare, Let, Letter, Read, Reduce, Size, walk


class AxisFault(Exception):
    """A letter without an axis, or with two; ``letter`` says which."""

    def __init__(self, letter: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.letter, self.message, self.hint = letter, message, hint


class _Groups:
    """Letters that share an axis (union-find; an annotation's letter represents its group)."""

    def __init__(self, axes: Iterable[Letter]) -> None:
        self.axes = set(axes)
        self.parent: dict[Letter, Letter] = {}
        self.faults: list[AxisFault] = []

    def find(self, letter: Letter) -> Letter:
        while (up := self.parent.get(letter, letter)) != letter:
            letter = up
        return letter

    def join(self, a: Letter, b: Letter) -> None:
        first, second = self.find(a), self.find(b)
        if first == second:
            return
        if first in self.axes and second in self.axes:
            hint = "use another letter for one of them"
            text = f"letter '{a}' runs over axis '{first}' and over axis '{second}'"
            self.faults.append(AxisFault(a.name, text, hint))
        elif first in self.axes:
            self.parent[second] = first
        else:
            self.parent[first] = second


def shifted_letter(subscript: sp.Expr) -> tuple[Letter, int] | None:
    """``h + 1`` as ``(h, 1)``; None for a number or a gather."""
    if isinstance(subscript, Letter):
        return subscript, 0
    if isinstance(subscript, sp.Add) and len(subscript.args) == 2:
        shift, letter = subscript.args
        if isinstance(letter, Letter) and isinstance(shift, sp.Integer):
            return letter, int(shift)
    return None


def infer_axes(
    expressions: Iterable[sp.Basic], tensors: Mapping[str, tuple[Letter, ...]]
) -> tuple[dict[Letter, Letter], list[AxisFault]]:
    """Place every letter on an axis.

    Args:
        expressions: what reads the tensors.
        tensors: the axis letters of each tensor, by name.

    Returns:
        The axis letter of each letter, and the letters that have none or two.
    """
    groups = _Groups(axis for axes in tensors.values() for axis in axes)
    used: dict[Letter, None] = {}
    compared: list[tuple[Letter, Letter]] = []
    for node in walk(sp.Tuple(*expressions)):
        if isinstance(node, Letter):
            used.setdefault(node)
        elif isinstance(node, Read):
            for subscript, axis in zip(node.subscripts, tensors[node.name], strict=True):
                if (place := shifted_letter(subscript)) is not None:
                    groups.join(place[0], axis)
        elif isinstance(node, Let):
            for param, arg in zip(node.params, node.at, strict=True):
                if (place := shifted_letter(arg)) is not None:
                    groups.join(place[0], param)
        elif isinstance(node, Along) and isinstance(node.position, Letter):
            groups.join(node.position, node.letter)
        elif isinstance(node, Reduce):
            used.update(dict.fromkeys(node.bound))
        elif isinstance(node, Size):
            used.setdefault(node.letter)
        elif isinstance(node, Compare) and {type(node.left), type(node.right)} == {Letter}:
            compared.append((node.left, node.right))
    # A letter that no subscript places runs over the axis of what it is compared with.
    for first, second in compared * len(compared):
        if (groups.find(first) in groups.axes) != (groups.find(second) in groups.axes):
            groups.join(first, second)
    faults = groups.faults
    axes: dict[Letter, Letter] = {}
    known = sorted({axis.name for axis in groups.axes})
    for letter in used:
        axis = groups.find(letter)
        if axis in groups.axes:
            axes[letter] = axis
        else:
            hint = _near(letter.name, known) or f"The axes here: {', '.join(known) or 'none'}"
            faults.append(AxisFault(letter.name, f"axis '{letter}' appears in no tensor", hint))
    return axes | {axis: axis for axis in groups.axes}, faults


def _near(name: str, known: list[str]) -> str:
    """A suggestion; two single letters are near where they are neighbours."""
    beside = [x for x in known if len(name) == len(x) == 1 and abs(ord(name) - ord(x)) == 1]
    return f"Did you mean '{beside[0]}'?" if len(beside) == 1 else suggest(name, known)


def axis_order(tensors: Iterable[tuple[Letter, ...]]) -> list[Letter]:
    """The axes of tensors in an order that agrees with every tensor's, where there is one.

    Of what the tensors leave open, the axes of the largest come first.
    """
    given = list(tensors)
    waiting = dict.fromkeys(axis for axes in sorted(given, key=len, reverse=True) for axis in axes)
    order: list[Letter] = []
    while waiting:
        blocked = {
            y for axes in given for k, x in enumerate(axes) if x in waiting for y in axes[k + 1 :]
        }
        chosen = next((x for x in waiting if x not in blocked), next(iter(waiting)))
        order.append(chosen)
        del waiting[chosen]
    return order
