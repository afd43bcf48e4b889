"""The code against the truth at one point: where they differ, and in what way.

In: a ``Caller`` and a ``Point``. Out: ``Difference``s, none where they agree. At a kink any
subgradient is right. A difference within a few thousand roundings of the largest number around, or
with half of the digits right, is none. Beyond that it is another formula where it exceeds a
millionth of what is expected, in double precision; else it is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lossgen.spec import LossSpec
from lossgen.verify.caller import Caller, CallFailed, Dtypes, Outcome
from lossgen.verify.point import Point
from lossgen.verify.truth import Exact, Undefined, evaluate, mp
from lossgen.verify.truth.exact import STEP
from lossgen.verify.verdict import Difference, Kind

ROUNDINGS = 4096  # that a result may carry, each of the unit roundoff of the largest number around
FAR = 1e-6  # relative: beyond it, and beyond those roundings, it is another formula
_SAMPLES = 12
# The same for code that answers in single precision when it is asked in double.
_FAR = {torch.float64: FAR, torch.float32: 1e-3, torch.float16: 0.25, torch.bfloat16: 0.25}

Judge = Callable[[float, Any, float], "tuple[Kind, float] | None"]


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found at a point: the truth, what came back, and the differences."""

    exact: Exact
    outcome: Outcome | None
    differences: tuple[Difference, ...]


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
    if not found:
        unit = max(_unit(outcome.dtype), _input_unit(dtype))
        far = _FAR.get(outcome.dtype) if dtype is torch.float64 else None
        judged = _Comparison(caller, formula, point, reduction, shown, unit, outcome.dtype, far)
        found += judged.numbers("value", outcome.value, wanted)
        if gradient:
            found += judged.gradients(exact, outcome)
    return Judged(exact, outcome, tuple(found))


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
        caller, caller.spec, point, reduction, _dtype_name(dtype), _unit(dtype), dtype, _FAR[dtype]
    )
    return comparison.numbers(what, got, want)


def _unit(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps / 2


def _input_unit(dtype: Dtypes) -> float:
    """The unit roundoff of the least precise input."""
    every = [dtype] if isinstance(dtype, torch.dtype) else list(dtype.values())
    return max(map(_unit, every))


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
    """The comparison at one point."""

    caller: Caller
    spec: LossSpec
    point: Point
    reduction: str
    dtype: str
    unit: float
    precision: torch.dtype
    far: float | None

    def numbers(self, what: str, got: Sequence[float], want: Sequence[Any]) -> list[Difference]:
        """Number by number, against roundings of the largest number around."""
        finite = [abs(float(x)) for x in want if mp.isfinite(x)]
        peak = max(finite, default=0.0)
        scale = max(self.point.magnitude(), peak)
        found = []
        for place, (mine, theirs) in enumerate(zip(want, got, strict=True)):
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
        near = _around(
            self.spec, self.point, self.reduction, self.caller.weights(len(outcome.value))
        )
        return [d for d in found if not self._allowed(d, wrong, near, want)]

    def _allowed(
        self,
        d: Difference,
        wrong: Mapping[str, tuple[float, ...]],
        near: Sequence[Mapping[str, Sequence[Any]]],
        want: Mapping[str, Sequence[Any]],
    ) -> bool:
        name = d.what.removeprefix("gradient of ")
        sides = [g[name][d.place] for g in near]
        exact = want[name][d.place]
        if any(not mp.isfinite(x) for x in sides):
            return True
        low, high = min([*sides, exact]), max([*sides, exact])
        if high - low <= mp.mpf("1e-20") * (1 + abs(exact)):
            return False
        if high - low > mp.mpf(10) ** 8 * (1 + abs(exact)):
            return math.isfinite(wrong[name][d.place]) or not mp.isfinite(exact)
        got = wrong[name][d.place]
        slack = ROUNDINGS * self.unit * max(float(max(abs(low), abs(high))), 1.0)
        return math.isfinite(got) and low - slack <= got <= high + slack


def _around(
    spec: LossSpec, point: Point, reduction: str, weights: Sequence[float]
) -> list[dict[str, Any]]:
    """Gradients at points a step of 1e-30 away, on both sides of whatever kink there is."""
    random = np.random.default_rng(0)
    found = []
    for k in range(_SAMPLES):
        shift: dict[str, list[Any]] = {}
        for name in point.floats:
            size = point.tensors[name].size
            moves = random.uniform(0.25, 1.0, size) * random.choice((-1, 1), size)
            if k < 2:
                moves = np.full(size, (1.0, -1.0)[k])
            shift[name] = [STEP * mp.mpf(float(m)) for m in moves]
        try:
            found.append(evaluate(spec, point, shift).gradient(reduction, weights))
        except (Undefined, ZeroDivisionError):
            continue
        if k == 3 and _alike(found):
            break
    return found


def _alike(found: Sequence[Mapping[str, Sequence[Any]]]) -> bool:
    first, *others = found
    return all(
        abs(a - b) <= mp.mpf("1e-20") * (1 + abs(a))
        for other in others
        for name in first
        for a, b in zip(first[name], other[name], strict=True)
        if mp.isfinite(a) and mp.isfinite(b)
    )
