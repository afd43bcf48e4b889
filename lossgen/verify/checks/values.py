"""Value and gradient against the truth: options, reductions, ties, single samples, empty sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lossgen.verify.checks.outcome import concluded
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points, points, resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check, Difference

_ENOUGH = 3  # witnesses, after which more of the same say nothing new


def first(session: Session) -> Check:
    """At ordinary points with asymmetric options, under the main reduction."""
    return _compare(
        session, "value and gradient", first_points(session.question), (session.question.main,)
    )


def options(session: Session) -> Check:
    """Every option away from its default, alone and with others, under every reduction."""
    found = points(session.question, "plain")
    return _compare(session, "every option and reduction", found, session.question.reductions)


def ties(session: Session) -> Check | None:
    """Where the formula has kinks, any subgradient is right."""
    found = list(points(session.question, "ties"))
    if not found:
        return None
    return _compare(session, "ties", found, (session.question.main,))


def single(session: Session) -> Check:
    """One sample, and one of everything that may be one."""
    question = session.question
    size = usual_sizes(question.spec)
    lead = next(axis for axis in size if not axis.isdigit())
    small = {**size, lead: (1,) * len(size[lead])}
    found = [resized(question, small, question.seed + k) for k in range(2)]
    return _compare(session, "one sample", found, question.reductions)


def empty(session: Session) -> Check | None:
    """Masks that keep nothing, labels that are all ignored: where the formula says what then."""
    found = list(_emptied(session))
    if not found:
        return None
    return _compare(session, "nothing kept", found, session.question.reductions)


def _emptied(session: Session) -> Iterable[Point]:
    from lossgen.testsamples import samples

    (point, *_) = first_points(session.question)
    for sample in samples(session.question.spec):
        if sample.name not in point.tensors:
            continue
        array = point.tensors[sample.name]
        if sample.kind == "boolean":
            yield replace(point.with_tensor(sample.name, np.zeros_like(array)), label="no mask")
        elif session.question.known(sample.marked):
            marker = np.full_like(array, point.options[sample.marked])
            yield replace(point.with_tensor(sample.name, marker), label="all ignored")


def _compare(
    session: Session, name: str, found: Iterable[Point], reductions: tuple[str, ...]
) -> Check:
    looked, differences = 0, list[Difference]()
    for point in found:
        for reduction in reductions:
            judged = session.judged(point, reduction)
            if judged is not None:
                looked += 1
                differences += judged.differences
        if len([d for d in differences if d.kind != "rounding"]) >= _ENOUGH or session.over:
            break
    return concluded(name, differences, looked, "comparisons")
