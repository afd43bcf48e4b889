"""Inputs that are ordinary and that few samples show: large numbers, no error, labels all alike.

In: a ``Question``. Out: ``Point``s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lossgen.testsamples import samples, sizes
from lossgen.verify.caller import predicted
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import (
    Sizes,
    classes_of,
    first_points,
    point,
    resized,
    rows_of,
    usual_sizes,
)

_BOUND = ("one_hot", "distribution")  # conventions in which elements depend on one another
_LAST = -2.0  # stands for the last class
# What labels may all be, by kind or role; masks that keep nothing are asked about elsewhere.
_ALL = {
    "boolean": (1.0,),
    "index": (0.0, _LAST),
    "groups": (0.0,),
    "binary": (0.0, 1.0),
    "sign": (-1.0, 1.0),
    "Real": (0.0,),
    "NonNegative": (0.0,),
    "Probabilities": (0.0, 1.0),
}
# By role: factors and shifts of numbers between -3 and 3, of boxes between 0 and 6.
_FAR = {
    "Real": ((64.0, 0.0), (1024.0, 0.0)),
    "Logits": ((64.0, 0.0),),
    "Boxes": ((64.0, -128.0),),
}


def far(question: Question) -> Iterator[Point]:
    """Numbers as large as what regression is done on: prices, years, pixels; scores as sure."""
    spec = question.spec
    sized = {t.name: _FAR.get(t.role.name, ()) for t in spec.tensors if t.name in question.tensors}
    for k in range(max(map(len, sized.values()), default=0)):
        drawn = resized(question, usual_sizes(spec), question.seed + 31 + k)
        for name, found in sized.items():
            for factor, shift in found[k : k + 1]:
                drawn = drawn.with_tensor(name, drawn.tensors[name] * factor + shift)
        yield replace(drawn, label="large numbers")


def agreeing(question: Question) -> Iterator[Point]:
    """A prediction that is right everywhere, at the ends of its domain among others."""
    spec = question.spec
    rows = [r for r in rows_of(question) if r.manner in ("extreme", "plain")]
    for row in rows[-1:]:
        drawn = point(question, row, question.seed + 61)
        first, *others = (t for t in spec.tensors if t.name in drawn.tensors)
        alike = [t for t in others if (t.role, t.axes) == (first.role, first.axes)]
        for t in alike[:1]:
            whole = drawn.tensors[first.name].copy()
            if whole.shape == drawn.tensors[t.name].shape:
                yield replace(drawn.with_tensor(t.name, whole), label="all right")


def uniform(question: Question) -> Iterator[Point]:
    """Labels that are all alike: nothing there, nothing else there, one class; several groups."""
    drawn = next(first_points(question))
    asked = predicted(question.spec)
    for tensor, sample in zip(question.spec.tensors, samples(question.spec), strict=True):
        if tensor.name not in drawn.tensors or tensor.name in asked:
            continue
        if any(a.domain in _BOUND for a in question.adapters.get(tensor.name, ())):
            continue
        array = drawn.tensors[tensor.name]
        most = classes_of(question.spec, sample, _extents(question)) - 1
        for value in _ALL.get(sample.kind if sample.kind != "real" else tensor.role.name, ()):
            whole = np.full_like(array, most if value == _LAST else value)
            yield replace(drawn.with_tensor(tensor.name, whole), label=f"{tensor.name} all alike")
        if sample.kind == "groups":
            several = np.arange(array.size).reshape(array.shape) % 3 * 5
            yield replace(drawn.with_tensor(tensor.name, several), label="several groups")


def _extents(question: Question) -> Sizes:
    return {**sizes(question.spec), **question.pinned}
