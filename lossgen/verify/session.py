"""What checks share: the question, the caller, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from lossgen.verify.caller import Caller, Dtypes
from lossgen.verify.compare import Judged, judge
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Check, Difference

# What is wrong with the code's behaviour at a point, after the words "the code"; "" if nothing.
Probe = Callable[["Session", Point], str]


@dataclass(frozen=True, eq=False)
class Witness:
    """A point at which something was found; ``probe`` finds it again where no numbers tell."""

    point: Point
    reduction: str
    dtype: Dtypes
    difference: Difference
    probe: Probe | None = None


@dataclass
class Session:
    """One run of checks.

    Attributes:
        witnesses: where the code was wrong, in the order of finding.
        notes: what a person should know and no verdict depends on.
        deadline: when to stop, as of ``time.monotonic``.
    """

    question: Question
    caller: Caller
    deadline: float
    witnesses: list[Witness] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline

    def judged(
        self,
        point: Point,
        reduction: str,
        dtype: Dtypes = torch.float64,
        **options: Any,
    ) -> Judged | None:
        """Compare at a point, remembering what differs; None where the formula has no value."""
        try:
            judged = judge(self.caller, point, reduction, dtype, **options)
        except Undefined:
            return None
        self.witnesses += [Witness(point, reduction, dtype, d) for d in judged.differences]
        return judged

    def probed(self, name: str, points: Iterable[Point], probe: Probe, detail: str = "") -> Check:
        """A check of behaviour: it fails at the first point where the probe finds something."""
        reduction = self.question.main
        for point in points:
            text = probe(self, point)
            if text:
                found = Difference("behaviour", text, 0, text, "", 0.0, point.label, reduction)
                self.witnesses.append(Witness(point, reduction, torch.float64, found, probe))
                return Check(name, "fails", text, 0.0, (found,))
        return Check(name, "holds", detail)

    def note(self, text: str) -> None:
        """Tell something once."""
        if text not in self.notes:
            self.notes.append(text)


def worst(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that say most: other formulas first, values before gradients."""
    order = {"formula": 0, "nonfinite": 1, "behaviour": 2, "rounding": 3}
    return tuple(sorted(differences, key=lambda d: (order[d.kind], d.what != "value", -d.size)))
