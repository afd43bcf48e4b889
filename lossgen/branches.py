"""The branches that values are for: what decides whether anything comes of them.

In: a program.  Out: for each value that only branches read, the conditions on elements that must
hold, or fail, wherever it is read.

    a[e] = exp(x[e]); loss[e] = where(m[e], a[e], 0)   →   a: m[e] holds
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lossgen.nodes import Read, Where, is_static
from lossgen.program import REDUCTIONS, Program

Choice = tuple[sp.Basic, bool]  # a condition, and whether it must hold


def choices(program: Program) -> dict[str, tuple[Choice, ...]]:
    """What must hold, or fail, wherever a value is read: elsewhere nothing comes of it."""
    found: dict[str, tuple[Choice, ...]] = {}
    places = {x.name: x.free for x in program.statements}
    for x in reversed(program.statements):
        alone = x.op == "map" or x.op in REDUCTIONS
        own = found.get(x.name, ()) if alone and x.name not in program.results else ()
        for part in x.expressions():
            for read, enclosing in _reads(part, own):
                here = read.subscripts == places.get(read.name)
                seen = enclosing if here else ()
                before = found.get(read.name, seen)
                found[read.name] = tuple(c for c in before if c in seen)
    return {name: some for name, some in found.items() if some}


def _reads(expr: sp.Basic, within: tuple[Choice, ...]) -> Iterator[tuple[Read, tuple[Choice, ...]]]:
    """Every read, and what chooses the branches that it stands in."""
    if isinstance(expr, Read):
        yield expr, within
    if isinstance(expr, Where) and not is_static(expr.args[0]):
        condition, yes, no = expr.args
        yield from _reads(condition, within)
        yield from _reads(yes, (*within, (condition, True)))
        yield from _reads(no, (*within, (condition, False)))
        return
    for a in expr.args:
        yield from _reads(a, within)
