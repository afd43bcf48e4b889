"""What a measurement found, as frozen data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The median and quartiles of some measurements."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


@dataclass(frozen=True, slots=True)
class Limit:
    """What the machine needs for what the loss cannot do without.

    Attributes:
        bytes: all that move; ``reads`` and ``writes`` say of which tensor, how often.
        fresh, warm: seconds to move them, into gradients allocated anew and into kept ones.
        functions: how many times each is evaluated; ``floor`` the seconds at torch's rate.
        products: seconds of the matrix products, where there are any.
        seconds: the largest of ``fresh``, ``floor`` and ``products``.
        words: where the bytes come from, for a person.
    """

    bytes: int
    words: str
    fresh: Spread
    warm: Spread
    functions: Mapping[str, int]
    floor: float
    products: Spread | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One form.

    Attributes:
        kind: ``generated``, ``peer`` or ``compiled``.
        seconds: of one forward and backward.
        to_limit, to_peer: how many times the limit, and the best eager peer, round by round.
        first: seconds of the first call, compilation included.
        small: seconds on a small batch.
        peak: the most bytes at a time, gradients included and inputs not; ``kept`` those kept for
            the backward.
        value_error, gradient_error: relative to the plain function in float64.
    """

    name: str
    kind: str
    seconds: Spread
    to_limit: Spread
    to_peer: Spread | None
    first: float
    small: Spread | None
    peak: int
    kept: int
    value_error: float | None
    gradient_error: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that was measured of one loss.

    Attributes:
        best_peer: the name of the fastest eager form of another package.
        skipped: names of forms that could not be measured, with the reason.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, tuple[int, ...]]
    small_sizes: Mapping[str, tuple[int, ...]]
    gradients: tuple[str, ...]
    dtype: str
    device: str
    threads: int
    rounds: int
    upstream: float
    torch: str
    processor: str
    limit: Limit
    forms: tuple[Measured, ...]
    best_peer: str
    skipped: tuple[tuple[str, str], ...]

    def form(self, name: str) -> Measured | None:
        """The form of that name."""
        return next((f for f in self.forms if f.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``; what JSON has no number for is a word."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
