"""From a spec and a point to the exact loss: items, reductions, gradients, curvature.

The second derivative along a direction is a difference quotient of exact gradients: with 120 digits
and a step of 1e-30, some 50 of its digits are right.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lossgen.nodes import Letter, free_letters
from lossgen.spec import LossSpec, TensorArg
from lossgen.subscripts import extent, result_letters
from lossgen.verify.point import Array, Point
from lossgen.verify.truth.interpreter import Interpreter, leaves
from lossgen.verify.truth.tape import ONE, ZERO, Algebra, Num, mp, value

STEP = mp.mpf(10) ** -30
JUMP = mp.mpf(10) ** 20  # a quotient beyond it is a jump of the gradient, not its slope
Numbers = list[Any]


class Undefined(Exception):
    """The formula has no finite value at the point: nothing can be asked there."""


@dataclass(frozen=True, eq=False)
class Exact:
    """The loss at a point.

    Attributes:
        shape: of the unreduced loss.
        items: the unreduced loss, flat, as numbers on a tape.
        divisors: what each averaging reduction divides by.
        places: for each float tensor, its elements on the tape, flat.
    """

    shape: tuple[int, ...]
    items: tuple[Any, ...]
    divisors: Mapping[str, Any]
    places: Mapping[str, tuple[Num, ...]]
    interpreter: Interpreter

    def reduced(self, reduction: str) -> Numbers:
        """The result under a reduction, on the tape."""
        if reduction == "none":
            return list(self.items)
        whole = self.interpreter.total(list(self.items))
        if reduction == "sum":
            return [whole]
        divisor = self.divisors[reduction]
        below = self.interpreter.real(value(divisor))
        if below == 0:
            raise Undefined(f"the {reduction} divides by 0")
        result = self.interpreter.real(value(whole)) / below
        return [
            self.interpreter.tape.make(
                result, (whole, self.interpreter.algebra.mpf(1) / below), (divisor, -result / below)
            )
        ]

    def value(self, reduction: str) -> Numbers:
        """The result under a reduction, as plain numbers."""
        return [self.interpreter.real(value(x)) for x in self.reduced(reduction)]

    def gradient(self, reduction: str, weights: Sequence[Any] | None = None) -> dict[str, Numbers]:
        """The gradient of the weighted result (all weights 1 if none are given)."""
        results = self.reduced(reduction)
        seeds = (
            [ONE] * len(results) if weights is None else [self.interpreter.real(w) for w in weights]
        )
        adjoint = self.interpreter.tape.backward(zip(results, seeds, strict=True))
        return {
            name: [adjoint.get(x.place, ZERO) for x in elements]
            for name, elements in self.places.items()
        }

    @cached_property
    def finite(self) -> bool:
        """Whether every item is finite."""
        return all(mp.isfinite(value(x)) for x in self.items)


def evaluate(
    spec: LossSpec,
    point: Point,
    shift: Mapping[str, Sequence[Any]] | None = None,
    algebra: Algebra = mp,
    element: Callable[[float], Any] = mp.mpf,
) -> Exact:
    """The exact loss at a point.

    Args:
        shift: moves elements by more digits than an array holds.
        algebra: what it is worked out in.
        element: what an element of a tensor becomes.
    """
    interpreter, places = _prepared(spec, point, shift or {}, algebra, element)
    letters = result_letters(spec)
    items = tuple(interpreter.at(spec.item, p) for p in interpreter.positions(spec.item, letters))
    shape = tuple(size for _, size in frame(spec, point))
    return Exact(shape, items, _divisors(spec, interpreter, len(items)), places, interpreter)


def divisors(spec: LossSpec, point: Point) -> Mapping[str, Any]:
    """What each averaging reduction divides by, as plain numbers: the loss is not worked out."""
    interpreter, _ = _prepared(spec, point, {}, mp, mp.mpf)
    count = math.prod(size for _, size in frame(spec, point))
    found = _divisors(spec, interpreter, count)
    return {name: interpreter.real(value(x)) for name, x in found.items()}


def _divisors(spec: LossSpec, interpreter: Interpreter, count: int) -> dict[str, Any]:
    letters = result_letters(spec)

    def total(expr: Any) -> Any:
        over = tuple(sorted(free_letters(expr), key=letters.index))
        spots = interpreter.positions(spec.item, over)
        return interpreter.total([interpreter.at(expr, p) for p in spots])

    found = {name: total(expr) for name, expr in spec.divisors}
    return {**found, "mean": total(spec.over) if spec.over is not None else count}


def _prepared(
    spec: LossSpec,
    point: Point,
    shift: Mapping[str, Sequence[Any]],
    algebra: Algebra,
    element: Callable[[float], Any],
) -> tuple[Interpreter, dict[str, tuple[Num, ...]]]:
    """The tensors on a tape, and where the elements of those of floats are."""
    shapes = {name: x.shape for name, x in point.tensors.items()}
    sizes = axis_sizes(spec, shapes)
    made: dict[str, Mapping[tuple[int, ...], Any] | None] = {}
    places: dict[str, tuple[Num, ...]] = {}
    interpreter = Interpreter(made, point.options, sizes, spec.axes, algebra)
    for tensor in spec.tensors:
        array = point.tensors.get(tensor.name)
        if array is None:
            made[tensor.name] = None
            continue
        numbers: Numbers = [
            element(x) if isinstance(x, float) else x for x in array.flatten().tolist()
        ]
        if np.issubdtype(array.dtype, np.floating):
            for k, more in enumerate(shift.get(tensor.name, ())):
                numbers[k] += more
            elements = leaves(interpreter.tape, {(k,): x for k, x in enumerate(numbers)})
            numbers = list(elements.values())
            places[tensor.name] = tuple(numbers)
        flat = _flat_shape(tensor, sizes)
        order = np.arange(array.size).reshape(array.shape)
        if tensor.broadcast:
            order = np.broadcast_to(order, _full_shape(spec, tensor, shapes))
        index = order.reshape(flat).flatten().tolist()
        spots = itertools.product(*map(range, flat))
        made[tensor.name] = {spot: numbers[k] for spot, k in zip(spots, index, strict=True)}
    return interpreter, places


def frame(spec: LossSpec, point: Point) -> list[tuple[str, int]]:
    """The dimensions of the unreduced loss: label and size; no label where neighbours are read.

    The labels are those of ``lossgen.verify.slicing``.
    """
    shapes = {name: x.shape for name, x in point.tensors.items()}
    sizes = axis_sizes(spec, shapes)
    found: list[tuple[str, int]] = []
    for letter in result_letters(spec):
        axis = spec.axes[letter]
        count = max(0, sizes[axis] - sum(extent(spec.item, letter)))
        if count != sizes[axis] or axis.name not in "se":
            found.append((str(axis.name) if count == sizes[axis] else "", count))
            continue
        owner = next(
            t for t in spec.tensors if axis in t.axes and not t.broadcast and t.name in shapes
        )
        ragged = _ragged(owner, shapes[owner.name])
        found += [(f"{axis}{k}", size) for k, size in enumerate(ragged)]
    return found


def _ragged(tensor: TensorArg, shape: tuple[int, ...]) -> tuple[int, ...]:
    assert tensor.ragged is not None
    width = len(shape) - len(tensor.axes) + 1
    return shape[tensor.ragged : tensor.ragged + width]


def axis_sizes(spec: LossSpec, shapes: Mapping[str, tuple[int, ...]]) -> dict[Letter, int]:
    """The size of every axis, the dimensions of a ragged one taken together."""
    sizes: dict[Letter, int] = {}
    for tensor in spec.tensors:
        shape = shapes.get(tensor.name)
        if shape is None or tensor.broadcast:
            continue
        dims = iter(shape)
        for axis in tensor.axes:
            width = len(shape) - len(tensor.axes) + 1 if axis.name in "se" else 1
            sizes[axis] = math.prod(next(dims) for _ in range(width))
    return sizes


def _flat_shape(tensor: TensorArg, sizes: Mapping[Letter, int]) -> tuple[int, ...]:
    return tuple(sizes[axis] for axis in tensor.axes)


def _full_shape(
    spec: LossSpec, tensor: TensorArg, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    lead = next(
        t for t in spec.tensors if t.axes == tensor.axes and not t.broadcast and t.name in shapes
    )
    return shapes[lead.name]


def curvature(
    spec: LossSpec, point: Point, direction: Mapping[str, Array], reduction: str
) -> dict[str, Numbers] | None:
    """The second derivative along a direction; None where the two sides differ (a kink)."""
    sides = []
    for sign in (1, -1):
        shift = {k: [sign * STEP * mp.mpf(float(x)) for x in d.flat] for k, d in direction.items()}
        sides.append(evaluate(spec, point, shift).gradient(reduction))
    here = evaluate(spec, point).gradient(reduction)
    result: dict[str, Numbers] = {}
    for name, middle in here.items():
        up, down = sides[0][name], sides[1][name]
        result[name] = []
        for m, u, d in zip(middle, up, down, strict=True):
            right, left = (u - m) / STEP, (m - d) / STEP
            apart = abs(right - left) > mp.mpf("1e-15") * (1 + abs(right))
            if not mp.isfinite(right) or apart or abs(right) > JUMP:
                return None
            result[name].append((right + left) / 2)
    return result
