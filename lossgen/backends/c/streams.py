"""Gradients that are written past the processor's caches, where C is compiled so (``STREAMED``).

In: a gradient of which an inner loop writes neighbours in memory.  Out: lines of C.  Vector code
writes a part of it beside the stack, and `stream` of ``templates/c/support.c`` takes it to memory:

    store(STREAMED ? d_x_row + i : d_x_out + …, …);  →  stream(d_x_out + …, d_x_row, lanes);

Those that are not are asked for in advance: `written_soon(d_x_out + …, lanes);`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lossgen.backends.c.places import Places, indented
from lossgen.backends.c.words import extent
from lossgen.program import Statement


def streams(x: Statement, places: Places) -> bool:
    """Whether a gradient is such a one."""
    array = places.array(x.name.removeprefix("d_"))
    return (
        x.name in places.plan.gradients
        and places.plan.inner in x.free
        and x.op != "stack"
        and array is not None
        and places.vector in array.axes
        and places.unit == places.vector
    )


def beside(x: Statement, places: Places) -> str:
    """Where an element stands until its loop is over."""
    at = f"({places.vector} - first)" if places.inside else "i"
    return f"{x.name}_row + {at}"


def afterwards(written: Iterable[Statement], places: Places) -> Iterator[str]:
    """What follows the loop that has computed gradients."""
    count = "last - first" if places.inside else "lanes"
    for x in written:
        source = x.name.removeprefix("d_")
        array = places.array(source)
        assert array is not None
        yield f"if (STREAMED && NEED_{source.upper()})"
        yield f"    stream({x.name}_out + {places.run_index(array)}, {x.name}_row, {count});"


def beforehand(written: Iterable[Statement], places: Places) -> Iterator[str]:
    """What has the memory of gradients come while a dear loop before theirs computes."""
    for x in written:
        source = x.name.removeprefix("d_")
        array = places.array(source)
        assert array is not None
        if places.turns(array) and not places.turned:
            continue  # there are only tiles
        where = f"!STREAMED && !{places.turned}" if places.turns(array) else "!STREAMED"
        at, count = places.run_index(array), "lanes"
        if places.inside:  # the start of a row: of its rest, the processor asks ahead by itself
            at, count = places.first(array), f"smaller({extent(places.vector)}, BLOCK)"
        yield f"if (NEED_{source.upper()} && {where})"
        yield f"    written_soon({x.name}_out + {at}, {count});"


def in_parts(letter: object, loop: Iterable[str]) -> Iterator[str]:
    """A loop from `first` to `last`, for all parts of a row."""
    yield f"for (int64_t first = 0; first < {extent(letter)}; first += most) {{"
    yield f"    const int64_t last = smaller(first + most, {extent(letter)});"
    yield from indented(loop)
    yield "}"
