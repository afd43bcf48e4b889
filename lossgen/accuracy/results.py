"""What a measurement of accuracy found, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """Where an error was found: the elements, what was computed, what is exact."""

    ulp: float
    verdict: str
    how: str
    setting: str
    what: str
    tensors: Mapping[str, str]
    computed: float
    exact: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The errors of one style, dtype and quantity (value or gradient), in ulp."""

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

    @property
    def holds(self) -> bool:
        """Whether every number met a bar."""
        return not self.breaks


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
        return bool(self.measured) and not self.errors and all(m.holds for m in self.measured)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for ``--json``."""
        return {**asdict(self), "holds": self.holds}
