"""From what was found to a ``Check``."""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.verify.session import worst
from lossgen.verify.verdict import Check, Difference, Status


def concluded(name: str, differences: Sequence[Difference], looked: int, what: str) -> Check:
    """A check over ``looked`` comparisons: it fails, is inaccurate, holds, or was empty."""
    if not looked:
        return Check(name, "skipped", f"no {what} where the formula has a value")
    ordered = worst(differences)
    status: Status = "holds"
    if any(d.kind != "rounding" for d in ordered):
        status = "fails"
    elif ordered:
        status = "inaccurate"
    counted = what.removesuffix("s") if looked == 1 else what
    return Check(name, status, f"{looked} {counted}", 0.0, ordered[:20])
