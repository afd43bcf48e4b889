"""A probe: the loss of the same items in another order is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossgen.symmetry import Alike
from lossgen.verify.caller import Outcome
from lossgen.verify.calling import call_lines
from lossgen.verify.checks.itself import (
    Found,
    differs,
    moved,
    pairs,
    reductions,
    result_frame,
    under,
    words,
)
from lossgen.verify.point import Point
from lossgen.verify.session import Session
from lossgen.verify.slicing import dims, extents, reordered
from lossgen.verify.truth.exact import frame
from lossgen.verify.verdict import number


@dataclass(frozen=True)
class Reordered:
    """Another order of an axis gives another loss."""

    label: str
    alike: Alike

    def __call__(self, session: Session, point: Point) -> str:
        found = self._find(session, point)
        return found.text if found else ""

    def _find(self, session: Session, point: Point) -> Found | None:
        spec = session.question.spec
        size = extents(spec, point).get(self.label, 0)
        free = self.alike.free(point.options, size)
        if len(free) < 2:
            return None
        for shuffled in (free[::-1], [*free[1:], free[0]]):
            order = list(range(size))
            for place, position in zip(free, shuffled, strict=True):
                order[place] = position
            other = reordered(spec, point, self.label, order, self.alike.holders)
            for reduction in reductions(session):
                found = self._compare(session, point, other, order, reduction)
                if found is not None:
                    return found
        return None

    def _compare(
        self, session: Session, point: Point, other: Point, order: list[int], reduction: str
    ) -> Found | None:
        here = session.caller.run(point, reduction)
        shape = result_frame(session, point, here, reduction)
        if shape is None:
            return None
        places = [k for k, (label, _) in enumerate(shape) if label == self.label]
        sizes = [size for _, size in shape]
        weights = session.caller.weights(len(here.value))
        there = session.caller.run(
            other, reduction, weights=moved(np.array(weights), sizes, places, order)
        )
        want = moved(np.array(here.value), sizes, places, order)
        for what, got, expected in pairs(there, want, self._gradients(session, point, here, order)):
            place = differs(got, expected)
            if place is not None:
                text = (
                    f"gives another {what} when the {words(self.label)} come in another order"
                    f"{under(session, reduction)}: {number(got[place])}, "
                    f"in this order {number(expected[place])}"
                )
                return Found(text, reduction, what, (other,), (), tuple(order))
        return None

    def _gradients(
        self, session: Session, point: Point, here: Outcome, order: list[int]
    ) -> dict[str, Sequence[float]]:
        spec = session.question.spec
        found: dict[str, Sequence[float]] = {}
        for name, gradient in here.gradients.items():
            if gradient is not None:
                array = point.tensors[name]
                places = dims(spec, point, spec.tensor(name), self.label)
                found[name] = moved(np.array(gradient), array.shape, places, order)
        return found

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        found = self._find(session, point)
        if found is None or (found.what != "value" and found.reduction == "none"):
            return ()
        calls = [
            call_lines(session.caller, p, found.reduction, "float64")
            for p in (point, *found.points)
        ]
        if not all(calls):
            return ()
        spec, name = session.question.spec, found.what.removeprefix("gradient of ")
        lines, got = list[str](), f"{name}.grad"
        if found.what == "value":
            got = "result.detach()"
            shape = frame(spec, point) if found.reduction == "none" else []
            places = [k for k, (label, _) in enumerate(shape) if label == self.label]
        else:
            lines = ["result.backward()"]
            places = dims(spec, point, spec.tensor(name), self.label)
        moved_first = "first" + "".join(f".index_select({k}, order)" for k in places)
        order = [f"order = torch.tensor({list(found.order)})"] if places else []
        return (
            *(*calls[0], *lines, f"first = {got}", ""),
            f"# the same, its {words(self.label)} in another order",
            *(*calls[1], *lines, *order),
            f"torch.testing.assert_close({got}, {moved_first}, rtol=1e-4, atol=1e-6)",
        )
