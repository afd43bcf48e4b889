"""A counter-example that can be checked by hand.

In: a ``Witness``. Out: one as wrong, with axes as short and numbers as plain as can be found. Axes
are cut for all tensors at once, so that shapes keep fitting; numbers become 0, 1 and the like;
options go back to their defaults. A change is kept if the code is still wrong in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lossgen.spec import TensorArg
from lossgen.verify.compare import judge
from lossgen.verify.point import Array, Point
from lossgen.verify.session import Session, Witness, worst
from lossgen.verify.slicing import cut, extents
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Difference

SECONDS = 2.5  # of this process: a busy machine must not change the answer
_MOST = 10_000  # numbers: beyond them, it is the number of them that shows the difference
_LONG = 400  # numbers: beyond them, a try takes longer, and more tries are needed
_BLOCK = 4  # numbers that are worth a try together
_BOXES = ((0, 0, 1, 1), (1, 0, 2, 1), (0, 0, 2, 1), (2, 0, 3, 1), (0, 0, 2, 2), (1, 1, 2, 2))
PLAIN = (0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0)


def shrink(session: Session, witness: Witness) -> Witness:
    """The smallest witness found of the same kind of difference."""
    if witness.point.count > _MOST:
        return witness
    seconds = SECONDS if witness.point.count <= _LONG else 2 * SECONDS
    return _Shrinker(session, witness, time.process_time() + seconds).run()


@dataclass
class _Shrinker:
    session: Session
    best: Witness
    deadline: float

    def run(self) -> Witness:
        if not self._try(self.best.point):
            return self.best
        while time.process_time() < self.deadline:
            before = self._cost(self.best.point)
            for attempt in (self._cuts, self._options, self._tensors):
                self._improve(attempt)
            self._simplify()
            if self._cost(self.best.point) >= before:
                break
        return self.best

    def _improve(self, attempts: Callable[[Point], Iterator[Point]]) -> None:
        """Take the first attempt that helps, and attempt anew from there."""
        again = True
        while again and time.process_time() < self.deadline:
            again = any(map(self._better, attempts(self.best.point)))

    def _simplify(self) -> None:
        """Take every number that can be plainer, in passes."""
        again = True
        while again and time.process_time() < self.deadline:
            again = sum(map(self._better, self._numbers())) > 0

    def _better(self, point: Point) -> bool:
        """Whether a point is less to read and as wrong; it is the best so far then."""
        if time.process_time() > self.deadline:
            return False
        return self._cost(point) < self._cost(self.best.point) and self._try(point)

    def _try(self, point: Point) -> bool:
        """Whether the code is wrong here too, in the same way; then it is the best so far."""
        first, probe = self.best.difference, self.best.probe
        if probe is not None:
            try:
                text = probe(self.session, point)
            except Exception:
                return False
            if text.split(" ")[:3] != str(first.got).split(" ")[:3]:
                return False
            found = replace(first, got=text, what=text)
            self.best = replace(self.best, point=point, difference=found)
            return True
        try:
            with np.errstate(all="ignore"):
                judged = judge(self.session.caller, point, self.best.reduction, self.best.dtype)
        except (Undefined, ZeroDivisionError, IndexError, KeyError, ValueError, StopIteration):
            return False
        alike = [d for d in judged.differences if _alike(d, first)]
        if not alike:
            return False
        found = worst(alike)[0]
        self.best = Witness(point, self.best.reduction, self.best.dtype, found)
        return True

    def _cost(self, point: Point) -> tuple[float, ...]:
        """What a person has to read: numbers, then how plain they are, then changed options."""
        defaults = {p.name: p.default for p in self.session.question.spec.parameters}
        changed = sum(v != defaults[k] for k, v in point.options.items())
        effort = sum(_effort(float(x)) for t in point.tensors.values() for x in t.flat)
        effort += sum(_effort(float(v)) for v in point.options.values() if v is not None)
        return (float(point.count), float(len(point.tensors)), effort + changed)

    def _cuts(self, point: Point) -> Iterator[Point]:
        """Shorter axes: one position alone, without a half, a quarter, …, one fewer."""
        spec = self.session.question.spec
        for label, size in extents(spec, point).items():
            if size > 1:
                for keep in ([0], [1], [size - 1], [0, 1]):
                    if len(keep) < size and max(keep) < size:
                        yield cut(spec, point, label, keep)
            width = size // 2
            while width:
                for start in range(0, size, width):
                    gone = range(start, start + width)
                    left = [k for k in range(size) if k not in gone]
                    if left:
                        yield cut(spec, point, label, left)
                width //= 2

    def _tensors(self, point: Point) -> Iterator[Point]:
        """Without an optional tensor."""
        for tensor in self.session.question.spec.tensors:
            if tensor.optional and tensor.name in point.tensors:
                left = {k: x for k, x in point.tensors.items() if k != tensor.name}
                yield Point(left, point.options, point.label)

    def _options(self, point: Point) -> Iterator[Point]:
        for p in self.session.question.spec.parameters:
            if p.name not in self.session.question.variable:
                continue
            for value in (p.default, 0.0, 1.0, 2.0, 0.5):
                if (value is not None and p.role.kind == "real" and p.role.admits(value)) or (
                    value is not None and value == p.default
                ):
                    yield point.with_option(p.name, value)

    def _numbers(self) -> Iterator[Point]:
        """Plainer numbers: many at once, then one by one, each from the best point so far."""
        for tensor in self.session.question.spec.tensors:
            first = self.best.point.tensors.get(tensor.name)
            if first is None or self._bound(tensor):
                continue
            if tensor.role.name == "Boxes":
                yield from self._corners(tensor.name)
                continue
            for span in _spans(first.size):
                array = self.best.point.tensors[tensor.name]
                here = max(array.reshape(-1)[span].tolist(), key=lambda x: _effort(float(x)))
                for value in _plainer(tensor, array, float(here)):
                    if span.stop - span.start > 1 and value not in (0.0, 1.0):
                        continue
                    changed = self.best.point.tensors[tensor.name].copy()
                    changed.reshape(-1)[span] = value
                    yield self.best.point.with_tensor(tensor.name, changed)

    def _corners(self, name: str) -> Iterator[Point]:
        """Plainer boxes, all alike and then one by one: their corners stay in order."""
        tensors = self.session.question.spec.tensors
        for box in _BOXES:
            alike = self.best.point
            for tensor in tensors:
                if tensor.role.name == "Boxes" and tensor.name in alike.tensors:
                    shape = alike.tensors[tensor.name].shape
                    alike = alike.with_tensor(tensor.name, np.broadcast_to(box, shape) * 1.0)
            yield alike
        for row in range(len(self.best.point.tensors[name])):
            near = np.round(self.best.point.tensors[name][row])
            for box in (*_BOXES, (*near[:2], *np.maximum(near[2:], near[:2] + 1))):
                changed = self.best.point.tensors[name].copy()
                changed[row] = box
                yield self.best.point.with_tensor(name, changed)

    def _bound(self, tensor: TensorArg) -> bool:
        """Whether elements of a tensor depend on one another, by the code's convention."""
        chain = self.session.question.adapters.get(tensor.name, ())
        return any(a.domain in ("one_hot", "distribution") for a in chain)


