"""Whether a changed formula gives what the code gives.

In: numbers of the code and of a formula. Out: whether they are the same but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from lossgen.verify.caller import Caller, Outcome
from lossgen.verify.truth import mp
from lossgen.verify.truth.exact import Exact

CLOSE = {torch.float64: 1e-7, torch.float32: 1e-4}  # relative


def same_gradient(caller: Caller, exact: Exact, reduction: str, outcome: Outcome) -> bool:
    """Whether all gradients of the code are the exact ones."""
    want = exact.gradient(reduction, caller.weights(len(outcome.value)))
    return all(
        close_to(got or (0.0,) * len(want[name]), want[name], CLOSE.get(outcome.dtype, 0.03))
        for name, got in outcome.gradients.items()
    )


def close_to(got: Sequence[float], want: Sequence[object], close: float) -> bool:
    """Whether numbers are the same, small ones among large ones too."""
    if len(got) != len(want):
        return False
    numbers = [float(mp.mpf(x)) for x in want]
    scale = max([abs(x) for x in numbers if math.isfinite(x)], default=0.0)
    return all(
        math.isfinite(a)
        and math.isfinite(b)
        and abs(a - b) <= close * abs(b) + close * 1e-4 * max(scale, 1e-3)
        for a, b in zip(got, numbers, strict=True)
    )
