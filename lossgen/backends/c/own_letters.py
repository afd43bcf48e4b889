"""Statements over the letters of their axes, where one letter at a time runs over each.

    loss[i] = x[i];  d_x[n] = grad_loss[n]   →   loss[n] = x[n];  d_x[n] = grad_loss[n]

A loop then has one letter for what it goes along. Where two letters of an axis meet in a statement,
all stay as they are: such a loss pairs elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lossgen.nodes import Letter, free_letters, substitute
from lossgen.program import Statement


def on_axes(statements: Iterable[Statement], axes: Mapping[Letter, Letter]) -> list[Statement]:
    """The statements, each letter that is alone on its axis replaced by that axis' own."""
    given = list(statements)
    for x in given:
        along = [axes.get(y, y) for y in _letters(x)]
        if len({*along}) < len(along):
            return given
    return [_renamed(x, axes) for x in given]


def _letters(x: Statement) -> list[Letter]:
    inside = (y for e in x.expressions() for y in free_letters(e))
    return list(dict.fromkeys((*x.free, *x.bound, *inside)))


def _renamed(x: Statement, axes: Mapping[Letter, Letter]) -> Statement:
    names = {y: axes[y] for y in _letters(x) if axes.get(y, y) != y}
    if not names:
        return x
    free, bound = (tuple(names.get(y, y) for y in letters) for letters in (x.free, x.bound))
    extents = {names.get(y, y): found for y, found in x.extents.items()}
    renamed = replace(x, free=free, bound=bound, extents=extents)
    return renamed.mapped(lambda e: substitute(e, names))
