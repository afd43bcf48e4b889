"""Gradients of several numbers for each element, as of a box, which lie beside one another.

In: a ``stack`` statement.  Out: lines of C.  The loop that computes the numbers leaves a block of
each beside the stack, and a loop of its own stores them:

    d_x_0_at[i] = …;  d_x_1_at[i] = …;  →  store(d_x_out + i * 4, d_x_0_at[i]); …

Stored where they are computed, four neighbours would be taken for one vector, and put together one
by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sympy as sp

from lossgen.backends.c.places import Places
from lossgen.nodes import Read, word
from lossgen.program import Statement


def left(x: Statement) -> list[str]:
    """The arrays that hold a block of each number."""
    return [f"{x.name}_{position}_at" for position in range(len(x.target))]


def stored(x: Statement, values: Iterable[str], places: Places) -> Iterator[str]:
    """The lines that store the numbers of one element."""
    array = places.array(x.name.removeprefix("d_"))
    assert array is not None
    for position, value in enumerate(values):
        at = [sp.Integer(position) if y == x.bound[0] else y for y in array.axes]
        yield f"store({x.name}_out + {places.index(Read(word(array.name), *at), str)}, {value});"


def afterwards(x: Statement, places: Places) -> list[str]:
    """The loop that stores a block."""
    values = (f"{name}[i]" for name in left(x))
    return [
        f"if (NEED_{x.name.removeprefix('d_').upper()}) {{",
        "    #pragma omp simd",
        "    for (int64_t i = 0; i < lanes; i++) {",
        *(f"        {line}" for line in stored(x, values, places)),
        "    }",
        "}",
    ]
