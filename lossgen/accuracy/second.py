"""Second derivatives: whether any is NaN or infinite where the exact one is representable.

In: what code gave as the derivative of the sum of its gradient. The exact one is asked for only
where that is not finite: how the gradient changes as each element is moved by a tiny step, in many
digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mpmath import mp

from lossgen.accuracy.cases import Case, Filled
from lossgen.accuracy.formats import Format
from lossgen.accuracy.judging import Error
from lossgen.accuracy.running import Computed
from lossgen.accuracy.solving import Bounded, Exact, precision, solve
from lossgen.accuracy.tally import Tally

_SPARE_BITS = 100  # so far is a step below the smallest number of the format
_ENOUGH = 3


class _Nearby:
    """The gradient of a case beside its point, in many digits: one element moved, or none.

    Each move is solved once, and asked for by every element whose second derivative is in doubt.
    """

    def __init__(self, case: Case, form: Format, items: bool) -> None:
        self._case, self._form, self._items = case, form, items
        exponent = form.least - form.digits - _SPARE_BITS
        self.step = mp.ldexp(1, exponent)
        # Twice as many are taken up by a step beside the largest number; a third is left to tell.
        self.bits = -3 * exponent
        self._solved: dict[tuple[str, int, int], Mapping[str, tuple[Bounded, ...]]] = {}

    def slope(self, of: tuple[str, int], moving: tuple[str, int], sign: int) -> Any:
        """One slope, with one element a step further (1), a step back (-1), or as it is (0)."""
        key = (*moving, sign) if sign else ("", 0, 0)
        if key not in self._solved:
            self._solved[key] = self._slopes(moving, sign)
        return self._solved[key][of[0]][of[1]].value

    def elements(self) -> Iterator[tuple[str, int]]:
        """Every element that could move."""
        for name, filled in self._real():
            yield from ((name, spot) for spot in range(len(filled.flat)))

    def _real(self) -> Iterator[tuple[str, Filled]]:
        for name, filled in self._case.tensors.items():
            if self._case.spec.tensor(name).role.kind == "real":
                yield name, filled

    def _slopes(self, moving: tuple[str, int], sign: int) -> Mapping[str, tuple[Bounded, ...]]:
        step = sign * self.step
        moved = {
            name: [mp.mpf(x) + step * ((name, k) == moving) for k, x in enumerate(filled.flat)]
            for name, filled in self._real()
        }
        found = solve(self._case, self._form, moved=moved, bits=self.bits)
        return found.slopes if self._items else found.reduced_slopes


def judge(
    tally: Tally, case: Case, form: Format, exact: Exact, computed: Computed, items: bool
) -> None:
    """Count the elements; one that is not finite breaks the bar if it should have been."""
    first = exact.slopes if items else exact.reduced_slopes
    nearby = _Nearby(case, form, items)
    for name, slopes in computed.slopes.items():
        for place, slope in enumerate(slopes):
            error = Error(0.0, "ulp", slope, mp.zero)
            if not math.isfinite(slope):
                known = mp.isfinite(first[name][place].value) and not exact.singular
                # Thousands of digits take their time, and a few findings of a kind are enough.
                known = known and tally.count("breaks") < _ENOUGH
                true = _second(nearby, form, (name, place)) if known else mp.nan
                asked = mp.isfinite(true) and not form.overflows(true)
                error = Error(math.inf if asked else 0.0, "breaks", slope, true)
                if not asked:
                    error = Error(0.0, "not judged", slope, true)
            tally.add(error, case, f"{name}[{place}]")


def _second(nearby: _Nearby, form: Format, of: tuple[str, int]) -> Any:
    """The exact one; NaN where nobody is asked for it.

    That is at a kink or a singular point, where both sides do not agree, and where the sum of the
    magnitudes of its terms, one for each element of the case, is out of range.
    """
    total, size = mp.zero, mp.zero
    with precision(nearby.bits):
        for moving in nearby.elements():
            term = _mixed(nearby, form, of, moving)
            total, size = total + term, size + abs(term)
            if not mp.isfinite(size) or form.overflows(size):
                return mp.nan
        return total


def _mixed(nearby: _Nearby, form: Format, of: tuple[str, int], moving: tuple[str, int]) -> Any:
    """The derivative of the gradient by one element as another moves; NaN at a kink."""
    step = nearby.step
    back, here, on = (nearby.slope(of, moving, sign) for sign in (-1, 0, 1))
    if not all(map(mp.isfinite, (back, here, on))):
        return mp.nan
    left, right = (here - back) / step, (on - here) / step
    if abs(right - left) > mp.ldexp(abs(left) + abs(right) + form.smallest, -40):
        return mp.nan
    return (left + right) / 2
