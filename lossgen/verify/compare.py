"""The code against the truth at one point: where they differ, and in what way.

In: a ``Caller`` and a ``Point``. Out: ``Difference``s, none where they agree. At a kink any
subgradient is right. A difference within a few thousand roundings of the largest number around, or
with half of the digits right, is none. Beyond that it is another formula where it exceeds a
millionth of what is expected, in double precision; else it is rounding.

Half precision has too few digits for that. There a result must be what single precision gives,
rounded, within ``HALF_ULPS`` units in the last place of the largest number of the result or of the
gradient; a value counts as 1 at least, the size of the terms that cancel in it. Code that works in
single precision and rounds once is off by half a unit, code that rounds each step by a few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lossgen.spec import LossSpec
from lossgen.verify.caller import Caller, CallFailed, Dtypes, Outcome
from lossgen.verify.kinks import around, subgradient
from lossgen.verify.point import Point
from lossgen.verify.truth import Exact, Undefined, evaluate, mp
from lossgen.verify.verdict import Difference, Kind

ROUNDINGS = 4096  # that a result may carry, each of the unit roundoff of the largest number around
FAR = 1e-6  # relative: beyond it, and beyond those roundings, it is another formula
HALF_ULPS = 8
_HALVES = (torch.float16, torch.bfloat16)
# The same for code that answers in single precision when it is asked in double.
_FAR = {torch.float64: FAR, torch.float32: 1e-3, torch.float16: 0.25, torch.bfloat16: 0.25}

Judge = Callable[[float, Any, float], "tuple[Kind, float] | None"]


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found at a point: the truth, what came back, and the differences.

    ``ulps``: in half precision, how far the worst number is off (see above).
    """

    exact: Exact
    outcome: Outcome | None
    differences: tuple[Difference, ...]
    ulps: float = 0.0


def judge(
    caller: Caller,
    point: Point,
    reduction: str,
    dtype: Dtypes = torch.float64,
    *,
    spec: LossSpec | None = None,
    gradient: bool = True,
) -> Judged:
    """Compare value and gradient at a point.

    Raises:
        Undefined: where the formula has no finite value.
    """
    formula = spec or caller.spec
    exact = evaluate(formula, point)
    wanted = exact.value(reduction)
    shown = _dtype_name(dtype)
    if not all(mp.isfinite(x) for x in wanted):
        raise Undefined("the formula is not finite here")
    try:
        outcome = caller.run(point, reduction, dtype, grad=gradient)
    except CallFailed as failure:
        text = f"raises {failure}" + (" in backward" if failure.stage == "backward" else "")
        kind: Kind = "refusal" if failure.refusal else "behaviour"
        raised = Difference(kind, text, 0, text, "", 0.0, point.label, reduction, shown)
        return Judged(exact, None, (raised,))
    found = list(_shape(exact, outcome, reduction, point, shown))
    if found:
        return Judged(exact, outcome, tuple(found))
    precision = max((outcome.dtype, *_dtypes(dtype)), key=_unit)
    far = _FAR.get(outcome.dtype) if dtype is torch.float64 else None
    judged = _Comparison(caller, formula, point, reduction, shown, precision, far)
    found += judged.numbers("value", outcome.value, wanted)
    if gradient:
        found += judged.gradients(exact, outcome)
    return Judged(exact, outcome, tuple(found), max(judged.off.values(), default=0.0))


def compare_numbers(
    caller: Caller,
    point: Point,
    reduction: str,
    what: str,
    got: Sequence[float],
    want: Sequence[Any],
    dtype: torch.dtype,
) -> list[Difference]:
    """Numbers of a precision against exact ones."""
    comparison = _Comparison(
        caller, caller.spec, point, reduction, _dtype_name(dtype), dtype, _FAR[dtype]
    )
    return comparison.numbers(what, got, want)


