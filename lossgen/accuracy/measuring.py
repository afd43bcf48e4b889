"""Measures the code of one loss: every style, dtype, value and gradient. Imports torch.

In: a spec, callables, a seed. Out: an ``Accuracy``: worst, 99th percentile and median error in ulp
with the point where the worst was found, and what breaks the bars.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mpmath import mp

from lossgen.accuracy import axes_cases, rows
from lossgen.accuracy.cases import Case, pointwise
from lossgen.accuracy.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from lossgen.accuracy.judging import (
    ELEMENTWISE,
    HOLDS,
    OVER_AXIS,
    Bar,
    Error,
    Judge,
    judge_half,
    wanted,
)
from lossgen.accuracy.results import Accuracy, Measured, Point
from lossgen.accuracy.running import Computed, Loss, run
from lossgen.accuracy.settings import Setting, settings
from lossgen.accuracy.solving import Exact, solve
from lossgen.spec import LossSpec

DTYPES: Mapping[str, tuple[Format, torch.dtype]] = {
    "float64": (FLOAT64, torch.float64),
    "float32": (FLOAT32, torch.float32),
    "float16": (FLOAT16, torch.float16),
    "bfloat16": (BFLOAT16, torch.bfloat16),
}
HALF = frozenset(("float16", "bfloat16"))
_KEPT_BREAKS = 5
Progress = Callable[[str], None]


@dataclass
class _Tally:
    """Collects the errors of one style, dtype and quantity."""

    style: str
    dtype: str
    quantity: str
    errors: list[float] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    worst: Point | None = None
    breaks: list[Point] = field(default_factory=list)

    def add(self, error: Error, case: Case, what: str) -> None:
        self.verdicts[error.verdict] = self.verdicts.get(error.verdict, 0) + 1
        if error.verdict == "not judged":
            return
        self.errors.append(error.ulp)
        if self.worst is None or error.ulp > self.worst.ulp:
            self.worst = _point(error, case, what)
        if error.verdict not in HOLDS:
            # First what a user is likeliest to meet: code at fault, at elements of ordinary size.
            self.breaks.append(_point(error, case, what))
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
        )


def _point(error: Error, case: Case, what: str) -> Point:
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


@dataclass(frozen=True)
class Style:
    """One way to call a loss.

    Attributes:
        loss: what is called; `extra` are options for it beyond the loss's own.
        items: whether it returns the unreduced loss (else the default reduction).
        slopes: the tensors by which the gradient is judged (None: all).
    """

    name: str
    loss: Loss
    extra: Mapping[str, Any]
    items: bool
    slopes: frozenset[str] | None = None


def measure(
    spec: LossSpec,
    styles: Iterable[Style],
    seed: int = 0,
    effort: float = 1.0,
    dtypes: Iterable[str] = tuple(DTYPES),
    progress: Progress = lambda text: None,
    formulas: Iterable[LossSpec] | None = None,
    chosen: Iterable[Setting] | None = None,
    admits: Callable[[Case], bool] = lambda case: True,
) -> Accuracy:
    """Measure a loss.

    Args:
        effort: scales the number of points.
        progress: told what is being measured.
        formulas: the formulas, in place of the loss's own (it may have one for a floating target).
        chosen: the settings, in place of the loss's own choice.
        admits: which points and cases are looked at (all).
    """
    start = time.perf_counter()
    styles, dtypes = tuple(styles), tuple(dtypes)
    tallies: dict[tuple[str, str, str], _Tally] = {}
    errors: list[str] = []
    own = (spec, *((spec.floating,) if spec.floating else ()))
    for formula in own if formulas is None else formulas:
        for setting in settings(formula) if chosen is None else chosen:
            for dtype in dtypes:
                progress(f"{spec.name} {dtype} {setting}".strip())
                for case in _cases(formula, setting, dtype, seed, effort):
                    _one(case, dtype, styles, tallies, errors, admits)
    return Accuracy(
        name=spec.name,
        over_axis=not pointwise(spec),
        seed=seed,
        measured=tuple(t.measured() for t in tallies.values()),
        errors=tuple(dict.fromkeys(errors)),
        seconds=round(time.perf_counter() - start, 1),
    )


def _cases(
    spec: LossSpec, setting: Setting, dtype: str, seed: int, effort: float
) -> Iterator[Case]:
    form = DTYPES[dtype][0]
    share = effort * (0.25 if dtype in HALF else 1.0) * (0.3 if setting.words else 1.0)
    if pointwise(spec):
        points = rows.sampled(spec, setting, form, seed, max(40, round(800 * share)))
        points += rows.on_kinks(spec, setting, form, seed, max(2, round(12 * share)))
        yield rows.case(spec, setting, points)
    else:
        # Where an axis is long the arithmetic of many digits takes seconds a case.
        longest = 10 if setting.words else 100 if dtype in HALF or effort < 0.5 else 1000
        rounds = max(1, round(4 * share))
        yield from axes_cases.cases(spec, setting, form, seed, rounds, longest)


def _one(
    case: Case,
    dtype: str,
    styles: tuple[Style, ...],
    tallies: dict[tuple[str, str, str], _Tally],
    errors: list[str],
    admits: Callable[[Case], bool],
) -> None:
    """Judge one case under every style."""
    form, torch_dtype = DTYPES[dtype]
    inner = FLOAT32 if dtype in HALF else form
    lines = [case.row(k) for k in range(case.count)]
    keep = [admits(line) for line in lines]
    solved = [solve(line, inner) if kept else None for line, kept in zip(lines, keep, strict=True)]
    limits = ELEMENTWISE if case.batch else OVER_AXIS
    for style in styles:
        # A batch of points is one call of the functional form; a scalar is one call a point.
        calls = [case] if style.items else lines
        computed = [run(style.loss, c, torch_dtype, _options(c, style)) for c in calls]
        wide = (
            [run(style.loss, c, torch.float32, _options(c, style)) for c in calls]
            if dtype in HALF
            else [None] * len(calls)
        )
        for call, result, other in zip(calls, computed, wide, strict=True):
            if result.error:
                errors.append(f"{style.name} {dtype} {case.setting} {call.labels[0]}: {result.error}")
        split = _split(case, computed[0], lines) if len(calls) < len(lines) else computed
        wides = _split(case, wide[0], lines) if len(calls) < len(lines) else wide
        for line, exact, result, other in zip(lines, solved, split, wides, strict=True):
            if exact is None or result.error or (other is not None and other.error):
                continue
            judge = Judge(line, form, exact, Bar(*limits, line.terms))
            _tally(judge, style, dtype, result, other, tallies)


def _options(case: Case, style: Style) -> dict[str, Any]:
    return {**case.setting.options, **style.extra}


def _split(case: Case, computed: Computed | None, lines: list[Case]) -> list[Any]:
    """The results of a batch, point by point."""
    if computed is None or computed.error:
        return [computed] * len(lines)
    found = []
    for k in range(len(lines)):
        slopes = {}
        for name, flat in computed.slopes.items():
            width = len(flat) // len(lines)
            slopes[name] = flat[k * width : (k + 1) * width]
        found.append(Computed((computed.values[k],), slopes))
    return found


def _tally(
    judge: Judge,
    style: Style,
    dtype: str,
    result: Computed,
    wide: Computed | None,
    tallies: dict[tuple[str, str, str], _Tally],
) -> None:
    exact, form = judge.exact, DTYPES[dtype][0]
    parts: list[tuple[str, str, tuple[float, ...]]] = [("value", "", result.values)]
    parts += [
        ("gradient", name, slopes)
        for name, slopes in result.slopes.items()
        if style.slopes is None or name in style.slopes
    ]
    for quantity, name, computed in parts:
        key = style.name, dtype, quantity
        tally = tallies.setdefault(key, _Tally(*key))
        if wide is not None:
            other = wide.slopes[name] if name else wide.values
            found = [
                judge_half(c, w, e.value, form)
                for c, w, e in zip(computed, other, wanted(exact, style.items, name), strict=True)
            ]
        elif quantity == "value":
            found = judge.value(style.items, computed)
        else:
            found = judge.gradient(style.items, name, computed)
        for place, error in enumerate(found):
            tally.add(error, judge.case, f"{name or 'item'}[{place}]")
