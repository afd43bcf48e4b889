"""Second derivatives: whether any is NaN or infinite where the exact one is representable.

In: what code gave as the derivative of the sum of its gradient. The exact one is asked for only
where that is not finite: how the gradient changes as each element is moved by a tiny step, in many
digits.
"""

from __future__ import annotations

import math
from typing import Any

from mpmath import mp

from lossgen.accuracy.cases import Case
from lossgen.accuracy.formats import Format
from lossgen.accuracy.judging import Error
from lossgen.accuracy.running import Computed
from lossgen.accuracy.solving import Exact, precision, solve
from lossgen.accuracy.tally import Tally

_STEP = -1400  # smaller than any element of any format beside which it stands
_BITS = 4000
_ENOUGH = 3


def judge(
    tally: Tally, case: Case, form: Format, exact: Exact, computed: Computed, items: bool
) -> None:
    """Count the elements; one that is not finite breaks the bar if it should have been."""
    first = exact.slopes if items else exact.reduced_slopes
    for name, slopes in computed.slopes.items():
        for place, slope in enumerate(slopes):
            error = Error(0.0, "ulp", slope, mp.zero)
            if not math.isfinite(slope):
                known = mp.isfinite(first[name][place].value) and not exact.singular
                # Thousands of digits take their time, and a few findings of a kind are enough.
                known = known and tally.count("breaks") < _ENOUGH
                true = _second(case, form, name, place, items) if known else mp.nan
                asked = mp.isfinite(true) and not form.overflows(true)
                error = Error(math.inf if asked else 0.0, "breaks", slope, true)
                if not asked:
                    error = Error(0.0, "not judged", slope, true)
            tally.add(error, case, f"{name}[{place}]")


def _second(case: Case, form: Format, name: str, place: int, items: bool) -> object:
    """The exact one; NaN where nobody is asked for it.

    That is at a kink or a singular point, where both sides do not agree, and where the sum of the
    magnitudes of its terms, one for each element of the case, is out of range.
    """
    total, size = mp.zero, mp.zero
    with precision(_BITS):
        for key, filled in case.tensors.items():
            if case.spec.tensor(key).role.kind != "real":
                continue
            for spot in range(len(filled.flat)):
                term = _mixed(case, form, (name, place), (key, spot), items)
                total, size = total + term, size + abs(term)
        return mp.nan if form.overflows(size) else total


def _mixed(
    case: Case, form: Format, by: tuple[str, int], moving: tuple[str, int], items: bool
) -> Any:
    """The derivative of the gradient by one element as another moves; NaN at a kink."""
    step = mp.ldexp(1, _STEP)
    slopes = []
    for sign in (-1, 0, 1):
        moved = {
            key: [mp.mpf(x) + sign * step * ((key, k) == moving) for k, x in enumerate(filled.flat)]
            for key, filled in case.tensors.items()
            if case.spec.tensor(key).role.kind == "real"
        }
        found = solve(case, form, moved=moved, bits=_BITS)
        slopes.append((found.slopes if items else found.reduced_slopes)[by[0]][by[1]].value)
    if not all(map(mp.isfinite, slopes)):
        return mp.nan
    left, right = (slopes[1] - slopes[0]) / step, (slopes[2] - slopes[1]) / step
    if abs(right - left) > mp.ldexp(abs(left) + abs(right) + form.smallest, -40):
        return mp.nan
    return (left + right) / 2
