"""One input of a loss: tensors and options by the formula's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Point:
    """Tensors (float64, int64 or bool; an absent one is left out) and options."""

    tensors: Mapping[str, Array]
    options: Mapping[str, Any]
    label: str = "plain"

    @property
    def count(self) -> int:
        """How many numbers the tensors hold."""
        return sum(int(x.size) for x in self.tensors.values())

    @property
    def floats(self) -> tuple[str, ...]:
        """The tensors that a gradient may be asked of."""
        return tuple(k for k, x in self.tensors.items() if np.issubdtype(x.dtype, np.floating))

    def with_tensor(self, name: str, array: Array) -> Point:
        """The point with another tensor in place of one."""
        return replace(self, tensors={**self.tensors, name: array})

    def with_option(self, name: str, value: Any) -> Point:
        """The point with another option in place of one."""
        return replace(self, options={**self.options, name: value})

    def magnitude(self) -> float:
        """The largest finite absolute value among the tensors, at least 1."""
        found = [1.0]
        for name in self.floats:
            finite = self.tensors[name][np.isfinite(self.tensors[name])]
            if finite.size:
                found.append(float(np.abs(finite).max()))
        return max(found)