def _spans(size: int) -> Iterator[slice]:
    """All places, halves, quarters, …, then each place alone."""
    width = size
    while width >= _BLOCK:
        yield from (slice(start, start + width) for start in range(0, size, width))
        width //= 2
    yield from (slice(k, k + 1) for k in range(size))


def _alike(d: Difference, first: Difference) -> bool:
    if d.kind != first.kind or (d.what == "shape") != (first.what == "shape"):
        return False
    if d.what.split(" ")[0] != first.what.split(" ")[0]:
        return False
    return d.size > min(first.size, 1e-2) / 2 or d.kind != "formula"


def _effort(x: float) -> float:
    """How much there is to read in a number."""
    if not np.isfinite(x):
        return 5
    if x == int(x):
        return {0: 0.0, 1: 0.25}.get(abs(int(x)), 1 + len(str(abs(int(x)))) / 4) + (x < 0) / 8
    return 2 + len(f"{abs(x):.12g}") / 4


def _plainer(tensor: TensorArg, array: Array, here: float) -> Iterator[float]:
    role = tensor.role
    candidates = [0.0, 1.0] if array.dtype == bool else [*PLAIN, round(here), round(here * 2) / 2]
    for value in candidates:
        low = (
            role.lower is None
            or value > role.lower
            or (value == role.lower and not role.open_lower)
        )
        if role.name in ("Binary", "Sign") and value not in (role.lower, role.upper):
            continue
        if role.kind == "integer" and value < min(0, here):
            continue
        if low and (role.upper is None or value <= role.upper) and _effort(value) < _effort(here):
            yield value