def _unit(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps / 2


def _dtypes(dtype: Dtypes) -> list[torch.dtype]:
    return [dtype] if isinstance(dtype, torch.dtype) else list(dtype.values())


def _dtype_name(dtype: Dtypes) -> str:
    if isinstance(dtype, torch.dtype):
        return str(dtype).removeprefix("torch.")
    return ", ".join(f"{k} {str(v).removeprefix('torch.')}" for k, v in dtype.items())


def _shape(
    exact: Exact, outcome: Outcome, reduction: str, point: Point, dtype: str
) -> list[Difference]:
    wanted = exact.shape if reduction == "none" else ()
    if outcome.shape == wanted or (
        len(outcome.value) == math.prod(wanted) and _squeezed(outcome.shape) == _squeezed(wanted)
    ):
        return []
    return [
        Difference(
            "formula",
            "shape",
            0,
            f"shape {list(outcome.shape)}",
            f"shape {list(wanted)}",
            1.0,
            point.label,
            reduction,
            dtype,
        )
    ]


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(x for x in shape if x != 1)


@dataclass(frozen=True, eq=False)
class _Comparison:
    """The comparison at one point.

    Attributes:
        precision: the least of the inputs' and the result's.
        off: in half precision, by what and place, how many units in the last place are missing.
    """

    caller: Caller
    spec: LossSpec
    point: Point
    reduction: str
    dtype: str
    precision: torch.dtype
    far: float | None
    off: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def unit(self) -> float:
        """The unit roundoff."""
        return _unit(self.precision)

    def numbers(self, what: str, got: Sequence[float], want: Sequence[Any]) -> list[Difference]:
        """Number by number, against roundings of the largest number around."""
        finite = [abs(float(x)) for x in want if mp.isfinite(x)]
        peak = max(finite, default=0.0)
        scale = max(self.point.magnitude(), peak)
        half = self.precision in _HALVES
        found = []
        for place, (mine, theirs) in enumerate(zip(want, got, strict=True)):
            if half:
                judged = self._in_half(what, place, theirs, mine, peak)
            else:
                judged = self._one(theirs, mine, scale, peak)
            if judged is not None:
                kind, size = judged
                shown = float(mine)
                found.append(
                    Difference(
                        kind,
                        what,
                        place,
                        theirs,
                        shown,
                        size,
                        self.point.label,
                        self.reduction,
                        self.dtype,
                    )
                )
        return found

    def _one(self, got: float, want: Any, scale: float, peak: float) -> tuple[Kind, float] | None:
        if not mp.isfinite(want) or abs(want) > torch.finfo(self.precision).max:
            return None
        if not math.isfinite(got):
            return "nonfinite", math.inf
        error = abs(mp.mpf(got) - want)
        if error <= ROUNDINGS * self.unit * scale:
            return None
        size = float(error / abs(want)) if want != 0 else math.inf
        if size <= math.sqrt(self.unit):
            return None
        if self.far is not None and size > self.far and error > self.far * peak / 2:
            return "formula", size
        return "rounding", size

    def _in_half(
        self, what: str, place: int, got: float, want: Any, peak: float
    ) -> tuple[Kind, float] | None:
        info = torch.finfo(self.precision)
        if not mp.isfinite(want) or abs(want) > info.max:
            return None
        if not math.isfinite(got):
            return "nonfinite", math.inf
        scale = max(peak, 1.0) if what == "value" else peak
        ulp = max(info.eps * scale, info.smallest_normal * info.eps)
        error = abs(mp.mpf(got) - want)
        self.off[what, place] = float(error / ulp)
        if self.off[what, place] <= HALF_ULPS:
            return None
        return "rounding", float(error / abs(want)) if want != 0 else math.inf

    def gradients(self, exact: Exact, outcome: Outcome) -> list[Difference]:
        """Every gradient; where one is refused, whether another subgradient is right."""
        want = exact.gradient(self.reduction, self.caller.weights(len(outcome.value)))
        found: list[Difference] = []
        wrong: dict[str, tuple[float, ...]] = {}
        for name, gradient in outcome.gradients.items():
            got = (0.0,) * len(want[name]) if gradient is None else gradient
            differs = self.numbers(f"gradient of {name}", got, want[name])
            if differs:
                wrong[name] = got
                found += differs
        if not found:
            return []
        weights = self.caller.weights(len(outcome.value))
        near = around(self.spec, self.point, self.reduction, weights, outcome.gradients)
        kept = [d for d in found if not self._allowed(d, wrong, near, want)]
        for d in found:
            if d not in kept:
                self.off.pop((d.what, d.place), None)
        return kept

    def _allowed(
        self,
        d: Difference,
        wrong: Mapping[str, tuple[float, ...]],
        near: Sequence[Mapping[str, Sequence[Any]]],
        want: Mapping[str, Sequence[Any]],
    ) -> bool:
        name = d.what.removeprefix("gradient of ")
        sides = [g[name][d.place] for g in near]
        slack = ROUNDINGS * self.unit
        return subgradient(wrong[name][d.place], want[name][d.place], sides, slack)
