"""Tensors of a point along one axis of the formula: shorter, or in another order.

In: a spec, a ``Point``, and the label of a dimension: the letter of its axis, numbered where the
axis stands for several dimensions (``n``, ``c``, ``s0``). Out: the point with all its tensors
changed together, so that shapes keep fitting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lossgen.spec import LossSpec, TensorArg
from lossgen.verify.point import Array, Point


def labels(spec: LossSpec, point: Point, tensor: TensorArg) -> list[str]:
    """A label for each dimension of a tensor; equal labels are cut together."""
    array = point.tensors[tensor.name]
    if tensor.broadcast:
        lead = next(t for t in spec.tensors if not t.broadcast)
        whole = labels(spec, point, lead)[-array.ndim :] if array.ndim else []
        full = point.tensors[lead.name].shape[-array.ndim :] if array.ndim else ()
        return [x if a == b else "" for x, a, b in zip(whole, array.shape, full, strict=True)]
    extra = array.ndim - len(tensor.axes) + 1
    found: list[str] = []
    for axis in tensor.axes:
        found += [f"{axis}{k}" for k in range(extra)] if axis.name in "se" else [axis.name]
    return found


def extents(spec: LossSpec, point: Point) -> dict[str, int]:
    """The length of every axis that may be cut."""
    found: dict[str, int] = {}
    for tensor in spec.tensors:
        if tensor.name in point.tensors:
            shape = point.tensors[tensor.name].shape
            for label, size in zip(labels(spec, point, tensor), shape, strict=True):
                if label and not label.isdigit():
                    found[label] = size
    return found


def taken(spec: LossSpec, point: Point, label: str, places: Sequence[int]) -> Point:
    """The point with some positions of an axis, in that order."""
    changed = dict(point.tensors)
    for tensor in spec.tensors:
        if tensor.name in changed:
            for dim in dims(spec, point, tensor, label):
                changed[tensor.name] = np.take(changed[tensor.name], places, axis=dim)
    return Point(changed, point.options, point.label)


def dims(spec: LossSpec, point: Point, tensor: TensorArg, label: str) -> list[int]:
    """The dimensions of a tensor that have a label."""
    return [k for k, name in enumerate(labels(spec, point, tensor)) if name == label]


def cut(spec: LossSpec, point: Point, label: str, keep: Sequence[int]) -> Point:
    """The point with only some positions of an axis; labels beyond the classes come inside."""
    shorter = taken(spec, point, label, keep)
    if label in ("c", "d") and any(x.name == label for x in spec.axes.values()):
        for tensor in spec.tensors:
            if tensor.role.kind == "integer" and tensor.name in shorter.tensors:
                array = shorter.tensors[tensor.name]
                inside = np.where((array >= len(keep)) & ~_marked(point, array), 0, array)
                shorter = shorter.with_tensor(tensor.name, inside)
    return shorter


def reordered(
    spec: LossSpec, point: Point, label: str, order: Sequence[int], holders: Iterable[str]
) -> Point:
    """The point with an axis in another order, and the tensors that name its positions renamed.

    Args:
        order: at each place, the position that comes there.
        holders: the tensors that hold positions of the axis, such as class labels.
    """
    changed = taken(spec, point, label, order)
    place = np.argsort(np.asarray(order))
    for name in holders:
        if name in changed.tensors:
            array = changed.tensors[name]
            inside = (array >= 0) & (array < len(order))
            named = place[np.where(inside, array, 0)]
            changed = changed.with_tensor(name, np.where(inside, named, array))
    return changed


def _marked(point: Point, array: Array) -> Any:
    """Where an index is one of the options (``ignore_index``), not a class."""
    markers = [v for k, v in point.options.items() if "index" in k and isinstance(v, int)]
    return np.isin(array, markers) if markers else np.zeros(array.shape, dtype=bool)
