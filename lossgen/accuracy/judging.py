"""Whether a computed number is near enough to the exact one, and by which bar.

In: a case, what code computed, the exact results. Out: an ``Error`` for each number. Bars:

- ``ulp``: so many units in the last place of the exact number.
- ``terms``: the same multiple of the ulp of the sum of its terms' magnitudes, where the formula
  itself cancels; over an axis of n elements n roundoffs of it, if that is more. A softmax is one
  step, which need not cancel. ``avoidable`` marks those among them that another way of computing
  would better: a rounding of the inputs moves the exact result by far less.
- ``half``: one ulp of the float32 result, rounded (float16 and bfloat16). The plain function takes
  its dtype as it comes, each step rounded to it: what is further off is ``native``, and no break.
  So is a number that float32 itself loses.

What meets none breaks the bar. ``conditioned`` marks numbers that meet none although nothing
cancels, but whose error is no more than what roundings of the inputs do to the exact result: an
exponential of a large difference, say.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from mpmath import mp

from lossgen import nodes
from lossgen.accuracy.cases import Case
from lossgen.accuracy.formats import Format, error_in_ulp
from lossgen.accuracy.solving import Bounded, Exact, precision, solve
from lossgen.spec import LossSpec

Verdict = Literal[
    "ulp", "terms", "avoidable", "half", "native", "conditioned", "breaks", "not judged"
]
HOLDS: frozenset[Verdict] = frozenset(("ulp", "terms", "avoidable", "half", "native", "not judged"))
Pick = Callable[[Exact], Bounded]
# Of several outcomes of a decision that rounding could turn, the nearest is what the code took.
_BETTER: tuple[Verdict, ...] = ("ulp", "terms", "avoidable", "conditioned", "breaks")
_MOST_DOUBTS = 3
_STEP = -90  # the inputs are moved by 2**_STEP of themselves
_PROBES = 3
_LABELS = ("Probabilities", "Binary", "Sign")


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked: so many ulp, or terms * roundoff of the sum of magnitudes."""

    value: float
    gradient: float
    terms: int = 1


ELEMENTWISE = (8.0, 16.0)
OVER_AXIS = (16.0, 32.0)


@dataclass(frozen=True, slots=True)
class Error:
    """One computed number judged.

    ``multiple`` is its error as the bar that it met counts it: in ulp of the number, or of the sum
    of its terms where the formula cancels.
    """

    ulp: float
    verdict: Verdict
    computed: float
    exact: Any
    cancelled: float | None = None

    @property
    def multiple(self) -> float:
        return self.ulp if self.cancelled is None else self.cancelled


