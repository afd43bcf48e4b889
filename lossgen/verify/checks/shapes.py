"""Shapes that the formula forbids: refused, understood, or taken silently for something else.

A column beside a vector broadcasts to a table of all pairs, and the mean of that table is a number
as good as any. Code that refuses such shapes, warns of them (as torch's own losses do), or computes
what the fitting shapes give (it flattens, or repeats the one row) is fine. A finite number that is
another, without a word, is a warning: the formula says nothing about these shapes, so it refutes
nothing, and yet nobody wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lossgen.spec import LossSpec, TensorArg
from lossgen.verify.adapters import class_axis
from lossgen.verify.caller import CallFailed
from lossgen.verify.checks.itself import differs
from lossgen.verify.point import Point
from lossgen.verify.sampling import resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check, number

NAME = "shapes"
_VECTOR = 5  # elements of a vector beside a column


@dataclass(frozen=True, eq=False)
class Misfit:
    """A point whose shapes do not fit, and the fitting one that a person may have meant."""

    name: str
    point: Point
    meant: Point


def shapes(session: Session) -> Check:
    """Tensors that do not fit, each beside what may have been meant."""
    asked, told = 0, ""
    for misfit in _misfits(session):
        text, warned = _taken(session, misfit)
        asked += 1
        if text:
            return Check(NAME, "warns", text)
        told = told or warned
    if not asked:
        return Check(NAME, "skipped", "nothing to fit together")
    return Check(NAME, "holds", "the code warns" if told else "refused, or understood")


def _taken(session: Session, misfit: Misfit) -> tuple[str, str]:
    """What is wrong with how shapes are taken, and what the code warns of."""
    caller, main, heard = session.caller, session.question.main, list[str]()
    try:
        meant = caller.run(misfit.meant, main, grad=False).value
    except CallFailed:
        return "", ""
    try:
        leaves = caller.leaves(misfit.point, grad=False)
        result = caller.result(misfit.point, leaves, main, heard)
    except CallFailed:
        return "", ""
    got = result.double().flatten().tolist()
    if heard or not got or not np.isfinite(got).all():
        return "", heard[0] if heard else ""
    if len(got) == len(meant) and differs(got, meant) is None:
        return "", ""
    lead = session.question.spec.tensors[0].name
    other = lead if misfit.name != lead else _beside(session.question.spec, lead)
    here, there = (list(misfit.point.tensors[k].shape) for k in (misfit.name, other))
    text = f"takes {misfit.name} {here} beside {other} {there} without a word"
    if len(got) == len(meant) == 1:
        fitting = list(misfit.meant.tensors[misfit.name].shape)
        text += f": {number(got[0])}, where {misfit.name} {fitting} gives {number(meant[0])}"
    return text, ""


def _beside(spec: LossSpec, lead: str) -> str:
    return next(t.name for t in spec.tensors if t.name != lead and not t.broadcast)


def _misfits(session: Session) -> Iterator[Misfit]:
    question, spec = session.question, session.question.spec
    vector = {**usual_sizes(spec), **({"e": (_VECTOR,)} if _elementwise(spec) else {})}
    fitting = resized(question, vector, question.seed + 9)
    first = spec.tensors[0]
    given = [t for t in spec.tensors if t.name in fitting.tensors and _must_fit(t)]
    yield from _without_class(session, given[1:])
    for tensor in given:
        array = fitting.tensors[tensor.name]
        if not array.ndim or len(given) < 2 or (tensor is first and not _elementwise(spec)):
            continue
        column = array.reshape(array.shape[0], 1, *array.shape[1:])
        yield Misfit(tensor.name, fitting.with_tensor(tensor.name, column), fitting)
    for tensor in given[1:]:
        array = fitting.tensors[tensor.name]
        for place in _repeatable(spec, tensor, first):
            if array.ndim > place and array.shape[place] > 1:
                one = np.take(array, [0], axis=place)
                whole = np.broadcast_to(one, array.shape).copy()
                yield Misfit(
                    tensor.name,
                    fitting.with_tensor(tensor.name, one),
                    fitting.with_tensor(tensor.name, whole),
                )


def _without_class(session: Session, given: list[TensorArg]) -> Iterator[Misfit]:
    """Beside an input of one class, a target that has no class axis: each meets every sample."""
    question, spec = session.question, session.question.spec
    first = spec.tensors[0]
    if "c" in question.pinned or not any(a.name == "c" for a in first.axes[1:]):
        return
    fitting = resized(question, {**usual_sizes(spec), "c": (1,)}, question.seed + 9)
    for tensor in given:
        if tensor.axes == first.axes:
            array = fitting.tensors[tensor.name]
            without = np.take(array, 0, axis=class_axis(spec, tensor))
            yield Misfit(tensor.name, fitting.with_tensor(tensor.name, without), fitting)


def _elementwise(spec: LossSpec) -> bool:
    return [a.name for a in spec.tensors[0].axes] == ["e"]


def _must_fit(tensor: TensorArg) -> bool:
    """Weights of size 1 and what the formula lets broadcast fit anyhow."""
    return not tensor.broadcast and tensor.role.name != "Weight"


def _repeatable(spec: LossSpec, tensor: TensorArg, first: TensorArg) -> tuple[int, ...]:
    """The axes of which one row may have been meant for all: the batch, the classes."""
    places = [0] if tensor.axes[:1] == first.axes[:1] else []
    if any(a.name == "c" for a in tensor.axes) and len(tensor.axes) > 1:
        places.append(class_axis(spec, tensor) % len(tensor.axes))
    return tuple(dict.fromkeys(places))
