"""The points of an elementwise loss: one number for each element that it reads at a position.

In: a spec, a setting, a format, a seed. Out: one ``Case`` whose batch axis runs over the points:
all pairs of extremes, ordinal-uniform draws, ordinary numbers, exact ties and their neighbours,
confident predictions, kinks and their neighbours.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from lossgen.accuracy import boxes, kinks
from lossgen.accuracy.cases import Case, Filled, pointwise, present
from lossgen.accuracy.formats import Format
from lossgen.accuracy.points import beside, by_ordinal, extremes, inside, ordinary
from lossgen.accuracy.settings import Setting
from lossgen.roles import Role
from lossgen.spec import LossSpec

# A point: the elements of each tensor at one position, in the order of the tensors.
Point = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Slots:
    """The tensors of a loss and how many elements of each belong to one point."""

    names: tuple[str, ...]
    roles: tuple[Role, ...]
    widths: tuple[int, ...]
    form: Format

    def point(self, draw: Callable[[Role], float]) -> Point:
        """A point whose elements are drawn one by one."""
        return tuple(
            tuple(draw(role) for _ in range(width))
            for role, width in zip(self.roles, self.widths, strict=True)
        )


def slots(spec: LossSpec, setting: Setting, form: Format) -> Slots:
    """The tensors that are passed, with their roles."""
    tensors = present(spec, setting)
    widths = [math.prod(int(a.name) for a in t.axes if a.name.isdigit()) for t in tensors]
    names = tuple(t.name for t in tensors)
    return Slots(names, tuple(t.role for t in tensors), tuple(widths), form)


def sampled(
    spec: LossSpec, setting: Setting, form: Format, seed: int, budget: int
) -> list[tuple[str, Point]]:
    """Points with how each came about, about `budget` of them."""
    random_ = random.Random(f"{seed} {spec.name} {setting} {form.name}")
    there = slots(spec, setting, form)
    if any(role.name == "Boxes" for role in there.roles):
        return [(how, (a, b)) for how, a, b in boxes.pairs(form, random_, budget)]
    found = [
        *_extremes(there, random_, budget // 2),
        *_ties(there, random_, budget // 8),
        *_confident(there, random_, budget // 8),
    ]
    for label, draw in (("ordinal", by_ordinal), ("ordinary", ordinary)):
        drawn = partial(draw, form=form, random_=random_)
        found += [(label, there.point(drawn)) for _ in range(budget // 4)]
    return found


def case(spec: LossSpec, setting: Setting, points: list[tuple[str, Point]]) -> Case:
    """The points as one batch."""
    batch = pointwise(spec)
    sizes: dict[str, int] = {}
    tensors: dict[str, Filled] = {}
    for place, tensor in enumerate(present(spec, setting)):
        shape = []
        for axis in tensor.axes:
            size = int(axis.name) if axis.name.isdigit() else 1
            size = len(points) if axis.name == batch else size
            sizes[axis.name] = size
            shape.append(size)
        tensors[tensor.name] = Filled(tuple(x for _, p in points for x in p[place]), tuple(shape))
    return Case(spec, setting, tensors, sizes, tuple(label for label, _ in points), batch)


def on_kinks(
    spec: LossSpec, setting: Setting, form: Format, seed: int, rounds: int
) -> list[tuple[str, Point]]:
    """Ordinary points moved onto each kink of the formula, and one ulp to either side."""
    random_ = random.Random(f"kinks {seed} {spec.name} {setting} {form.name}")
    there = slots(spec, setting, form)
    found = []
    for _ in range(rounds):
        if any(role.name == "Boxes" for role in there.roles):
            ((_, *corners),) = boxes.pairs(form, random_, 1)
            point: Point = tuple(corners)
        else:
            point = there.point(lambda r: ordinary(r, form, random_))
        for moved in kinks.on_kinks(case(spec, setting, [("", point)]), form, random_):
            elements = tuple(tuple(moved.tensors[name].flat) for name in there.names)
            found.append((moved.labels[0], elements))
    return found


def _extremes(there: Slots, random_: random.Random, most: int) -> Iterator[tuple[str, Point]]:
    """All pairs of extremes of the first two tensors; the others take one each."""
    ends = [extremes(role, there.form) for role in there.roles]
    pairs = list(itertools.product(*ends[:2]))
    if len(pairs) > most:
        pairs = random_.sample(pairs, most)
    for pair in pairs:
        rest = tuple(random_.choice(e) for e in ends[2:])
        yield "extremes", tuple((x,) for x in (*pair, *rest))


def _ties(there: Slots, random_: random.Random, most: int) -> Iterator[tuple[str, Point]]:
    """All elements the same number, and the first a neighbour of it."""
    for index in range(most):
        draw = ordinary if index % 2 else by_ordinal
        number = draw(there.roles[-1 if index % 3 else 0], there.form, random_)
        tied = there.point(lambda role, x=number: inside(x, role, there.form))  # type: ignore[misc]
        steps = (0, 1, -1)[index % 3]
        first = beside(tied[0][0], there.roles[0], there.form, steps)
        yield ("tie" if not steps else "tie ± 1 ulp"), ((first,), *tied[1:])


def _confident(there: Slots, random_: random.Random, most: int) -> Iterator[tuple[str, Point]]:
    """Scores from -100 to 100 against hard and soft targets."""
    if not any(r.name in ("Logits", "Real") for r in there.roles[:1]):
        return
    soft = (0.0, 1.0, 0.0, 1.0, 0.5, 0.9, 1e-3)
    for index in range(most):
        gap = 200 * index / max(1, most - 1) - 100
        target = soft[index % len(soft)]

        def draw(role: Role, gap: float = gap, target: float = target) -> float:
            if role.name in ("Logits", "Real"):
                return inside(gap, role, there.form)
            return inside(target, role, there.form)

        point = there.point(draw)
        if len(there.roles) > 1 and there.roles[1].name == "Real":
            point = (point[0], (inside(target, there.roles[1], there.form),), *point[2:])
        yield "confident", point
