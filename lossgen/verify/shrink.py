"""A counter-example that can be checked by hand.

In: a ``Witness``. Out: one as wrong, with axes as short and numbers as plain as can be found. Axes
are cut for all tensors at once, so that shapes keep fitting; numbers become 0, 1 and the like;
options go back to their defaults. A change is kept if the code is still wrong in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossgen.spec import TensorArg
from lossgen.verify.adapters import class_axis
from lossgen.verify.compare import judge
from lossgen.verify.point import Array, Point
from lossgen.verify.session import Session, Witness, worst
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Difference

SECONDS = 2.5  # of this process: a busy machine must not change the answer
_MOST = 10_000  # numbers: beyond them, it is the number of them that shows the difference
PLAIN = (0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0)


def shrink(session: Session, witness: Witness) -> Witness:
    """The smallest witness found of the same kind of difference."""
    if witness.point.count > _MOST:
        return witness
    return _Shrinker(session, witness, time.process_time() + SECONDS).run()


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
            for attempt in (self._cuts, self._options, self._tensors, self._numbers):
                self._improve(attempt)
            if self._cost(self.best.point) >= before:
                break
        return self.best

    def _improve(self, attempts: Any) -> None:
        again = True
        while again and time.process_time() < self.deadline:
            again = False
            for point in attempts(self.best.point):
                if time.process_time() > self.deadline:
                    return
                if self._cost(point) < self._cost(self.best.point) and self._try(point):
                    again = True
                    break

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
        """Shorter axes: one position alone, or one fewer."""
        for label, size in _extents(self.session, point).items():
            if size > 1:
                for keep in ([0], [1], [size - 1], [0, 1]):
                    if len(keep) < size and max(keep) < size:
                        yield _cut(self.session, point, label, keep)
            for gone in range(size if size > 1 else 0):
                yield _cut(self.session, point, label, [k for k in range(size) if k != gone])

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

    def _numbers(self, point: Point) -> Iterator[Point]:
        for tensor in self.session.question.spec.tensors:
            array = point.tensors.get(tensor.name)
            if array is None or tensor.role.name == "Boxes" or self._bound(tensor):
                continue
            for place in range(array.size):
                here = float(array.reshape(-1)[place])
                for value in _plainer(tensor, array, here):
                    changed = array.copy()
                    changed.reshape(-1)[place] = value
                    yield point.with_tensor(tensor.name, changed)

    def _bound(self, tensor: TensorArg) -> bool:
        """Whether elements of a tensor depend on one another, by the code's convention."""
        chain = self.session.question.adapters.get(tensor.name, ())
        return any(a.domain in ("one_hot", "distribution") for a in chain)


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


def _labels(session: Session, point: Point, tensor: TensorArg) -> list[str]:
    """A label for each dimension of a tensor; equal labels are cut together."""
    array = point.tensors[tensor.name]
    extra = array.ndim - len(tensor.axes) + 1
    labels: list[str] = []
    for axis in tensor.axes:
        labels += [f"{axis}{k}" for k in range(extra)] if axis.name in "se" else [axis.name]
    if tensor.broadcast:
        lead = next(t for t in session.question.spec.tensors if not t.broadcast)
        whole = _labels(session, point, lead)
        shape = point.tensors[lead.name].shape
        labels = whole[len(whole) - array.ndim :]
        full = shape[len(shape) - array.ndim :]
        labels = [x if a == b else "" for x, a, b in zip(labels, array.shape, full, strict=True)]
    return labels


def _extents(session: Session, point: Point) -> dict[str, int]:
    """The length of every axis that may be cut."""
    found: dict[str, int] = {}
    for tensor in session.question.spec.tensors:
        if tensor.name in point.tensors:
            shape = point.tensors[tensor.name].shape
            for label, size in zip(_labels(session, point, tensor), shape, strict=True):
                if label and not label.isdigit():
                    found[label] = size
    return found


def _cut(session: Session, point: Point, label: str, keep: list[int]) -> Point:
    """The point with only some positions of an axis; labels beyond the classes come inside."""
    spec = session.question.spec
    classes = {x.name for x in spec.axes.values()} & {label}
    changed = dict(point.tensors)
    for tensor in spec.tensors:
        if tensor.name not in changed:
            continue
        array = changed[tensor.name]
        for place, name in enumerate(_labels(session, point, tensor)):
            if name == label:
                array = np.take(array, keep, axis=place)
        changed[tensor.name] = array
    if classes and label in ("c", "d") and class_axis(spec, spec.tensors[0]) is not None:
        for tensor in spec.tensors:
            if tensor.role.kind == "integer" and tensor.name in changed:
                array = changed[tensor.name]
                inside = np.where((array >= len(keep)) & ~_marked(point, array), 0, array)
                changed[tensor.name] = inside
    return Point(changed, point.options, point.label)


def _marked(point: Point, array: Array) -> Any:
    """Where an index is one of the options (``ignore_index``), not a class."""
    markers = [v for k, v in point.options.items() if "index" in k and isinstance(v, int)]
    return np.isin(array, markers) if markers else np.zeros(array.shape, dtype=bool)
