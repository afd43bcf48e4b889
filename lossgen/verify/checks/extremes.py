"""Extreme values: saturated scores, ends of domains, squares that overflow, no error anywhere."""

from __future__ import annotations

import torch

from lossgen.verify.checks.outcome import concluded
from lossgen.verify.sampling import agreeing, far, points
from lossgen.verify.session import Session
from lossgen.verify.thresholds import beyond_bounds
from lossgen.verify.verdict import Check, Difference

_ENOUGH = 3


def extremes(session: Session) -> Check | None:
    """In double and in single precision."""
    looked, differences = 0, list[Difference]()
    question = session.question
    found = [*points(question, "extreme"), *far(question), *agreeing(question)]
    found += beyond_bounds(question)
    if not found:
        return None
    for point in found:
        for dtype in (torch.float64, torch.float32):
            judged = session.judged(point, question.main, dtype)
            if judged is not None:
                looked += 1
                differences += judged.differences
        if len([d for d in differences if d.kind != "rounding"]) >= _ENOUGH or session.over:
            break
    return concluded("extreme values", differences, looked, "comparisons")
