"""Numbers beyond a threshold of the formula's: a variance below its floor, a probability clipped.

In: a ``Question``. Out: ``Point``s at which every other element of a tensor is beyond a bound that
the formula holds it at, where ordinary samples never are.

    log(Max(var, eps)), eps = 1e-6  →  var = 2.5e-7
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Read, free_letters, walk
from lossgen.spec import LossSpec
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import resized, usual_sizes

# Samples are multiples of 1/64 up to 3: between these, both sides of a bound are looked at anyway.
_USUAL = (1 / 64, 2.0)


def beyond_bounds(question: Question) -> Iterator[Point]:
    """A point for each bound that is beyond the usual samples."""
    drawn = resized(question, usual_sizes(question.spec), question.seed + 53)
    for name, above, bound in _bounds(question.spec):
        value = _number(bound, drawn)
        array = drawn.tensors.get(name)
        if array is None or not value or not array.size:
            continue
        unit = question.spec.tensor(name).role.name == "Probabilities"
        from_one = above and unit and 0 < value < 1
        distance = 1 - value if from_one else abs(value)
        if _USUAL[0] <= distance <= _USUAL[1]:
            continue
        outside = value * 4 if above == (value > 0) else value / 4
        moved = array.copy()
        moved.reshape(-1)[::2] = 1 - distance / 4 if from_one else outside
        yield replace(drawn.with_tensor(name, moved), label=f"{name} beyond {bound}")


def _bounds(spec: LossSpec) -> list[tuple[str, bool, sp.Expr]]:
    """The tensors that are held, whether from above, and at what."""
    found: list[tuple[str, bool, sp.Expr]] = []
    real = {t.name for t in spec.tensors if t.role.kind == "real"}
    for x in walk(spec.item):
        if isinstance(x, (nd.Max, nd.Min)):
            sides = [(x.args[0], x.args[1]), (x.args[1], x.args[0])]
            pairs = [(read, isinstance(x, nd.Min), bound) for read, bound in sides]
        elif isinstance(x, nd.Clip):
            pairs = [(x.args[0], False, x.args[1]), (x.args[0], True, x.args[2])]
        else:
            continue
        for read, above, bound in pairs:
            held = isinstance(read, Read) and read.name in real and not free_letters(bound)
            if held and (read.name, above, bound) not in found:
                found.append((read.name, above, bound))
    return found


def _number(bound: sp.Expr, point: Point) -> float | None:
    """A bound at a point's options."""
    options: dict[Any, Any] = {p: point.options.get(p.name) for p in bound.atoms(nd.Param)}
    if None in options.values():
        return None
    value = bound.xreplace({p: sp.sympify(v) for p, v in options.items()})
    return float(value) if value.is_number and value.is_finite else None
