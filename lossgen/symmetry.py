"""What a formula implies about its axes, read off the formula itself.

In: a spec. Out: the axes whose positions it does not tell apart, with the positions that it names
and the tensors that hold positions (class labels); and whether its items are independent along an
axis, so that a batch may be split. What is not shown is not claimed: a letter used as a number, a
neighbour (``x[h + 1]``), an order (``m <= k``) tell positions apart.

    softmax focal loss:   n alike, s alike, c alike if the labels are renamed with it
    total variation:      n alike; along h and w neighbours are compared
    generalised Dice with a background:  c alike but for class 0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, walk
from lossgen.spec import LossSpec
from lossgen.subscripts import result_letters
from lossgen.testsamples import indexed_axis


@dataclass(frozen=True)
class Alike:
    """An axis whose positions are alike.

    Attributes:
        named: positions that the formula names all the same, as numbers or by an option.
        holders: the tensors that hold positions of it.
    """

    axis: Letter
    named: frozenset[int | str]
    holders: frozenset[str]

    def free(self, options: Mapping[str, Any], size: int) -> list[int]:
        """The positions that may be exchanged at such options."""
        fixed = {options[x] if isinstance(x, str) else x for x in self.named}
        return [k for k in range(size) if k not in fixed]


class _Apart(Exception):
    """The formula tells positions of the axis apart."""


def alike(spec: LossSpec) -> dict[str, Alike]:
    """The axes whose positions the formula does not tell apart, by name."""
    found = {}
    for axis in _axes(spec):
        reader = _Reader(spec, axis)
        try:
            for expr in _formulas(spec):
                reader.number(expr)
        except _Apart:
            continue
        found[str(axis.name)] = Alike(axis, frozenset(reader.named), frozenset(reader.holders))
    return found


def separable(spec: LossSpec, axis: Letter) -> bool:
    """Whether each item depends on its own position of an axis alone, and divisors add up."""
    letters = [x for x in result_letters(spec) if spec.axes[x] == axis]
    if len(letters) != 1 or _names_size(spec.item, axis):
        return False
    if spec.over is not None and letters[0] not in nd.free_letters(spec.over):
        return False
    try:
        for expr in _formulas(spec):
            _local(spec, expr, axis, letters[0])
    except _Apart:
        return False
    return True


def coupled(spec: LossSpec, axis: Letter) -> bool:
    """Whether the formula compares positions of an axis with one another."""
    return len({x for x, over in spec.axes.items() if over == axis}) > 1


def _axes(spec: LossSpec) -> list[Letter]:
    axes = dict.fromkeys(axis for t in spec.tensors for axis in t.axes)
    return [axis for axis in axes if not axis.name.isdigit()]


def _formulas(spec: LossSpec) -> list[sp.Basic]:
    over = [spec.over] if spec.over is not None else []
    return [spec.item, *over, *(divisor for _, divisor in spec.divisors)]


def _names_size(expr: sp.Basic, axis: Letter) -> bool:
    return any(isinstance(x, nd.Size) and x.letter == axis for x in walk(expr))


@dataclass
class _Reader:
    """Reads a formula for one axis; raises ``_Apart`` where a position counts as such."""

    spec: LossSpec
    axis: Letter
    named: set[int | str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        name = str(self.axis.name)
        self._labels = {
            t.name
            for t in self.spec.tensors
            if t.role.kind == "integer" and indexed_axis(self.spec, t) == name
        }

    def number(self, expr: sp.Basic) -> None:
        """An expression whose value counts: no position of the axis may be one."""
        if self._is_letter(expr) or (isinstance(expr, nd.Read) and expr.name in self._labels):
            raise _Apart
        if isinstance(expr, nd.Read):
            self._read(expr)
        elif isinstance(expr, nd.Let):
            self._arguments(expr)
            self.number(expr.body)
        elif isinstance(expr, nd.Reduce):
            for part in (expr.body, expr.where, expr.empty):
                self.number(part)
        elif isinstance(expr, nd.Along):
            self.number(expr.body)
            self._subscript(expr.position, self._over(expr.letter))
        elif isinstance(expr, nd.Compare) and expr.op in ("==", "!=") and self._positional(expr):
            self.place(expr.left)
            self.place(expr.right)
        elif not isinstance(expr, (nd.Size, Letter)):
            for part in expr.args:
                self.number(part)

    def place(self, expr: sp.Basic) -> None:
        """An expression that stands for a position of the axis, and is used as nothing else."""
        if self._is_letter(expr):
            return
        if isinstance(expr, nd.Read) and expr.name in self._labels:
            self.holders.add(expr.name)
            self._read(expr)
        elif isinstance(expr, nd.Where):
            self.number(expr.args[0])
            self.place(expr.args[1])
            self.place(expr.args[2])
        elif isinstance(expr, nd.Let):
            self._arguments(expr)
            self.place(expr.body)
        elif isinstance(expr, sp.Integer):
            self.named.add(int(expr))
        elif isinstance(expr, nd.Param):
            self.named.add(str(expr.name))
        else:
            raise _Apart

    def _read(self, expr: nd.Read) -> None:
        for part, axis in zip(expr.subscripts, self.spec.tensor(expr.name).axes, strict=True):
            self._subscript(part, axis == self.axis)

    def _arguments(self, expr: nd.Let) -> None:
        for param, part in zip(expr.params, expr.at, strict=True):
            self._subscript(part, self._over(param))

    def _subscript(self, expr: sp.Basic, ours: bool) -> None:
        if ours:
            self.place(expr)
        elif not isinstance(expr, Letter):
            self.number(expr)

    def _is_letter(self, expr: sp.Basic) -> bool:
        return isinstance(expr, Letter) and self._over(expr)

    def _over(self, letter: Letter) -> bool:
        return bool(self.spec.axes[letter] == self.axis)

    def _positional(self, expr: nd.Compare) -> bool:
        return any(self._holds_place(side) for side in (expr.left, expr.right))

    def _holds_place(self, expr: sp.Basic) -> bool:
        """Whether an expression is a position of the axis rather than a number made otherwise."""
        if isinstance(expr, nd.Let):
            return self._holds_place(expr.body)
        if isinstance(expr, nd.Where):
            return any(self._holds_place(x) for x in expr.args[1:])
        return self._is_letter(expr) or (isinstance(expr, nd.Read) and expr.name in self._labels)


def _local(spec: LossSpec, expr: sp.Basic, axis: Letter, here: Letter) -> None:
    """Refuse what reads the axis at another position than ``here``, or all of it."""
    if isinstance(expr, Letter):
        if spec.axes[expr] == axis:
            raise _Apart
        return
    if isinstance(expr, nd.Size):
        return
    if isinstance(expr, nd.Read):
        pairs = zip(expr.subscripts, spec.tensor(expr.name).axes, strict=True)
        for part, over in pairs:
            _at(spec, part, over == axis, axis, here)
        return
    if isinstance(expr, nd.Let):
        inner = here
        for param, part in zip(expr.params, expr.at, strict=True):
            ours = spec.axes[param] == axis
            _at(spec, part, ours, axis, here)
            inner = param if ours else inner
        _local(spec, expr.body, axis, inner)
        return
    for letter in _bound(expr):
        if spec.axes[letter] == axis:
            raise _Apart
    if isinstance(expr, nd.Reduce):
        parts: Iterator[sp.Basic] = iter((expr.body, expr.where, expr.empty))
    elif isinstance(expr, nd.Along):
        _local(spec, expr.body, axis, here)
        parts = iter(() if isinstance(expr.position, Letter) else (expr.position,))
    else:
        parts = iter(expr.args)
    for part in parts:
        _local(spec, part, axis, here)


def _at(spec: LossSpec, part: sp.Basic, ours: bool, axis: Letter, here: Letter) -> None:
    if ours and part != here:
        raise _Apart
    if not isinstance(part, Letter):
        _local(spec, part, axis, here)


def _bound(expr: sp.Basic) -> tuple[Letter, ...]:
    if isinstance(expr, nd.Reduce):
        return tuple(expr.bound)
    return (expr.letter,) if isinstance(expr, nd.Along) else ()


def moves(item: sp.Basic) -> bool:
    """Whether a loss certainly reads a tensor, its options given."""
    masks = (x.where for x in walk(item) if isinstance(x, nd.Reduce))
    if any(x is not nd.TRUE and nd.is_static(x) for x in masks):
        return False  # nothing, as the options may be
    return any(isinstance(x, nd.Read) for x in walk(item))
