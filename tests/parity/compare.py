"""Judges two outcomes of one call against each other, and against the exact one where they part.

Two numbers agree if they differ by at most 1e-9 of torch's. Where they do not, the exact reference
decides: ours must be no farther from it than torch's, or within a few roundings of the formula's
own terms (`4 * u * sum of |terms|`). At a kink torch's convention counts; where the exact result is
infinite ours must be that or torch's number; NaN must stay NaN.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import mpmath as mp
from torch import Tensor

from tests.parity import exact
from tests.parity.losses import Case, Outcome, our_outcome, torch_outcome, upstream_of
from tests.parity.scalar import DIGITS, Exact

RELATIVE = 1e-9
ROUNDINGS = 4 * 2.0**-53


def agree(ours: float, theirs: float) -> bool:
    """Equal, both NaN, or within the relative tolerance."""
    if math.isnan(theirs) or math.isnan(ours):
        return math.isnan(theirs) and math.isnan(ours)
    return ours == theirs or abs(ours - theirs) <= RELATIVE * abs(theirs)


def acceptable(ours: float, theirs: float, reference: Exact) -> bool:
    """Whether ours is no worse than torch's where the two do not agree."""
    if reference.kink:  # torch's convention counts, to rounding
        return abs(ours - theirs) <= ROUNDINGS * reference.noise
    if mp.isinf(reference.value):
        # Torch's 0 * inf is no answer; ours may then be the limit or a masked slope.
        return ours == float(reference.value) or math.isnan(theirs)
    if mp.isnan(reference.value):
        return math.isnan(theirs) and not math.isfinite(ours)
    if not math.isfinite(ours):
        return False
    with mp.workdps(DIGITS):
        error = abs(mp.mpf(ours) - reference.value)
        allowed = ROUNDINGS * reference.noise
        if math.isfinite(theirs):
            allowed = max(allowed, abs(mp.mpf(theirs) - reference.value))
        else:
            allowed = max(allowed, RELATIVE * abs(reference.value))
        return bool(error <= allowed)


def _differences(
    what: str, ours: Tensor, theirs: Tensor, reference: Callable[[int], Exact]
) -> Iterator[str]:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        mine, other = (f"{x.dtype} {tuple(x.shape)}" for x in (ours, theirs))
        yield f"{what}: {mine}, torch {other}"
        return
    pairs = zip(ours.reshape(-1).tolist(), theirs.reshape(-1).tolist(), strict=True)
    for index, (a, b) in enumerate(pairs):
        if agree(a, b):
            continue
        judge = reference(index)
        if not acceptable(a, b, judge):
            note = " (kink)" if judge.kink else ""
            yield f"{what}[{index}]: {a!r}, torch {b!r}, exact {mp.nstr(judge.value, 17)}{note}"
            return  # one wrong element says it; judging hundreds takes minutes


def differences(case: Case, ours: Outcome, theirs: Outcome) -> list[str]:
    """Every respect in which ours is worse than torch's, one line each."""
    found = list(
        _differences("value", ours.value, theirs.value, lambda k: exact.result(case).reshape(-1)[k])
    )
    upstream = upstream_of(theirs.value)
    for key, gradient in theirs.gradients.items():
        mine = ours.gradients[key]
        assert gradient is not None
        if mine is None:
            found.append(f"no gradient to {key}")
            continue

        def reference(index: int, key: str = key) -> Exact:
            return exact.derivative(case, key, index, upstream)

        found.extend(_differences(f"gradient to {key}", mine, gradient, reference))
    return [f"{case.loss}: {case.name}: {line}" for line in found]


def first_differences(cases: Iterable[Case], limit: int = 20) -> list[str]:
    """The report of many cases, cut off where it says enough."""
    lines = (line for case in cases for line in report(case))
    return list(itertools.islice(lines, limit))


def report(case: Case) -> list[str]:
    """Run torch's and the generated form on a case and judge; an exception is a difference too."""
    theirs = torch_outcome(case)
    try:
        ours = our_outcome(case, theirs)
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        return [f"{case.loss}: {case.name}: {type(error).__name__}: {error}"]
    return differences(case, ours, theirs)
