"""Half, bfloat16 and mixed precision, and tensors large enough for sums to overflow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch

from lossgen.verify.caller import CallFailed, Dtypes
from lossgen.verify.checks.outcome import concluded
from lossgen.verify.compare import Judged, judge
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import Sizes, first_points, points, resized, usual_sizes
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Check, Difference
from lossgen.verify.watch import accelerated

HALVES = (torch.float16, torch.bfloat16)
_LARGE = 90_000  # elements: their sum overflows half precision


def rounded(point: Point, dtype: torch.dtype) -> Point:
    """The point with its tensors as a precision holds them."""
    changed = point
    for name in point.floats:
        array = torch.tensor(point.tensors[name]).to(dtype).double().numpy()
        changed = changed.with_tensor(name, array)
    return changed


def halves(session: Session) -> Check:
    """Ordinary points in half precision: finite, and with the digits that it has."""
    looked, differences, refused = 0, list[Difference](), ""
    for dtype in HALVES:
        for point in _telling(session.question):
            judged = _judged(session, rounded(point, dtype), dtype)
            if judged is None:
                continue
            raised = [d for d in judged.differences if d.kind in ("behaviour", "refusal")]
            if raised:
                refused = str(raised[0].got)
                continue
            looked += 1
            kept = [d for d in judged.differences if d.kind != "formula"]
            differences += kept
            session.witnesses += [
                Witness(rounded(point, dtype), session.question.main, dtype, d) for d in kept
            ]
    if refused:
        session.note(f"half precision is refused: {refused}")
    if not looked:
        return Check("half precision", "skipped", "the code refuses it")
    return concluded("half precision", differences, looked, "comparisons")


def _telling(question: Question) -> Iterator[Point]:
    """Ordinary points, and two with the large values that are ordinary in half precision too."""
    yield from first_points(question)
    for point in itertools.islice(points(question, "extreme"), 2):
        changed = point
        for tensor in question.spec.tensors:
            if tensor.name in point.floats:
                most = 20.0 if tensor.role.name in ("Logits", "LogProbabilities") else 4.0
                held = np.clip(point.tensors[tensor.name], -most, most)
                changed = changed.with_tensor(tensor.name, held)
        yield changed


def _judged(session: Session, point: Point, dtype: Dtypes) -> Judged | None:
    try:
        return judge(session.caller, point, session.question.main, dtype)
    except Undefined:
        return None


def mixed(session: Session) -> Check:
    """One tensor in another precision than the rest: what forward accepts, backward must."""
    (point, *_) = first_points(session.question)
    if len([x for x in point.floats if x in session.question.tensors]) < 2:
        return Check("mixed precision", "skipped", "one tensor of floats only")
    return session.probed("mixed precision", [point], _mixed)


def _mixed(session: Session, point: Point) -> str:
    floats = [x for x in point.floats if x in session.question.tensors]
    for low in floats:
        dtypes = {x: torch.float32 if x == low else torch.float64 for x in floats}
        leaves = session.caller.leaves(point, dtypes)
        try:
            result = session.caller.result(point, leaves, session.question.main)
        except CallFailed:
            continue
        asked = [x for x in leaves.values() if x.requires_grad]
        try:
            torch.autograd.grad(result.sum(), asked, allow_unused=True)
        except RuntimeError as error:
            return f"accepts {low} in single precision, then raises in backward: {error}"
    return ""


def large(session: Session) -> Check:
    """Many elements in half precision, against the same code in double precision."""
    question, name = session.question, "large tensors"
    size = _grown(usual_sizes(question.spec))
    if size is None or _pairwise(session):
        return Check(name, "skipped", "no axis that may be long")
    point = _even(session, size)
    try:
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
