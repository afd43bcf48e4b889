"""Extreme values: saturated scores, squares that overflow, no error anywhere, labels all alike."""

from __future__ import annotations

import torch

from lossgen.verify.checks.outcome import concluded
from lossgen.verify.sampling import first_points, points
from lossgen.verify.session import Session
from lossgen.verify.thresholds import beyond_bounds
from lossgen.verify.unusual import agreeing, far, uniform
from lossgen.verify.verdict import Check, Difference

_ENOUGH = 3


def extremes(session: Session) -> Check:
    """In double and in single precision, in which ordinary points are looked at as well."""
    looked, differences = 0, list[Difference]()
    question = session.question
    found = [*points(question, "extreme"), *far(question), *agreeing(question)]
    found += [*beyond_bounds(question), *uniform(question), next(first_points(question))]
    for point in found:
        for dtype in (torch.float64, torch.float32):
            judged = session.judged(point, question.main, dtype)
            if judged is not None:
                looked += 1
                differences += judged.differences
        if len([d for d in differences if d.kind != "rounding"]) >= _ENOUGH or session.over:
            break
    return concluded("extreme values", differences, looked, "comparisons")
