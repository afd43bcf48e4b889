"""The value is right, and the gradient is right but for a factor: what the factor is.

In: a ``Session`` and what the code gave at a few points. Out: words that follow "it equals the
formula".  A factor counts if it is the same at all points, of several sizes and options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossgen.spec import LossSpec
from lossgen.verify.caller import Outcome
from lossgen.verify.diagnose.causes import proportional
from lossgen.verify.point import Point
from lossgen.verify.session import Session
from lossgen.verify.slicing import extents
from lossgen.verify.truth import Undefined, evaluate
from lossgen.verify.truth.tape import value

Seen = tuple[Point, str, Outcome]


@dataclass(frozen=True, eq=False)
class _Place:
    """Gradients at a point: the code's and the exact one, and the divisor of the reduction."""

    point: Point
    got: Mapping[str, tuple[float, ...] | None]
    want: Mapping[str, list[Any]]
    divisor: float


Factor = Callable[[_Place], float]


def factor_causes(session: Session, seen: Sequence[Seen]) -> list[str]:
    """By which factor the gradients are wrong that are not right."""
    places = list(_places(session, seen))
    if not places:
        return []
    names = list(places[0].got)
    right = [x for x in names if all(_proportional(p, x, 1.0) for p in places)]
    wrong = [x for x in names if x not in right]
    by = f" by {', '.join(wrong)}" if right else ""
    for words, factor in _factors(session.question.spec, by) if wrong else ():
        if all(_proportional(p, x, factor(p)) for p in places for x in wrong):
            return [words]
    return []


def _places(session: Session, seen: Sequence[Seen]) -> Iterator[_Place]:
    for point, reduction, outcome in seen:
        try:
            exact = evaluate(session.question.spec, point)
            want = exact.gradient(reduction, session.caller.weights(len(outcome.value)))
        except Undefined:
            continue
        divisor = float(value(exact.divisors.get(reduction, 1)))
        yield _Place(point, outcome.gradients, want, divisor)


def _factors(spec: LossSpec, by: str) -> Iterator[tuple[str, Factor]]:
    """Likely factors, in words."""
    gradient = f"its gradient{by}"
    yield f"with the sign of {gradient} turned", lambda p: -1.0
    yield f"with twice {gradient}", lambda p: 2.0
    yield f"with half {gradient}", lambda p: 0.5
    yield f"but {gradient} is not divided by what the mean divides by", lambda p: p.divisor
    yield f"but {gradient} is divided twice by what the mean divides by", lambda p: 1 / p.divisor
    for label, shown in _lengths(spec).items():
        length = _length(spec, label)
        yield (
            f"but {gradient} is divided by {shown} alone",
            _joined(lambda p: p.divisor, _inverse(length)),
        )
        yield f"but {gradient} is {shown} times as large", length
        yield (
            f"but {gradient} is divided by {shown}",
            _inverse(length),
        )
    for option in spec.parameters:
        for exponent in (1, 2) if option.role.kind == "real" else ():
            power = _power(option.name, exponent)
            shown = option.name if exponent == 1 else f"{option.name}**{exponent}"
            yield f"but {gradient} is {shown} times as large", power
            yield (
                f"but {gradient} is divided by {shown}",
                _inverse(power),
            )


def _lengths(spec: LossSpec) -> dict[str, str]:
    """Dimensions by which gradients are divided, and how they are called."""
    named = dict.fromkeys(str(a.name) for t in spec.tensors for a in t.axes)
    found = {x: f"size({x})" for x in named if not x.isdigit() and x not in "se"}
    return found if "e" not in named else {**found, "e0": "the length of the first axis"}


def _length(spec: LossSpec, label: str) -> Factor:
    return lambda place: float(extents(spec, place.point).get(label, 1))


def _power(name: str, exponent: int) -> Factor:
    return lambda place: float(place.point.options[name]) ** exponent


def _inverse(factor: Factor) -> Factor:
    return lambda place: 1 / factor(place) if factor(place) else math.inf


def _joined(a: Factor, b: Factor) -> Factor:
    return lambda place: a(place) * b(place)


def _proportional(place: _Place, name: str, factor: float) -> bool:
    return proportional(place.got[name], place.want[name], factor)
