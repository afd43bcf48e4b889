"""What a spec's body sees as a tensor: something that can only be read at subscripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import sympy as sp

from lossgen.nodes import (
    Given,
    Let,
    Letter,
    Param,
    Read,
    Reduce,
    Size,
    Unknown,
    Where,
    word,
)
from lossgen.notation import plain
from lossgen.roles import Kind
from lossgen.spec.data import TensorArg

# Called with a message, a hint, and the line where the tensor is read.
Complain = Callable[[str, str, int], None]


class TensorHandle:
    """A tensor by name. ``handle[n, c]`` is one element of it, or the neutral value if absent.

    A wrong subscript is complained of, and something near it read instead, so that one run finds
    every fault.
    """

    __iter__ = None  # a class with __getitem__ counts as iterable otherwise

    def __init__(
        self,
        tensor: TensorArg,
        kinds: Mapping[str, Kind],
        paths: Mapping[str, Any],
        complain: Complain,
    ) -> None:
        self.name = tensor.name
        self._tensor, self._kinds, self._paths, self._complain = tensor, kinds, paths, complain

    def __getitem__(self, subscripts: Any) -> sp.Expr:
        places = subscripts if isinstance(subscripts, tuple) else (subscripts,)
        axes = self._tensor.axes
        if len(places) != len(axes):
            plural = "axis" if len(axes) == 1 else "axes"
            text = f"'{self.name}' has {len(axes)} {plural} [{self._shown()}]"
            self._fault(f"{text} and is read with {len(places)}", f"write {self._example()}")
            places = (*places, *axes[len(places) :])[: len(axes)]
        return self.read(tuple(self._place(x, axis) for x, axis in zip(places, axes, strict=True)))

    def read(self, places: tuple[Any, ...]) -> sp.Expr:
        """The element at subscripts that are known to be right."""
        element = Read(word(self.name), *places)
        neutral = self._tensor.role.neutral
        if not self._tensor.optional or neutral is None:
            return element
        return Where(Given(word(self.name)), element, sp.sympify(neutral))

    def _place(self, place: Any, axis: Letter) -> Any:
        """A subscript, if it can be one; else the axis itself."""
        if isinstance(place, TensorHandle):
            place = place._unsubscripted()
        if isinstance(place, int) and not isinstance(place, bool):
            place = sp.Integer(place)
        size = int(axis.name) if axis.name.isdigit() else None
        at = plain(place) if isinstance(place, sp.Basic) else place
        shown = f"'{self.name}' is read at {at}"
        if not isinstance(place, sp.Expr) or not is_index(place, self._kinds):
            hint = "a position is a letter, an integer, or an element of an integer tensor"
            self._fault(f"{shown}, which is no position", hint)
        elif place.is_Integer and place < 0:
            self._fault(shown, "positions count from 0")
        elif place.is_Integer and size is not None and place >= size:
            self._fault(f"{shown}, and its axis has {size} positions", f"the last is {size - 1}")
        else:
            return place
        return axis

    def _fault(self, message: str, hint: str) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename not in self._paths:
            frame = frame.f_back
        self._complain(message, hint, 0 if frame is None else frame.f_lineno)

    def _shown(self) -> str:
        return ", ".join(map(str, self._tensor.axes))

    def _example(self) -> str:
        return f"{self.name}[{self._shown()}]"

    def _unsubscripted(self) -> sp.Expr:
        hint = f"write {self._example()}"
        self._fault(f"tensor '{self.name}' is read without letters", hint)
        return self.read(self._tensor.axes)

    # SymPy asks for this wherever a handle meets an expression.
    _sympy_ = _unsubscripted

    def __add__(self, other: Any) -> Any:
        return self._unsubscripted() + other

    def __radd__(self, other: Any) -> Any:
        return other + self._unsubscripted()

    def __sub__(self, other: Any) -> Any:
        return self._unsubscripted() - other

    def __rsub__(self, other: Any) -> Any:
        return other - self._unsubscripted()

    def __mul__(self, other: Any) -> Any:
        return self._unsubscripted() * other

    def __rmul__(self, other: Any) -> Any:
        return other * self._unsubscripted()

    def __truediv__(self, other: Any) -> Any:
        return self._unsubscripted() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._unsubscripted()

    def __pow__(self, other: Any) -> Any:
        return self._unsubscripted() ** other

    def __rpow__(self, other: Any) -> Any:
        return other ** self._unsubscripted()

    def __neg__(self) -> Any:
        return -self._unsubscripted()


def is_index(place: sp.Basic, kinds: Mapping[str, Kind]) -> bool:
    """Whether an expression is an integer wherever it is computed."""
    if isinstance(place, (Letter, sp.Integer, Size, Unknown)):
        return True
    if isinstance(place, (Read, Param)):
        return kinds.get(place.name) == "integer"
    if isinstance(place, Let):
        return is_index(place.body, kinds)
    if isinstance(place, Reduce):
        whole = place.op in ("sum", "amax", "amin") and is_index(place.body, kinds)
        return place.op == "count" or whole
    parts = place.args[1:] if isinstance(place, Where) else place.args
    return isinstance(place, (Where, sp.Add, sp.Mul)) and all(is_index(x, kinds) for x in parts)
