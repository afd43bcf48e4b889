"""Collects judged numbers of one style, dtype and quantity into a ``Measured``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mpmath import mp

from lossgen.accuracy.cases import Case
from lossgen.accuracy.judging import HOLDS, Error
from lossgen.accuracy.results import Measured, Point

_KEPT_BREAKS = 5


@dataclass
class Tally:
    """Collects the errors of one style, dtype and quantity."""

    style: str
    dtype: str
    quantity: str
    errors: list[float] = field(default_factory=list)
    multiple: float = 0.0
    infinite: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    worst: Point | None = None
    breaks: list[Point] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        """How many numbers came out so."""
        return self.verdicts.get(verdict, 0)

    def add(self, error: Error, case: Case, what: str) -> None:
        self.verdicts[error.verdict] = self.verdicts.get(error.verdict, 0) + 1
        if error.verdict == "not judged":
            return
        self.errors.append(error.ulp)
        self.multiple = max(self.multiple, error.multiple)
        if self.worst is None or error.ulp > self.worst.ulp:
            self.worst = point(error, case, what)
        if error.verdict not in HOLDS:
            self.infinite += math.isinf(error.ulp)
            # First what a user is likeliest to meet: code at fault, at elements of ordinary size.
            self.breaks.append(point(error, case, what))
            self.breaks.sort(key=lambda p: (p.verdict != "breaks", not p.ordinary, -p.ulp))
            del self.breaks[_KEPT_BREAKS:]

    def measured(self) -> Measured:
        ordered = sorted(self.errors)
        return Measured(
            style=self.style,
            dtype=self.dtype,
            quantity=self.quantity,
            points=len(ordered),
            worst=ordered[-1] if ordered else 0.0,
            p99=ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else 0.0,
            median=ordered[len(ordered) // 2] if ordered else 0.0,
            verdicts=dict(sorted(self.verdicts.items())),
            where=self.worst,
            breaks=tuple(self.breaks),
            multiple=self.multiple,
            infinite=self.infinite,
        )


def point(error: Error, case: Case, what: str) -> Point:
    tensors = {
        name: f"{list(filled.flat)}" if len(filled.flat) <= 12 else f"{list(filled.shape)} numbers"
        for name, filled in case.tensors.items()
    }
    return Point(
        ulp=error.ulp,
        verdict=error.verdict,
        how=case.labels[0],
        setting=str(case.setting),
        what=what,
        tensors=tensors,
        computed=error.computed,
        exact=mp.nstr(error.exact, 17),
        ordinary=_ordinary(case),
    )


def _ordinary(case: Case) -> bool:
    return all(
        not x or 1e-6 <= abs(x) <= 1e6 for filled in case.tensors.values() for x in filled.flat
    )
