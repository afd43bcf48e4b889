"""Gradients that reach the labels, which need none: where there is one, it is the formula's.

Code that detaches its labels, or gives them no gradient, is right: training asks for none.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from lossgen.verify.caller import predicted
from lossgen.verify.checks.outcome import concluded
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session, Witness
from lossgen.verify.verdict import Check, Difference

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
