"""The code held against itself: axes in words, results as arrays, differences.

A probe says in a sentence what is wrong at a point, finds it again while the counter-example
shrinks, and writes it down as lines of a test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lossgen.verify.caller import CallFailed, Outcome
from lossgen.verify.point import Array, Point
from lossgen.verify.session import Session
from lossgen.verify.truth.exact import frame

# What is held against itself differs by rounding alone, and may compute in single precision.
_CLOSE, _NEAR_ZERO = 1e-4, 1e-5

_WORDS = {"n": "samples", "c": "classes", "d": "features", "t": "tokens"}


class Probed(Protocol):
    """A probe that can also write down what it found."""

    def __call__(self, session: Session, point: Point) -> str:
        """What is wrong, after the words "the code"; empty if nothing."""

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        """Lines of Python that fail while it is wrong; none where a file cannot hold them."""


@dataclass(frozen=True)
class Found:
    """A difference: in words, under which reduction, in value or gradient, between which points."""

    text: str
    reduction: str
    what: str
    points: tuple[Point, ...] = ()
    shares: tuple[float, ...] = ()
    order: tuple[int, ...] = ()


def words(label: str) -> str:
    """The positions of an axis in words."""
    return _WORDS.get(label, "positions" if label[:1] in "se" else f"positions of {label}")


@dataclass(frozen=True)
class Works:
    """Code that breaks on a long axis."""

    many: int
    what: str

    def __call__(self, session: Session, point: Point) -> str:
        try:
            session.caller.run(point, session.question.main)
        except CallFailed as failure:
            return f"raises {failure}"
        return ""

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        return ()


def reductions(session: Session) -> list[str]:
    """The main reduction first."""
    question = session.question
    return list(dict.fromkeys((question.main, *question.reductions)))


def under(session: Session, reduction: str) -> str:
    return f", reduction {reduction}" if reduction != session.question.main else ""


def result_frame(
    session: Session, point: Point, outcome: Outcome, reduction: str
) -> list[tuple[str, int]] | None:
    """Label and size of each dimension of the result; None where it has another shape."""
    if reduction != "none":
        return [] if len(outcome.value) == 1 else None
    shape = frame(session.question.spec, point)
    return shape if math.prod(size for _, size in shape) == len(outcome.value) else None


def moved(
    array: Array, shape: Sequence[int], places: Sequence[int], order: Sequence[int]
) -> list[float]:
    """Flat numbers with some dimensions in another order."""
    array = array.reshape(tuple(shape))
    for place in places:
        array = np.take(array, order, axis=place)
    moved: list[float] = array.flatten().tolist()
    return moved


def pairs(
    outcome: Outcome, value: Sequence[float], gradients: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, Sequence[float], Sequence[float]]]:
    yield "value", outcome.value, value
    for name, want in gradients.items():
        got = outcome.gradients.get(name)
        yield f"gradient of {name}", got if got is not None else (0.0,) * len(want), want


def differs(got: Sequence[float], want: Sequence[float]) -> int | None:
    """The place of the largest difference that rounding does not explain."""
    a, b = np.array(got, dtype=np.float64), np.array(want, dtype=np.float64)
    if a.shape != b.shape:
        return 0
    finite = np.isfinite(b)
    peak = float(np.abs(b[finite]).max()) if finite.any() else 0.0
    with np.errstate(all="ignore"):
        gap = np.where(np.isfinite(a), np.abs(a - b), np.inf)
        wrong = finite & (gap > _CLOSE * np.abs(b) + _NEAR_ZERO * max(peak, 1e-30))
    return int(np.argmax(np.where(wrong, gap, -1.0))) if wrong.any() else None
