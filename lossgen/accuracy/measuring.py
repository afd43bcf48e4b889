"""Measures the code of one loss: every style, dtype, value and gradient. Imports torch.

In: a spec, callables, a seed. Out: an ``Accuracy``: worst, 99th percentile and median error in ulp
with the point where the worst was found, and what breaks the bars.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lossgen.accuracy import axes_cases, rows, second
from lossgen.accuracy.cases import Case, pointwise
from lossgen.accuracy.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format
from lossgen.accuracy.judging import ELEMENTWISE, OVER_AXIS, Bar, Judge, judge_half, wanted
from lossgen.accuracy.results import Accuracy
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
    styles, dtypes = tuple(styles), tuple(dtypes)
    tallies: dict[tuple[str, str, str], Tally] = {}
    errors: list[str] = []
    own = (spec, *((spec.floating,) if spec.floating else ()))
    for formula in own if formulas is None else formulas:
        for setting in settings(formula) if chosen is None else chosen:
            for style in styles:
                errors += _empty(formula, setting, style)
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


def _empty(spec: LossSpec, setting: Setting, style: Style) -> list[str]:
    """What goes wrong with no items at all (a loss of one item always has it)."""
    if not result_letters(spec):
        return []
    case = rows.case(spec, setting, []) if pointwise(spec) else axes_cases.empty(spec, setting)
    error = run_empty(style.loss, case, {**setting.options, **style.extra}, style.items)
    return [f"{style.name} {setting} without any item: {error}"] if error else []


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


def _one(
    case: Case,
    dtype: str,
    styles: tuple[Style, ...],
    tallies: dict[tuple[str, str, str], Tally],
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
        options = {**case.setting.options, **style.extra}
        # A batch of points is one call of the functional form; a scalar is one call a point.
        calls = [case] if style.items else lines

        def each(
            call: Callable[[Case], Computed],
            calls: list[Case] = calls,
            style: Style = style,
        ) -> list[Computed]:
            found = [call(c) for c in calls]
            for c, result in zip(calls, found, strict=True):
                if result.error:
                    errors.append(_told(style, dtype, c, result.error))
            return found if len(calls) == len(lines) else _split(found[0], lines)

        narrow = each(lambda c: run(style.loss, c, torch_dtype, options, style.slopes))  # noqa: B023
        wide = (
            each(lambda c: run(style.loss, c, torch.float32, options, style.slopes))  # noqa: B023
            if dtype in HALF
            else [None] * len(lines)
        )
        for line, exact, result, other in zip(lines, solved, narrow, wide, strict=True):
            if exact is None or result.error or (other is not None and other.error):
                continue
            judge = Judge(line, form, exact, Bar(*limits, line.terms))
            _tally(judge, style, dtype, result, other, tallies)
        if dtype not in HALF and style.slopes is None:
            key = style.name, dtype, "second"
            tally = tallies.setdefault(key, Tally(*key))
            twice = each(lambda c: run_twice(style.loss, c, torch_dtype, options))  # noqa: B023
            for line, exact, result in zip(lines, solved, twice, strict=True):
                if exact is not None and not result.error:
                    second.judge(tally, line, form, exact, result, style.items)


def _told(style: Style, dtype: str, case: Case, error: str) -> str:
    return f"{style.name} {dtype} {case.setting} {case.labels[0]}: {error}"


def _split(computed: Computed, lines: list[Case]) -> list[Computed]:
    """The results of a batch, point by point."""
    if computed.error:
        return [computed] * len(lines)
    found = []
    for k in range(len(lines)):
        slopes = {}
        for name, flat in computed.slopes.items():
            width = len(flat) // len(lines)
            slopes[name] = flat[k * width : (k + 1) * width]
        found.append(Computed(computed.values[k : k + 1], slopes))
    return found


def _tally(
    judge: Judge,
    style: Style,
    dtype: str,
    result: Computed,
    wide: Computed | None,
    tallies: dict[tuple[str, str, str], Tally],
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
        tally = tallies.setdefault(key, Tally(*key))
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
