"""What a measurement of accuracy found, as frozen data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """Where an error was found: the elements, what was computed, what is exact.

    ``ordinary`` says that every element is 0 or between 1e-6 and 1e6 in magnitude.
    """

    ulp: float
    verdict: str
    how: str
    setting: str
    what: str
    tensors: Mapping[str, str]
    computed: float
    exact: str
    ordinary: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """The errors of one style, dtype and quantity (value or gradient), in ulp.

    ``multiple`` is the worst as the bars count it: where the formula cancels and the error is
    within the bar of its terms, in ulp of the sum of their magnitudes.
    """

    style: str
    dtype: str
    quantity: str
    points: int
    worst: float
    p99: float
    median: float
    verdicts: Mapping[str, int]
    where: Point | None
    breaks: tuple[Point, ...]
    multiple: float = 0.0
    infinite: int = 0

    @property
    def finite(self) -> bool:
        """Whether no number is NaN or infinite that should not be."""
        return not self.infinite

    @property
    def holds(self) -> bool:
        """Whether every number met a bar."""
        return self.sound and "conditioned" not in self.verdicts

    @property
    def sound(self) -> bool:
        """Whether no error is larger than what roundings of the inputs explain."""
        return "breaks" not in self.verdicts


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How accurate the code of one loss is."""

    name: str
    over_axis: bool
    seed: int
    measured: tuple[Measured, ...]
    errors: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether something was measured, all of it met a bar, and no call raised."""
        return self.sound and all(m.holds for m in self.measured)

    @property
    def sound(self) -> bool:
        """The same, but that errors may be as large as roundings of the inputs make them."""
        return bool(self.measured) and not self.errors and all(m.sound for m in self.measured)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for ``--json``; what JSON has no number for is a word."""
        found = _plain(asdict(self))
        for told, measured in zip(found["measured"], self.measured, strict=True):
            told["holds"], told["sound"] = measured.holds, measured.sound
        return {**found, "holds": self.holds, "sound": self.sound}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