class Judge:
    """Judges the numbers of one case; works out the dearer bounds once, when asked."""

    def __init__(self, case: Case, form: Format, exact: Exact, bar: Bar) -> None:
        self.case, self.form, self.exact, self.bar = case, form, exact, bar
        self._moved: list[Exact] | None = None
        self._others: list[Exact] | None = None

    def value(self, items: bool, computed: Sequence[float]) -> list[Error]:
        """The items of the unreduced loss, or the scalar of the reduced one."""
        return [
            self._judge(c, partial(_pick, items, "", k), self.bar.value, True, items)
            for k, c in enumerate(computed)
        ]

    def gradient(self, items: bool, name: str, computed: Sequence[float]) -> list[Error]:
        """The gradient by one tensor."""
        # The two shares that a weight has in a weighted mean cancel in whatever way one computes.
        avoidable = items or name not in _divides(self.case.spec)
        return [
            self._judge(c, partial(_pick, items, name, k), self.bar.gradient, avoidable, items)
            for k, c in enumerate(computed)
        ]

    def _judge(
        self, computed: float, pick: Pick, factor: float, avoidable: bool, items: bool
    ) -> Error:
        exact: Bounded = pick(self.exact)
        error = self._one(computed, exact, factor, pick, avoidable, items)
        if error.verdict in HOLDS or not self.exact.doubtful:
            return error
        others = [
            self._one(computed, pick(other), factor, pick, avoidable, items)
            for other in self.others()
        ]
        judged = (e for e in others if e.verdict != "not judged")
        return min((error, *judged), key=lambda e: (_BETTER.index(e.verdict), e.ulp))

    def _one(
        self,
        computed: float,
        exact: Bounded,
        factor: float,
        pick: Pick,
        avoidable: bool,
        items: bool,
    ) -> Error:
        if not mp.isfinite(exact.value):
            return Error(0.0, "not judged", computed, exact.value)
        ulp = error_in_ulp(computed, exact.value, self.form)
        if ulp <= factor:
            return Error(ulp, "ulp", computed, exact.value)
        size = abs(exact.value)
        total = size + _power(exact.excess)
        if not math.isfinite(computed):
            # A sum may overflow where its terms do; a single number has no such excuse. A weighted
            # mean is a quotient of two sums, of one term or of many.
            summed = self.bar.terms > 1
            if not items and self.case.spec.over is not None:
                summed, total = True, max(total, self.exact.weighed)
            excused = summed and self.form.overflows(total)
            return Error(ulp, "terms" if excused else "breaks", computed, exact.value)
        distance = abs(mp.mpf(computed) - exact.value)
        cancels = distance <= self._allowed(total, factor)
        verdict: Verdict = "terms"
        if not cancels or avoidable:
            moves = distance <= self._allowed(size + self._movement(pick), factor)
            if cancels:
                verdict = "terms" if moves else "avoidable"
            else:
                verdict = "conditioned" if moves else "breaks"
        multiple = float(distance / self.form.ulp(total)) if cancels else None
        return Error(ulp, verdict, computed, exact.value, multiple)

    def _allowed(self, total: Any, factor: float) -> Any:
        roundoff = mp.ldexp(total, -self.form.digits)
        return max(factor * self.form.ulp(total), self.bar.terms * roundoff)

    def _movement(self, pick: Pick) -> Any:
        """How far a result moves, per relative step, when the inputs are moved a little."""
        here = pick(self.exact).value
        with precision(400):
            steps = [abs(pick(m).value - here) for m in self.moved()]
            return max(mp.ldexp(s, -_STEP) for s in steps)

    def moved(self) -> list[Exact]:
        """The case with all its elements moved by a relative step, signs at random."""
        if self._moved is None:
            random_ = random.Random(0)
            with precision(400):
                self._moved = [
                    solve(self.case, self.form, moved=self._stepped(random_), bits=400)
                    for _ in range(_PROBES if self.bar.terms < 300 else 2)
                ]
        return self._moved

    def _stepped(self, random_: random.Random) -> dict[str, list[Any]]:
        found = {}
        for name, filled in self.case.tensors.items():
            role = self.case.spec.tensor(name).role
            if role.kind != "real":
                continue
            # A label of 0 or 1 is no rounded number: nothing stands near it.
            labels = (-1.0, 1.0) if role.name in _LABELS else ()
            found[name] = [
                mp.mpf(x)
                if x in labels
                else mp.mpf(x) * (1 + random_.choice((-1, 1)) * mp.ldexp(1, _STEP))
                for x in filled.flat
            ]
        return found

    def others(self) -> list[Exact]:
        """The exact results where doubtful decisions fall the other way."""
        if self._others is None:
            found = []
            for forced in _outcomes(self.exact.doubtful):
                found.append(solve(self.case, self.form, forced=forced))
            self._others = found
        return self._others


def _pick(items: bool, name: str, place: int, exact: Exact) -> Bounded:
    return wanted(exact, items, name)[place]


def _outcomes(count: int) -> Iterator[dict[int, int]]:
    if count <= _MOST_DOUBTS:
        for signs in itertools.product((-1, 0, 1), repeat=count):
            yield dict(enumerate(signs))
        return
    random_ = random.Random(0)
    for sign in (-1, 0, 1):
        yield dict.fromkeys(range(count), sign)
    for _ in range(24):
        yield {k: random_.choice((-1, 0, 1)) for k in range(count)}


def _divides(spec: LossSpec) -> set[str]:
    """The tensors that what the mean divides by reads."""
    if spec.over is None:
        return set()
    return {x.name for x in nodes.walk(spec.over) if isinstance(x, nodes.Read)}


def wanted(exact: Exact, items: bool, name: str) -> tuple[Bounded, ...]:
    """The exact values (without a name), or the gradient by a tensor."""
    if name:
        return (exact.slopes if items else exact.reduced_slopes)[name]
    return exact.items if items else (exact.reduced,)


def _power(log: float) -> Any:
    if math.isinf(log) or math.isnan(log):
        return mp.zero if log == -math.inf else mp.inf
    return mp.ldexp(mp.mpf(2) ** (log - math.floor(log)), math.floor(log))


def judge_half(computed: float, wide: float, exact: Any, form: Format, native: bool) -> Error:
    """A number of a half format against the float32 result, rounded."""
    ulp = error_in_ulp(computed, exact, form) if mp.isfinite(exact) else 0.0
    if not math.isfinite(wide) or abs(wide) > form.largest:
        # A number that float32 loses is missed there, and is no break of half; it is missed here.
        missed = math.isinf(ulp) and not math.isfinite(wide)
        return Error(ulp, "native" if missed else "not judged", computed, exact)
    rounded = form.rounded(wide)
    near = math.isfinite(computed) and abs(computed - rounded) <= float(form.ulp(rounded))
    verdict: Verdict = "half" if near else "native" if native else "breaks"
    return Error(ulp, verdict, computed, exact)
