"""What checks share: the question, the caller, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lossgen.verify.caller import Caller, Dtypes
from lossgen.verify.compare import Judged, judge
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import first_points
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Check, Difference, Kind

# What is wrong with the code's behaviour at a point, after the words "the code"; "" if nothing.
Probe = Callable[["Session", Point], str]


@dataclass(frozen=True, eq=False)
class Witness:
    """A point at which something was found; ``probe`` finds it again where no numbers tell.

    ``home`` is the session that asked there, where it was not the main one.
    """

    point: Point
    reduction: str
    dtype: Dtypes
    difference: Difference
    probe: Probe | None = None
    home: Session | None = None


_SMALL = 1e-2  # relative: larger differences are never put down to rounding


@dataclass
class Session:
    """One run of checks.

    Attributes:
        witnesses: where the code was wrong, in the order of finding.
        notes: what a person should know and no verdict depends on.
        deadline: when to stop, as of ``time.monotonic``.
        settle: whether the code's own operations give the formula in long arithmetic: small
            differences are then those of rounding.
        persists: whether they give a difference of a precision in long arithmetic too: it is then
            another formula.
    """

    question: Question
    caller: Caller
    deadline: float
    settle: Callable[[Session, Point, str], bool] | None = None
    persists: Callable[[Session, Point, str, Dtypes, Difference], bool] | None = None
    witnesses: list[Witness] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def usual(self) -> dict[str, Any]:
        """The options under which the code was found to run: a refusal of others is its right."""
        return dict(next(first_points(self.question)).options)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline

    def judged(
        self,
        point: Point,
        reduction: str,
        dtype: Dtypes = torch.float64,
        *,
        raising: bool = True,
        **options: Any,
    ) -> Judged | None:
        """Compare at a point, remembering what differs; None where the formula has no value.

        Code may raise there where ``raising`` is not to count.
        """
        try:
            judged = judge(self.caller, point, reduction, dtype, **options)
        except Undefined:
            return None
        if judged.outcome is None and not raising:
            return None
        refused = [d for d in judged.differences if d.kind == "refusal"]
        if refused and dict(point.options) != self.usual:
            changed = [f"{k} = {v}" for k, v in point.options.items() if v != self.usual.get(k)]
            self.note(f"the code refuses {', '.join(changed)}: it {refused[0].got}")
            return None
        judged = self.settled(judged, point, reduction, dtype)
        self.witnesses += [Witness(point, reduction, dtype, d) for d in judged.differences]
        return judged

    def settled(self, judged: Judged, point: Point, reduction: str, dtype: Dtypes) -> Judged:
        """Differences called by their name: another formula, or digits lost.

        Small ones in double precision may be rounding, large ones in a lesser precision another
        formula. What is large is found in the code's own operations.
        """
        found = judged.differences
        if dtype == torch.float64:
            formulas = [d for d in found if d.kind == "formula"]
            small = formulas and all(_small(d) for d in formulas)
            if not small or self.settle is None or not self.settle(self, point, reduction):
                return judged
            return _renamed(judged, "formula", "rounding")
        large = max(
            (d for d in found if d.kind == "rounding" and d.size > _SMALL),
            key=lambda d: d.size,
            default=None,
        )
        if large is None or self.persists is None:
            return judged
        if not self.persists(self, point, reduction, dtype, large):
            return judged
        return _renamed(judged, "rounding", "formula")

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

    def about(self, question: Question) -> Session:
        """A session that asks another question of the same code."""
        return Session(question, Caller(question), self.deadline, self.settle, self.persists)

    def note(self, text: str) -> None:
        """Tell something once."""
        if text not in self.notes:
            self.notes.append(text)


def _small(d: Difference) -> bool:
    """Whether rounding may explain a difference in double precision, of numbers near 0 too."""
    if isinstance(d.got, str) or isinstance(d.want, str):
        return False
    return d.size < _SMALL or abs(d.got - d.want) < _SMALL**2 * max(1.0, abs(d.want))


def _renamed(judged: Judged, kind: Kind, other: Kind) -> Judged:
    named = tuple(replace(d, kind=other) if d.kind == kind else d for d in judged.differences)
    return replace(judged, differences=named)


def worst(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that say most: other formulas, values, double precision first."""
    order = {"formula": 0, "nonfinite": 1, "behaviour": 2, "refusal": 3, "rounding": 4}

    def rank(d: Difference) -> tuple[int, bool, bool, float]:
        return (order[d.kind], d.what != "value", d.dtype != "float64", -d.size)

    return tuple(sorted(differences, key=rank))
