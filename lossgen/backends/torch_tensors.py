"""The tensors of a spec, seen by the code that takes them in: which leads, where a size stands.

In: a ``LossSpec``.  Out: which tensor the others follow, and code for the sizes of axes.

    input[n, c, *s], target[n, *s]  →  target.shape must be input.shape[:1] + input.shape[2:]

It refuses nothing: an axis that no required tensor has is None.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.nodes import Letter
from lossgen.spec import LossSpec, TensorArg

# Roles whose elements may also come as integers or booleans.
COUNTS = frozenset(("Binary", "Probabilities", "Sign", "NonNegative", "Weight"))
# Where sizes stand: tensor, start, stop and the tensor's axis count.
Slice = tuple[str, int | None, int | None, int]


@dataclass(frozen=True, slots=True)
class Tensors:
    """The tensors of one spec, and the function that takes them."""

    spec: LossSpec
    function: str

    @property
    def lead(self) -> TensorArg:
        """The tensor whose shape the others follow: the first of the highest rank."""
        required = [t for t in self.spec.tensors if not t.optional and not t.broadcast]
        return max(required or self.spec.tensors, key=lambda t: len(t.axes))

    @property
    def like(self) -> TensorArg:
        """A tensor whose dtype new values take: the lead, unless it holds labels or a mask."""
        lead = self.lead
        numbers = [t for t in self.spec.tensors if t.role.kind == "real" and not t.optional]
        if lead in numbers or not numbers:
            return lead
        return max(numbers, key=lambda t: (t.role.name not in COUNTS, len(t.axes)))

    @property
    def unbatched_rank(self) -> int | None:
        """The rank of the lead at which the sample axis is absent."""
        lead = self.lead
        if not self.spec.unbatched:
            return None
        return len(lead.axes) - (2 if lead.ragged is not None else 1)

    @property
    def labels(self) -> TensorArg | None:
        """The class labels of a loss over one row of scores a sample."""
        if not self.spec.unbatched or self.lead.ragged is not None:
            return None
        return next((t for t in self.spec.tensors if t.role.kind == "integer"), None)

    def takes_number(self, t: TensorArg) -> bool:
        """Whether a Python number is accepted in place of a tensor."""
        return t.broadcast and not t.optional and t.role.name == "Positive"

    def present(self, t: TensorArg, test: str) -> str:
        """A test that holds only of a tensor that is there."""
        return f"{t.name} is not None and {test}" if t.optional else test

    def place(self, axis: Letter) -> Slice | None:
        """Where the size of an axis stands."""
        for t in (self.lead, *self.spec.tensors):
            if axis in t.axes and not t.optional and not t.broadcast:
                at, ragged, count = t.axes.index(axis), t.ragged, len(t.axes)
                if ragged is None or at < ragged:
                    return t.name, at, at + 1 if at + 1 < count else None, count
                if at == ragged:
                    after = count - at - 1
                    return t.name, at, -after if after else None, count
                back = at - count
                return t.name, back, back + 1 if back + 1 else None, count
        return None


def merged(slices: list[Slice]) -> str:
    """Code for shape slices one after another, neighbours joined."""
    joined: list[Slice] = []
    for name, start, stop, count in slices:
        if joined and joined[-1][0] == name and joined[-1][2] == start and start is not None:
            joined[-1] = (*joined[-1][:2], stop, count)
        else:
            joined.append((name, start, stop, count))
    parts = []
    for name, start, stop, _ in joined:
        whole = start in (0, None) and stop is None
        parts.append(
            f"{name}.shape"
            if whole
            else f"{name}.shape[{start or ''}:{'' if stop is None else stop}]"
        )
    return " + ".join(parts) or "()"
