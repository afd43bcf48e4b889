"""Tensors large enough for sums to overflow half precision."""

from __future__ import annotations

import time

import numpy as np
import torch

from lossgen.verify.caller import CallFailed
from lossgen.verify.checks.dtypes import rounded
from lossgen.verify.point import Point
from lossgen.verify.sampling import Sizes, resized, usual_sizes
from lossgen.verify.session import Session, Witness
from lossgen.verify.verdict import Check, Difference
from lossgen.verify.watch import accelerated

_LARGE = 90_000  # elements: their sum overflows half precision


def large(session: Session) -> Check:
    """Many elements in half precision, against the same code in double precision."""
    question, name = session.question, "large tensors"
    size = _grown(usual_sizes(question.spec))
    if size is None or size.keys() & question.pinned.keys() & {"s", "e"} or _pairwise(session):
        return Check(name, "skipped", "no axis that may be long")
    point = _even(session, size)
    try:
        seconds = _estimated(session, size)
        if seconds > _PATIENCE:
            return Check(name, "skipped", f"it would take about {seconds:.0f} s")
        exact = session.caller.run(point, question.main, grad=False)
        with accelerated():
            got = session.caller.run(point, question.main, torch.float16, grad=False)
    except CallFailed:
        return Check(name, "skipped", "the code refuses half precision")
    top = torch.finfo(torch.float16).max
    for place, (want, value) in enumerate(zip(exact.value, got.value, strict=True)):
        if np.isfinite(want) and abs(want) < top / 2 and not np.isfinite(value):
            found = Difference(
                "nonfinite",
                "value",
                place,
                value,
                want,
                float("inf"),
                point.label,
                question.main,
                "float16",
            )
            session.witnesses.append(Witness(point, question.main, torch.float16, found))
            return Check(name, "fails", f"{point.count} numbers in half precision", 0.0, (found,))
    return Check(name, "holds", f"{point.count} numbers in half precision")


_PATIENCE = 10.0  # seconds
_PART = 64


def _estimated(session: Session, size: Sizes) -> float:
    """How long a call takes, by one of a part: code may loop over rows.

    A first call may be slow for another reason: torch imports its compiler to watch operations.
    """
    part = {k: tuple(max(1, x // _PART) if x > _PART else x for x in v) for k, v in size.items()}
    point = _even(session, part)
    seconds = float("inf")
    for _ in range(2):
        start = time.monotonic()
        with accelerated():
            session.caller.run(point, session.question.main, torch.float16, grad=False)
        seconds = min(seconds, _PART * (time.monotonic() - start))
        if seconds <= _PATIENCE:
            break
    return seconds


def _even(session: Session, size: Sizes) -> Point:
    """Large tensors each of one number, so that a person can make them; weights left out."""
    question = session.question
    drawn = resized(question, size, question.seed)
    optional = {t.name for t in question.spec.tensors if t.optional}
    tensors = {}
    for k, tensor in enumerate(question.spec.tensors):
        if tensor.name in drawn.tensors and tensor.name not in optional:
            array = drawn.tensors[tensor.name]
            if tensor.name in drawn.floats and not question.adapters.get(tensor.name):
                array = np.full_like(array, 1.0 if tensor.role.upper else 2.0 - k / 4)
            tensors[tensor.name] = array
    required = {k: v for k, v in drawn.options.items() if question.options[k] is None}
    return rounded(Point(tensors, question.options | required, "many elements"), torch.float16)


def _grown(size: Sizes) -> Sizes | None:
    """Sizes whose long axis has very many positions, and of the others as few as can be."""
    for axis in ("s", "e"):
        if axis in size:
            few = {a: s if a.isdigit() else (2,) * len(s) for a, s in size.items()}
            return {**few, axis: (_LARGE,)}
    return None


def _pairwise(session: Session) -> bool:
    """Whether the formula compares positions of a long axis with one another."""
    axes = session.question.spec.axes
    return any(over.name in "se" and letter != over for letter, over in axes.items())
