"""What the formula implies about order and size: checked on tensors too long for the truth.

A sum over samples does not depend on their order, nor a loss that treats all classes alike on
theirs if the labels are renamed; what is an average over independent items is that of its parts,
by the formula's own denominators. ``lossgen.symmetry`` says which of this a formula implies.
The axes are long here: with the small points that were held against the truth, this carries to
batches of any size, and shows code that loses what is left over by its chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from lossgen.nodes import Letter
from lossgen.symmetry import Alike, alike, coupled, separable
from lossgen.testsamples import samples
from lossgen.verify.caller import CallFailed
from lossgen.verify.checks.itself import Probed, Works, words
from lossgen.verify.checks.order import Reordered
from lossgen.verify.checks.parts import Split
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import Sizes, resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check

LONG = 257  # positions: one more than a block of any usual size holds
PAIRS = 67  # where each position meets every other
_BOUND = ("binary", "one_hot", "distribution")


def permuted_positions(session: Session) -> Check:
    """Samples, positions, features in another order: the same loss, or the items in that order."""
    found = [x for x in alike(session.question.spec).values() if not _classes(x)]
    return _permuted(session, "permuted positions", found)


def permuted_classes(session: Session) -> Check | None:
    """Classes in another order, the labels renamed with them."""
    spec = session.question.spec
    if not any(a.name == "c" for t in spec.tensors for a in t.axes):
        return None
    found = [x for x in alike(spec).values() if _classes(x)]
    return _permuted(session, "permuted classes", found)


def split(session: Session) -> Check:
    """A batch in two parts, put together by the formula's own denominators."""
    spec, name = session.question.spec, "split batch"
    lead = next(t for t in spec.tensors if t.axes).axes[0]
    if not separable(spec, lead):
        return Check(name, "skipped", "the formula's items are not independent along the batch")
    point = _long(session, lead)
    if isinstance(point, Check):
        return replace(point, name=name)
    return session.probed(name, [point], Split(_label(lead)), _size(session, point, lead))


def _permuted(session: Session, name: str, found: list[Alike]) -> Check:
    if not found:
        return Check(name, "skipped", "the formula tells them apart")
    told = []
    for one in found:
        if session.question.pinned.get(str(one.axis.name)) == ():
            continue  # no axis here
        point = _long(session, one.axis)
        if isinstance(point, Check):
            return replace(point, name=name)
        probe: Probed = Reordered(_label(one.axis), one)
        made = session.probed(name, [point], probe)
        if made.status == "fails":
            return made
        told.append(_size(session, point, one.axis))
    if not told:
        return Check(name, "skipped", "there is no such axis")
    return Check(name, "holds", ", ".join(told))


def _classes(one: Alike) -> bool:
    return bool(one.axis.name == "c" or one.holders)


def _label(axis: Letter) -> str:
    return f"{axis.name}0" if axis.name in "se" else str(axis.name)


def _size(session: Session, point: Point, axis: Letter) -> str:
    for tensor in session.question.spec.tensors:
        if axis in tensor.axes and tensor.name in point.tensors and not tensor.broadcast:
            size = point.tensors[tensor.name].shape[tensor.axes.index(axis)]
            return f"{size} {words(_label(axis))}"
    return ""


def _long(session: Session, axis: Letter) -> Point | Check:
    """A point with very many positions of an axis; the usual number where the code refuses that.

    A batch of any size must be accepted: code that breaks on a large one does not hold.
    """
    question = session.question
    usual = usual_sizes(question.spec)
    many = PAIRS if coupled(question.spec, axis) else LONG
    for size in (_grown(usual, axis, many), usual):
        point = _apart(question, resized(question, size, question.seed + 21))
        try:
            answer = session.caller.run(point, question.main)
        except CallFailed as failure:
            if axis == question.spec.tensors[0].axes[0] and not failure.refusal:
                return session.probed("", [point], Works(many, words(_label(axis))))
            session.note(f"{many} {words(_label(axis))} are refused: {failure}")
            continue
        if torch.finfo(answer.dtype).bits < 32:  # too few digits to be told from another formula
            return Check("", "skipped", "it answers in half precision")
        return point
    return Check("", "skipped", "the code refuses them")


def _grown(usual: Sizes, axis: Letter, many: int) -> Sizes:
    """Sizes with many positions of one axis, and of the others no more than tell them apart."""
    short = {
        name: size if name.isdigit() or (len(size) == 1 and name != "s") else (2,) * len(size)
        for name, size in usual.items()
    }
    name = str(axis.name)
    return {**short, name: (many, *short[name][1:])}


def _apart(question: Question, point: Point) -> Point:
    """The point with no two numbers alike, so that none is at a tie with another."""
    random = np.random.default_rng(question.seed)
    for name in _loose(question, point):
        array = point.tensors[name]
        point = point.with_tensor(name, array + random.uniform(0, 2.0**-8, array.shape))
    return point


def _loose(question: Question, point: Point) -> Iterator[str]:
    """The tensors whose numbers may lie anywhere near where they are."""
    for sample in samples(question.spec):
        chain = question.adapters.get(sample.name, ())
        bound = any(a.domain in _BOUND for a in chain)
        if sample.name in point.tensors and sample.kind in ("real", "rows") and not bound:
            yield sample.name
