"""What code does with labels: gradients that reach them, and those that the formula ignores.

Labels need no gradient; where there is one, it is the formula's. Code that takes no
``ignore_index`` need not know the formula's; if it takes such a label all the same and gives
another number than the formula without a word, a person is warned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from lossgen.testsamples import samples
from lossgen.verify.caller import predicted
from lossgen.verify.checks.outcome import concluded
from lossgen.verify.compare import judge
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Check, Difference, number

_FIXED = ("Weight", "Binary", "Sign")  # between their values there is nothing to differ by


def labels(session: Session) -> Check | None:
    """At ordinary points, beside the gradients of what is predicted."""
    question = session.question
    names = frozenset(
        t.name
        for t in question.spec.tensors
        if t.role.kind == "real" and t.role.name not in _FIXED and t.name in question.tensors
    )
    names -= predicted(question.spec) | question.adapters.keys()
    if not names:
        return None
    inner = session.about(replace(question, also=names))
    looked, differences = 0, list[Difference]()
    for point in first_points(question):
        judged = inner.judged(point, question.main, raising=False)
        if judged is None or judged.outcome is None:
            continue
        flowing = judged.outcome.gradients
        reached = {f"gradient of {x}" for x in names if any(flowing.get(x) or ())}
        looked += bool(reached)
        wrong = [d for d in judged.differences if d.what in reached]
        differences += wrong
        session.witnesses += [
            Witness(point, question.main, torch.float64, d, home=inner) for d in wrong
        ]
    if not looked:
        return Check("gradient of labels", "skipped", "none flows there")
    return concluded("gradient of labels", differences, looked, "comparisons")


def ignored(session: Session) -> Check | None:
    """Labels that the formula leaves out by default, given to code that takes no such option."""
    question, name = session.question, "ignored labels"
    looked = 0
    for option, point in _marked(session):
        try:
            judged = judge(session.caller, point, question.main)
        except Undefined:
            continue
        if judged.outcome is None:
            return Check(name, "skipped", "the code refuses them")
        looked += 1
        if judged.differences:
            first = judged.differences[0]
            numbers = f": {first.what} {number(first.got)}, exactly {number(first.want)}"
            text = f"takes a label of {point.options[option]} without a word and does not ignore it"
            return Check(name, "warns", text + ("" if first.what == "shape" else numbers))
    return Check(name, "holds", "left out, as the formula does") if looked else None


def _marked(session: Session) -> Iterator[tuple[str, Point]]:
    question = session.question
    for sample in samples(question.spec):
        if sample.marked and not question.known(sample.marked):
            for point in first_points(question):
                labels = point.tensors[sample.name].copy()
                if labels.size > 1:
                    labels.reshape(-1)[1] = point.options[sample.marked]
                    yield sample.marked, point.with_tensor(sample.name, labels)
