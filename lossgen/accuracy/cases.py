"""A case: the tensors of one call as plain numbers, with their shapes, and how it came about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.accuracy.settings import Setting
from lossgen.nodes import Letter
from lossgen.spec import LossSpec, TensorArg
from lossgen.subscripts import result_letters


@dataclass(frozen=True)
class Filled:
    """A tensor's elements in order, and its shape."""

    flat: tuple[Any, ...]
    shape: tuple[int, ...]

    def row(self, place: int, axis: int) -> Filled:
        """One position of an axis, which stays, with size 1."""
        if self.shape[axis] == 1:
            return self
        inner = math.prod(self.shape[axis + 1 :])
        step = inner * self.shape[axis]
        flat = tuple(
            x
            for start in range(place * inner, len(self.flat), step)
            for x in self.flat[start : start + inner]
        )
        shape = (*self.shape[:axis], 1, *self.shape[axis + 1 :])
        return Filled(flat, shape)


@dataclass(frozen=True)
class Case:
    """The tensors of one call.

    Attributes:
        sizes: of the axes, by name.
        labels: how each position came about (one for the whole case where it is no batch of
            positions).
        batch: the axis whose positions are independent points, if it is one.
    """

    spec: LossSpec
    setting: Setting
    tensors: Mapping[str, Filled]
    sizes: Mapping[str, int]
    labels: tuple[str, ...]
    batch: str = ""

    @property
    def count(self) -> int:
        """How many points the case holds."""
        return self.sizes[self.batch] if self.batch else 1

    def row(self, place: int) -> Case:
        """One point of a batch, as a case of its own."""
        if not self.batch:
            return self
        tensors = {}
        for name, filled in self.tensors.items():
            axes = [axis.name for axis in self.spec.tensor(name).axes]
            held = filled.row(place, axes.index(self.batch)) if self.batch in axes else filled
            tensors[name] = held
        sizes = {**self.sizes, self.batch: 1}
        return Case(self.spec, self.setting, tensors, sizes, (self.labels[place],), self.batch)

    @cached_property
    def terms(self) -> int:
        """How many elements a result may be made of."""
        if self.batch:
            return 1
        return max((len(t.flat) for t in self.tensors.values()), default=1)


def pointwise(spec: LossSpec) -> str:
    """The axis of an elementwise loss along which every position is a point; else nothing."""
    whole = sp.Tuple(spec.item, *((spec.over,) if spec.over is not None else ()))
    reads = []
    for node in nodes.walk(whole):
        if isinstance(node, (nodes.Reduce, nodes.Along)):
            return ""
        if isinstance(node, nodes.Read):
            reads.append(node)
    places = {place for read in reads for place in read.subscripts}
    letters = {x for x in places if isinstance(x, Letter)}
    if any(not x.is_Integer for x in places - letters) or not letters:
        return ""
    if len({spec.axes[x] for x in letters}) < len(letters) or letters != set(result_letters(spec)):
        return ""
    axes = [axis.name for t in spec.tensors for axis in t.axes if not axis.name.isdigit()]
    batch = max(dict.fromkeys(axes), key=lambda x: (axes.count(x), axes.index(x)))
    # A tensor without that axis is shared by all positions.
    return batch if all(batch in {a.name for a in t.axes} for t in spec.tensors) else ""


def present(spec: LossSpec, setting: Setting) -> list[TensorArg]:
    """The tensors that are passed."""
    return [t for t in spec.tensors if not t.optional or t.name in setting.present]
