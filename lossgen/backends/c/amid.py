"""Runs in the middle of their axes, where every neighbour is there and nobody asks.

In: a pass that reads neighbours, and its ``Places``.  Out: the condition under which a run has all
of them but those along the vectors; the pass and the places as they are then.

    h >= 1 ? x[n, h - 1, w] : 0  →  if (h >= 1 && h + 1 < H), x[n, h - 1, w]

What is the same for a whole loop would be asked for each element, and keeps the compiler busy with
masks: a compiler takes only the shortest of loops apart by such a condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.c.places import Places
from lossgen.backends.c.plan import Pass
from lossgen.nodes import TRUE, Compare, Read, Size, walk
from lossgen.program import Statement


def amid(one: Pass, places: Places) -> tuple[str, Pass, Places] | None:
    """The condition, the pass and its places; None where a run has no such neighbours."""
    ends = [end for x in _statements(one) for end in _ends(x, places)]
    if not ends:
        return None
    told = dict.fromkeys(ends, TRUE)
    # The farthest of each end comes last, and says it of the others.
    farthest = {_side(end): end for end in sorted(told, key=_reach)}

    def asked(e: sp.Basic) -> sp.Basic:
        return told[e] if e in told else nd.rebuild(e, [asked(a) for a in e.args])

    parts = (one.inner, one.across, one.writes, one.local)
    there = Pass(*(tuple(x.mapped(asked) for x in part) for part in parts))
    test = " && ".join(
        places.compared(*_place(end), end.op, end.right) for end in farthest.values()
    )
    return test, there, replace(places, amid=True)


def _statements(one: Pass) -> tuple[Statement, ...]:
    return (*one.inner, *one.across, *one.writes, *one.local)


def _ends(x: Statement, places: Places) -> Iterator[Compare]:
    """What a statement asks about places beside those of a run's own letters."""
    for e in (e for y in x.expressions() for e in walk(y)):
        if isinstance(e, Compare) and (place := shifted_letter(e.left)) is not None:
            low = e.op == ">=" and e.right.is_Integer
            high = e.op == "<" and isinstance(e.right, Size)
            if places.of_run(place[0]) and (low or high):
                yield e
        elif isinstance(e, Read) and (array := places.array(e.name)) is not None:
            for y, s in zip(array.axes, e.subscripts, strict=True):
                letter, shift = shifted_letter(s) or (y, 0)
                if shift and places.of_run(letter):
                    yield places.end(letter, shift, y)


def _place(end: Compare) -> tuple[nd.Letter, int]:
    place = shifted_letter(end.left)
    assert place is not None
    return place


def _side(end: Compare) -> tuple[sp.Basic, ...]:
    """What two ends must have in common for the one to say it of the other."""
    return (_place(end)[0], end.right) if end.op == "<" else (_place(end)[0],)


def _reach(end: Compare) -> tuple[bool, int]:
    """How far from a place something is that is there: those before it, then those after."""
    return (True, _place(end)[1]) if end.op == "<" else (False, int(end.right) - _place(end)[1])
