"""Tensors large enough for sums to overflow half precision, and for code to go by blocks."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from lossgen.symmetry import separable
from lossgen.verify.caller import CallFailed
from lossgen.verify.checks.dtypes import rounded
from lossgen.verify.checks.itself import words
from lossgen.verify.checks.repeated import Repeated
from lossgen.verify.point import Point
from lossgen.verify.sampling import Sizes, first_points, resized, usual_sizes
from lossgen.verify.session import Session, Witness
from lossgen.verify.slicing import extents
from lossgen.verify.verdict import Check, Difference
from lossgen.verify.watch import accelerated

NAME = "large tensors"
_LARGE = 90_000  # elements: their sum overflows half precision


def large(session: Session) -> Check:
    """Many elements: in half precision, and repeated in double precision."""
    repeated = _repeated(session)
    if repeated is not None and repeated.status == "fails":
        return repeated
    made = _halves(session)
    if repeated is not None and made.status == "skipped":
        return replace(repeated, detail=f"{repeated.detail}; in half precision {made.detail}")
    return made


def _repeated(session: Session) -> Check | None:
    """A batch many times over; None where the formula's items meet, or where it takes too long."""
    spec = session.question.spec
    lead = spec.tensors[0].axes[0]
    label = f"{lead.name}0" if lead.name in "se" else str(lead.name)
    point = next(first_points(session.question))
    if not separable(spec, lead) or label not in extents(spec, point):
        return None
    times = max(2, _LARGE // point.count) | 1
    probe = Repeated(label, times)
    try:
        start = time.monotonic()
        Repeated(label, _PART)(session, point)
        if (time.monotonic() - start) * times / _PART > _SOON:
            return None
        return session.probed(NAME, [point], probe, f"{times} times as many {words(label)}")
    except CallFailed:
        return None


def _halves(session: Session) -> Check:
    """Many elements in half precision, against the same code in double precision."""
    question, name = session.question, NAME
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


_PATIENCE, _SOON = 10.0, 3.0  # seconds
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
