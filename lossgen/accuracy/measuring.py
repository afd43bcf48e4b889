"""Measures the code of one loss: every style, dtype, value and gradient. Imports torch.

In: a spec, callables, a seed. Out: an ``Accuracy``: worst, 99th percentile and median error in ulp
with the point where the worst was found, and what breaks the bars.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lossgen.accuracy import axes_cases, rows, second
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
from lossgen.accuracy.results import Accuracy, Measured
from lossgen.accuracy.running import Computed, Loss, run, run_empty, run_twice
from lossgen.accuracy.settings import Setting, settings
from lossgen.accuracy.solving import solve
from lossgen.accuracy.tally import Tally
from lossgen.spec import LossSpec
from lossgen.subscripts import result_letters

DTYPES: Mapping[str, tuple[Format, torch.dtype]] = {
    "float64": (FLOAT64, torch.float64),
    "float32": (FLOAT32, torch.float32),
    "float16": (FLOAT16, torch.float16),
    "bfloat16": (BFLOAT16, torch.bfloat16),
}
HALF = frozenset(("float16", "bfloat16"))
Progress = Callable[[str], None]


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
    found = _Measurement(tuple(styles), admits)
    dtypes = tuple(dtypes)
    own = (spec, *((spec.floating,) if spec.floating else ()))
    with _one_thread():
        for formula in own if formulas is None else formulas:
            for setting in settings(formula) if chosen is None else chosen:
                found.without_items(formula, setting)
                for dtype in dtypes:
                    progress(f"{spec.name} {dtype} {setting}".strip())
                    for case in _cases(formula, setting, dtype, seed, effort):
                        found.judge(case, dtype)
    return Accuracy(
        name=spec.name,
        over_axis=not pointwise(spec),
        seed=seed,
        measured=found.measured(),
        errors=tuple(dict.fromkeys(found.errors)),
        seconds=round(time.perf_counter() - start, 1),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Threads that wait for one another cost more than these small tensors do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def judge_case(case: Case, dtype: str, styles: Iterable[Style]) -> tuple[Measured, ...]:
    """Measure at the points of one case alone."""
    found = _Measurement(tuple(styles), lambda line: True)
    found.judge(case, dtype)
    return found.measured()


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
        longest = 10 if setting.words else 100 if dtype != "float32" and effort < 1 else 1000
        longest = min(longest, 100) if effort < 0.2 else longest
        rounds = max(1, round(4 * share))
        yield from axes_cases.cases(spec, setting, form, seed, rounds, longest)


@dataclass
class _Measurement:
    """Judges cases under every style, and collects what comes out."""

    styles: tuple[Style, ...]
    admits: Callable[[Case], bool]
    tallies: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def measured(self) -> tuple[Measured, ...]:
        """All of it."""
        return tuple(t.measured() for t in self.tallies.values())

    def tally(self, style: Style, dtype: str, quantity: str) -> Tally:
        """Where the numbers of a style, dtype and quantity are collected."""
        key = style.name, dtype, quantity
        return self.tallies.setdefault(key, Tally(*key))

    def without_items(self, spec: LossSpec, setting: Setting) -> None:
        """Call each style with no items at all (a loss of one item always has it)."""
        if not result_letters(spec):
            return
        none = rows.case(spec, setting, []) if pointwise(spec) else axes_cases.empty(spec, setting)
        for style in self.styles:
            options = {**setting.options, **style.extra}
            error = run_empty(style.loss, none, options, style.items, style.slopes)
            if error:
                self.errors.append(f"{style.name} {setting} without any item: {error}")

    def judge(self, case: Case, dtype: str) -> None:
        """Judge one case under every style."""
        form = DTYPES[dtype][0]
        lines = [case.row(k) for k in range(case.count)]
        admitted = [self.admits(line) for line in lines]
        inner = FLOAT32 if dtype in HALF else form
        solved = [
            solve(line, inner) if kept else None for line, kept in zip(lines, admitted, strict=True)
        ]
        limits = ELEMENTWISE if case.batch else OVER_AXIS
        for style in self.styles:
            calls = _Calls(case, lines, style, self.errors)
            narrow = calls.each(dtype, run)
            wide = calls.each("float32", run) if dtype in HALF else [None] * len(lines)
            for line, exact, result, other in zip(lines, solved, narrow, wide, strict=True):
                if exact is None or result.error or (other is not None and other.error):
                    continue
                judge = Judge(line, form, exact, Bar(*limits, line.terms))
                self._collect(judge, style, dtype, result, other)
            if dtype in HALF or style.slopes is not None:
                continue
            tally = self.tally(style, dtype, "second")
            for line, exact, result in zip(
                lines, solved, calls.each(dtype, run_twice), strict=True
            ):
                if exact is not None and not result.error:
                    second.judge(tally, line, form, exact, result, style.items)

    def _collect(
        self, judge: Judge, style: Style, dtype: str, result: Computed, wide: Computed | None
    ) -> None:
        parts = [("value", "", result.values)]
        parts += [("gradient", name, slopes) for name, slopes in result.slopes.items()]
        for quantity, name, computed in parts:
            tally = self.tally(style, dtype, quantity)
            if wide is not None:
                exact = wanted(judge.exact, style.items, name)
                other = wide.slopes[name] if name else wide.values
                found = [
                    judge_half(c, w, e.value, judge.form, not style.items)
                    for c, w, e in zip(computed, other, exact, strict=True)
                ]
                if any(error.verdict == "breaks" for error in found):
                    found = _as_float32(found, judge, style.items, name, computed)
            elif quantity == "value":
                found = judge.value(style.items, computed)
            else:
                found = judge.gradient(style.items, name, computed)
            for place, error in enumerate(found):
                tally.add(error, judge.case, f"{name or 'item'}[{place}]")


@dataclass(frozen=True)
class _Calls:
    """Runs one style on a case: at once where it gives items, else point by point."""

    case: Case
    lines: list[Case]
    style: Style
    errors: list[str]

    def each(self, dtype: str, runs: Callable[..., Computed]) -> list[Computed]:
        """The results, point by point; what raised is noted."""
        options = {**self.case.setting.options, **self.style.extra}
        calls = [self.case] if self.style.items else self.lines
        found = []
        for call in calls:
            result = runs(self.style.loss, call, DTYPES[dtype][1], options, self.style.slopes)
            found.append(result)
            if result.error:
                words = f"{self.style.name} {dtype} {call.setting} {call.labels[0]}"
                self.errors.append(f"{words}: {result.error}")
        split = self.style.items and len(self.lines) != 1
        return _split(found[0], len(self.lines)) if split else found


def _as_float32(
    found: list[Error], judge: Judge, items: bool, name: str, computed: Sequence[float]
) -> list[Error]:
    """What breaks half's bar and holds float32's: a sum whose terms cancel, in another order."""
    wide = Judge(judge.case, FLOAT32, judge.exact, judge.bar)
    judged = wide.gradient(items, name, computed) if name else wide.value(items, computed)
    return [
        replace(error, verdict="half")
        if error.verdict == "breaks" and as_float32.verdict in HOLDS
        else error
        for error, as_float32 in zip(found, judged, strict=True)
    ]


def _split(computed: Computed, count: int) -> list[Computed]:
    """The results of a batch, point by point."""
    if computed.error:
        return [computed] * count
    found = []
    for k in range(count):
        slopes = {}
        for name, flat in computed.slopes.items():
            width = len(flat) // count
            slopes[name] = flat[k * width : (k + 1) * width]
        found.append(Computed(computed.values[k : k + 1], slopes))
    return found
