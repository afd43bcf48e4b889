"""A probe: the loss of a batch that is repeated many times is known from that of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lossgen.verify.caller import Outcome
from lossgen.verify.calling import call_lines
from lossgen.verify.checks.itself import differs, words
from lossgen.verify.point import Array, Point
from lossgen.verify.session import Session
from lossgen.verify.slicing import dims, extents, taken
from lossgen.verify.verdict import number


@dataclass(frozen=True)
class Repeated:
    """Items that come ``times`` times give another loss than they give once."""

    label: str
    times: int

    def __call__(self, session: Session, point: Point) -> str:
        main, spec = session.question.main, session.question.spec
        size = extents(spec, point)[self.label]
        many = taken(spec, point, self.label, list(range(size)) * self.times)
        here = session.caller.run(point, main)
        weights = session.caller.weights(len(here.value))
        if main == "none" and len(here.value) % size:
            return ""
        there = session.caller.run(many, main, weights=self._many(np.array(weights), main).tolist())
        for what, got, want in self._pairs(session, point, here, there):
            place = differs(got.tolist(), want.tolist())
            if place is not None:
                return (
                    f"gives another {what} for {self.times} times as many {words(self.label)}: "
                    f"{number(got[place])}, by those {number(want[place])}"
                )
        return ""

    def _pairs(
        self, session: Session, point: Point, here: Outcome, there: Outcome
    ) -> Iterator[tuple[str, Array, Array]]:
        main, spec = session.question.main, session.question.spec
        factor = self.times if main == "sum" else 1
        yield "value", np.array(there.value), self._many(factor * np.array(here.value), main)
        for name, gradient in here.gradients.items():
            other = there.gradients.get(name)
            places = dims(spec, point, spec.tensor(name), self.label)
            if gradient is None or other is None or not places:
                continue
            shape = point.tensors[name].shape
            share = 1 if main in ("none", "sum") else self.times
            want = np.concatenate([np.array(gradient).reshape(shape)] * self.times, axis=places[0])
            yield f"gradient of {name}", np.array(other) * share, want.flatten()

    def _many(self, numbers: Array, main: str) -> Array:
        """Numbers of the result as those of the repeated batch; it is the first axis."""
        return np.tile(numbers, self.times) if main == "none" else numbers

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        main, spec = session.question.main, session.question.spec
        lines = call_lines(session.caller, point, main, "float64")
        if not lines or main == "none":
            return ()
        more = []
        for name, array in point.tensors.items():
            places = dims(spec, point, spec.tensor(name), self.label)
            if places and name in session.question.matching.taken:
                times = [self.times if k in places else 1 for k in range(array.ndim)]
                more.append(f"{name} = {name}.detach().repeat({', '.join(map(str, times))})")
        call = [x for x in lines if x.startswith(("made = ", "result = "))]
        want = f"{self.times} * whole" if main == "sum" else "whole"
        return (
            *lines,
            "whole = result.detach()",
            *more,
            *call,
            f"torch.testing.assert_close(result, {want}, rtol=1e-4, atol=1e-6)",
        )
