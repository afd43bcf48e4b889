"""The code's graph in long arithmetic: what rounds, and what is another formula.

In: a ``Session`` and a ``Point``. Out: numbers of 120 digits of the code's own operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lossgen.verify.caller import Dtypes, upstream
from lossgen.verify.evidence.arrays import Array, Unsupported
from lossgen.verify.evidence.interpret import run_graph
from lossgen.verify.evidence.trace import NotTraced, Trace, trace
from lossgen.verify.point import Point
from lossgen.verify.session import Session
from lossgen.verify.truth import Undefined, evaluate, mp
from lossgen.verify.truth.tape import Algebra
from lossgen.verify.verdict import Difference

ROUNDED = mp.mpf(10) ** -13  # what constants rounded to double precision leave
# What long arithmetic can say nothing of.
_UNTOLD = (
    NotTraced,
    Unsupported,
    Undefined,
    ZeroDivisionError,
    TypeError,
    ValueError,
    IndexError,
)


def agrees(session: Session, point: Point, reduction: str) -> bool:
    """Whether the code's own operations give the formula at a point, in long arithmetic."""
    try:
        graph = trace(session, point, reduction)
        return bool(residual(session, point, graph, reduction) <= ROUNDED)
    except _UNTOLD:
        return False


def persists(
    session: Session, point: Point, reduction: str, dtype: Dtypes, difference: Difference
) -> bool:
    """Whether the code's own operations in a precision give such a difference in long arithmetic.

    It is then no rounding: the code computes something else in that precision.
    """
    try:
        graph = trace(session, point, reduction, dtype)
        got, want = both(session, point, graph, reduction)
        place = _offset(point, graph, len(got), difference.what) + difference.place
        whole = abs(mp.mpf(float(difference.got)) - want[place])
        return bool(abs(mp.mpf(got[place]) - want[place]) > whole / 2)
    except _UNTOLD:
        return False


def _offset(point: Point, graph: Trace, count: int, what: str) -> int:
    """Where the value or a gradient begins among a graph's flat results."""
    if what == "value":
        return 0
    sizes = [point.tensors[name].size for name in graph.names]
    before = graph.names.index(what.removeprefix("gradient of "))
    return count - sum(sizes[before:])


def inputs(point: Point, graph: Trace, element: Callable[[float], Any]) -> list[Array]:
    """The point's tensors as arrays of numbers."""
    arrays = []
    for name in graph.tensors:
        source = point.tensors[name]
        made = np.empty(source.shape, dtype=object)
        flat = [element(x) if isinstance(x, float) else x for x in source.flatten().tolist()]
        for place, x in zip(np.ndindex(*source.shape), flat, strict=True):
            made[place] = x
        arrays.append(made)
    return arrays


def expected(
    session: Session,
    point: Point,
    graph: Trace,
    reduction: str,
    algebra: Algebra,
    element: Callable[[float], Any],
) -> list[Any]:
    """The formula's value and gradients, flat, in the order of the graph's results."""
    exact = evaluate(session.question.spec, point, algebra=algebra, element=element)
    if algebra is mp and not exact.finite:
        raise Undefined("not finite")
    value = exact.value(reduction)
    gradient = exact.gradient(reduction, upstream(len(value)))
    return [*value, *(x for name in graph.names for x in gradient[name])]


def flat(results: Sequence[Array]) -> list[Any]:
    return [x for r in results for x in r.flatten().tolist()]


def residual(session: Session, point: Point, graph: Trace, reduction: str) -> Any:
    """How far the graph in long arithmetic is from the formula, relative to the largest number."""
    got, want = both(session, point, graph, reduction)
    scale = max([mp.mpf(1), *(abs(mp.mpf(x)) for x in want)])
    return max(abs(mp.mpf(a) - mp.mpf(b)) for a, b in zip(got, want, strict=True)) / scale


def both(
    session: Session, point: Point, graph: Trace, reduction: str
) -> tuple[list[Any], list[Any]]:
    """What the graph gives in long arithmetic, and the formula: value and gradients, flat."""
    got = flat(run_graph(graph.module, inputs(point, graph, mp.mpf), mp))
    return got, expected(session, point, graph, reduction, mp, mp.mpf)
