"""A case in many digits: items, the default reduction, and both their gradients, with bounds.

In: a ``Case`` (one point, or a whole call). Out: ``Exact``. It starts with few digits and takes
more until every result is known far better than its format can say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from lossgen.accuracy.cases import Case
from lossgen.accuracy.context import Elements
from lossgen.accuracy.exact import MOST_BITS, SPARE, Evaluator
from lossgen.accuracy.formats import Format
from lossgen.accuracy.tape import MorePrecision, Num, Tape, log2
from lossgen.nodes import free_letters
from lossgen.subscripts import result_letters

_FIRST_BITS = 200


@dataclass(frozen=True, slots=True)
class Bounded:
    """An exact number with its bounds, as logarithms to base 2 (see ``tape``)."""

    value: Any
    noise: float
    excess: float


@dataclass(frozen=True)
class Exact:
    """A case in many digits.

    Attributes:
        items: the unreduced loss; `slopes` its gradient under an upstream gradient of ones.
        reduced: the default reduction; `reduced_slopes` its gradient.
        weighed: of a weighted mean, the sum of the magnitudes above the fraction.
        doubtful: how many decisions rounding could turn round.
        singular: whether a slope is one by policy, such as that of a norm of zero.
    """

    items: tuple[Bounded, ...]
    slopes: Mapping[str, tuple[Bounded, ...]]
    reduced: Bounded
    reduced_slopes: Mapping[str, tuple[Bounded, ...]]
    doubtful: int
    singular: bool
    weighed: Any = 0


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work with so many bits."""
    before = mp.prec
    mp.prec = bits
    try:
        yield
    finally:
        mp.prec = before


def solve(
    case: Case,
    form: Format,
    forced: Mapping[int, int] | None = None,
    moved: Mapping[str, list[Any]] | None = None,
    bits: int = _FIRST_BITS,
) -> Exact:
    """Evaluate a case.

    Args:
        forced: outcomes of doubtful decisions, by number.
        moved: elements in place of the case's own (many digits), by tensor.
        bits: the precision to start with.
    """
    while True:
        with precision(bits):
            try:
                return _solve(case, form, forced, moved)
            except MorePrecision as more:
                bits = more.bits


def _solve(
    case: Case,
    form: Format,
    forced: Mapping[int, int] | None,
    moved: Mapping[str, list[Any]] | None,
) -> Exact:
    spec, tape = case.spec, Tape(form)
    elements: dict[str, Elements] = {}
    leaves: dict[str, list[Num]] = {}
    for name, filled in case.tensors.items():
        flat: list[Any] = list(filled.flat)
        if spec.tensor(name).role.kind == "real":
            given = moved[name] if moved else flat
            flat = leaves[name] = [tape.keep(tape.constant(x)) for x in given]
        elements[name] = Elements(flat, filled.shape)
    ev = Evaluator(spec, tape, elements, case.setting.options, case.sizes, forced)
    places = list(ev.positions(spec.item, result_letters(spec)))
    items = [ev.number(spec.item, here) for here in places]
    reduced = _reduced(ev, items, len(places))
    slopes = _slopes(tape, leaves, [(x, 1) for x in items], form)
    if spec.default_reduction == "sum" or spec.over is None:
        share = 1 if spec.default_reduction == "sum" else max(1, len(places))
        reduced_slopes = slopes if share == 1 else _shared(slopes, share)
    else:
        reduced_slopes = _slopes(tape, leaves, [(reduced, 1)], form)
    values = tuple(_bounded(x, form) for x in items)
    weighed = mp.fsum(abs(b.value) for b in values if mp.isfinite(b.value))
    reduction = _bounded(reduced, form)
    return Exact(values, slopes, reduction, reduced_slopes, ev.doubtful, ev.singular, weighed)


def _shared(
    slopes: Mapping[str, tuple[Bounded, ...]], count: int
) -> dict[str, tuple[Bounded, ...]]:
    """The gradient of the mean from that of the sum."""
    less = math.log2(count)
    return {
        name: tuple(Bounded(b.value / count, b.noise - less, b.excess - less) for b in found)
        for name, found in slopes.items()
    }


def _reduced(ev: Evaluator, items: list[Num], count: int) -> Num:
    """The default reduction: the sum, or the sum divided by what the mean divides by."""
    spec, tape = ev.spec, ev.tape
    total = tape.add(items) if items else Num(mp.zero)
    if spec.default_reduction == "sum":
        return total
    if spec.over is None:
        return (
            total
            if count == 1
            else tape.multiply(total, Num(1 / mp.mpf(count) if count else mp.nan))
        )
    letters = tuple(x for x in result_letters(spec) if x in free_letters(spec.over))
    parts = [ev.number(spec.over, here) for here in ev.positions(spec.item, letters)]
    over = tape.add(parts) if parts else Num(mp.zero)
    if over.value == 0:
        return Num(mp.nan)
    inverse = tape.apply(over, 1 / over.value, -1 / over.value**2, 2 / over.value**3)
    return tape.multiply(total, inverse)


def _bounded(number: Num, form: Format) -> Bounded:
    return _checked(number.value, number.noise, number.excess, form)


def _slopes(
    tape: Tape, leaves: Mapping[str, list[Num]], seeds: list[tuple[Num, int]], form: Format
) -> dict[str, tuple[Bounded, ...]]:
    if any(mp.isnan(number.value) for number, _ in seeds):
        # What is no number (0 / 0, a root of a negative) has no slope, though some path may.
        nowhere = Bounded(mp.nan, -math.inf, -math.inf)
        return {name: (nowhere,) * len(numbers) for name, numbers in leaves.items()}
    found = tape.gradient(seeds)
    nothing = (mp.zero, float("-inf"), float("-inf"))
    return {
        name: tuple(_checked(*found.get(x.place, nothing), form) for x in numbers)
        for name, numbers in leaves.items()
    }


def _checked(value: Any, noise: float, excess: float, form: Format) -> Bounded:
    """The number, if it is known to a thousandth of an ulp."""
    if mp.isfinite(value) and math.isfinite(noise):
        missing = noise - mp.prec + SPARE - (log2(form.ulp(value)) - 10)
        if missing > 0 and mp.prec < MOST_BITS:
            # Where all digits cancelled nobody knows yet how many more it takes.
            raise MorePrecision(min(MOST_BITS, mp.prec + max(100, math.ceil(missing) + 20)))
    return Bounded(value, noise, excess)
