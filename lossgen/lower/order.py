"""The order of letters and of statements.

Letters follow the axes of the tensors; statements follow the author's writing, each preceded by the
unnamed ones that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from lossgen.axes import axis_order
from lossgen.nodes import Letter, free_letters, walk
from lossgen.program import Statement
from lossgen.spec import LossSpec


def in_order_of_writing(
    statements: tuple[Statement, ...], names: Sequence[str]
) -> tuple[Statement, ...]:
    """The statements in the author's order, each preceded by the unnamed ones that it needs."""
    by_name = {x.name: x for x in statements}
    position = {name: k for k, name in enumerate(by_name)}
    placed: dict[str, Statement] = {}

    def place(name: str) -> None:
        if name in by_name and name not in placed:
            for read in sorted(by_name[name].reads() & by_name.keys(), key=position.__getitem__):
                place(read)
            placed[name] = by_name[name]

    for name in (*names, *by_name):
        place(name)
    return tuple(placed.values())


def letter_order(spec: LossSpec, expressions: Sequence[sp.Expr]) -> tuple[Letter, ...]:
    """All letters: axes in the order of the tensors, others beside the axis they run over."""
    axes = axis_order(t.axes for t in spec.tensors)
    used: dict[Letter, None] = {}
    for node in walk(sp.Tuple(*expressions)):
        if isinstance(node, Letter):
            used.setdefault(node)
    order: list[Letter] = []
    for axis in axes:
        order += [
            axis,
            *sorted((x for x in used if spec.axes.get(x) == axis and x != axis), key=str),
        ]
    return tuple(order)


def item_letters(spec: LossSpec) -> tuple[Letter, ...]:
    """The letters of the unreduced loss, in the order of its dimensions."""
    inside = free_letters(spec.item)
    return tuple(x for x in letter_order(spec, [spec.item]) if x in inside)
