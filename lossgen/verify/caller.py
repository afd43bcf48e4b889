"""Calls the code at a point of the formula, and takes what comes back apart.

In: a ``Question`` and a ``Point``. Out: an ``Outcome``: value, shape, gradients in the formula's
terms. What the code raises becomes a ``CallFailed`` with its text; nothing of the code is changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossgen.spec import LossSpec
from lossgen.verify.adapters import apply, class_axis
from lossgen.verify.answer import taken
from lossgen.verify.packing import packed, whole
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.target import Argument, raised

Dtypes = torch.dtype | Mapping[str, torch.dtype]


class CallFailed(Exception):
    """The code raised, or what it gave back is no loss.

    Attributes:
        stage: forward or backward.
        refusal: whether it was raised on purpose, as a check of arguments is.
    """

    def __init__(self, message: str, stage: str = "forward", *, refusal: bool = False) -> None:
        super().__init__(message)
        self.stage, self.refusal = stage, refusal


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came back.

    Attributes:
        value: the result, flat.
        shape: of the result.
        gradients: for each float tensor its gradient, flat; None where none flows.
        attached: whether the result carries a gradient at all.
    """

    value: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    gradients: Mapping[str, tuple[float, ...] | None]
    attached: bool = True


@dataclass
class _Arguments:
    """Arguments of a constructor and of a call, and what is put in place of parameters."""

    init: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    positional: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> _Arguments:
        return _Arguments({**self.init}, {**self.held}, [*self.positional], {**self.named})

    def keyword(self, stage: str, name: str, value: Any) -> None:
        {"init": self.init, "held": self.held}.get(stage, self.named)[name] = value

    def add(self, argument: Argument, value: Any) -> None:
        if argument.positional and argument.stage == "call":
            self.positional.append(value)
        else:
            self.keyword(argument.stage, argument.name, value)


# What breaks rather than refuses.
_BROKEN = (RuntimeError, ArithmeticError, LookupError, AttributeError, NameError, MemoryError)


def upstream(count: int) -> tuple[float, ...]:
    """Weights without symmetry: both signs, none 0 or 1, exact in half precision."""
    return tuple(((7 * k + 5) % 17 - 8.5) / 8 for k in range(count))


def predicted(spec: LossSpec) -> frozenset[str]:
    """The tensors that training differentiates by: of floats, and neither weights nor labels.

    Where every tensor is called like a label, all of them.
    """
    floats = {
        t.name
        for t in spec.tensors
        if t.role.kind == "real" and t.role.name not in ("Weight", "Binary", "Sign")
    }
    return frozenset(floats - _LABELS or floats)


_LABELS = {"target", "targets", "label", "labels", "teacher", "reference"}


class Caller:
    """Calls one target."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.spec = question.spec
        first = self.spec.tensors[0]
        self._class_places = {t.name: class_axis(self.spec, t) for t in self.spec.tensors}
        self._class_owner = next(
            (
                t
                for t in self.spec.tensors
                if any(a.name in "cd" for a in t.axes) and len(t.axes) > 1
            ),
            first,
        )

    def leaves(
        self, point: Point, dtype: Dtypes = torch.float64, *, grad: bool = True
    ) -> dict[str, Tensor]:
        """The point's tensors in torch, asking for gradients where the role lets them."""
        made = {}
        for name, array in point.tensors.items():
            if name not in self.question.matching.taken:
                continue
            tensor = torch.tensor(np.ascontiguousarray(array).reshape(array.shape))
            if tensor.is_floating_point():
                wanted = dtype if isinstance(dtype, torch.dtype) else dtype.get(name, torch.float64)
                tensor = tensor.to(wanted)
                if grad and name in self.asked:
                    tensor.requires_grad_()
            made[name] = tensor
        return made

    @property
    def asked(self) -> frozenset[str]:
        """The tensors whose gradient is asked for: weights and labels are given, not learnt."""
        return predicted(self.spec) | self.question.also

    def function(
        self, point: Point, reduction: str, prepare: Callable[[Any], None] | None = None
    ) -> Callable[..., Tensor]:
        """The code as a function of the formula's tensors alone, in the point's order.

        Of a class one instance is made, unless its constructor takes one of the tensors.
        ``prepare`` is given each object before it is called.
        """
        matching = self.question.matching
        present = [x for x in point.tensors if x in matching.taken]
        fixed = self._fixed(point, reduction)
        target, owner = self.question.target, None
        if all(matching.taken[name].stage != "init" for name in present):
            with suppress(Exception):  # it is raised again where it is called
                owner = target.owner(fixed.init)

        def call(*tensors: Tensor) -> Tensor:
            arguments = fixed.copy()
            given = self.given(dict(zip(present, tensors, strict=True)))
            for argument, value in whole(matching.taken, given, packed):
                arguments.add(argument, value)
            made = target.owner(arguments.init) if owner is None else owner
            if prepare is not None:
                prepare(made)
            function = target.called_of(made, arguments.held)
            return self._taken(function(*arguments.positional, **arguments.named))

        return call

    def _fixed(self, point: Point, reduction: str) -> _Arguments:
        """The arguments that are no tensors of the formula."""
        matching = self.question.matching
        arguments = _Arguments()
        for name, value in point.options.items():
            if name in matching.taken:
                arguments.add(matching.taken[name], value)
        for name, value in matching.extra.items():
            theirs = self.question.target.argument(name)
            arguments.keyword(theirs.stage if theirs else "call", name, value)
        if self.question.passed and matching.reduction is not None:
            arguments.keyword(matching.reduction.stage, "reduction", reduction)
        return arguments

    def result(
        self,
        point: Point,
        leaves: Mapping[str, Tensor],
        reduction: str,
        heard: list[str] | None = None,
        function: Callable[..., Tensor] | None = None,
    ) -> Tensor:
        """Call the code, or ``function`` made of it; what it warns of goes to ``heard``.

        Raises:
            CallFailed: where it raises, or gives back something that is no tensor of floats.
        """
        function = function or self.function(point, reduction)
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                answer = function(*leaves.values())
            if heard is not None:
                heard += [str(w.message) for w in told]
            return answer
        except CallFailed:
            raise
        except _BROKEN as error:
            raise CallFailed(raised(error)) from error
        except Exception as error:
            raise CallFailed(raised(error), refusal=True) from error

    def run(
        self,
        point: Point,
        reduction: str,
        dtype: Dtypes = torch.float64,
        *,
        weights: Sequence[float] | None = None,
        grad: bool = True,
    ) -> Outcome:
        """Value and gradient at a point, the result weighted by ``weights`` (else ``upstream``).

        Raises:
            CallFailed: as ``result``, and where the backward raises.
        """
        leaves = self.leaves(point, dtype, grad=grad)
        result = self.result(point, leaves, reduction)
        gradients: dict[str, tuple[float, ...] | None] = {}
        if grad and result.requires_grad:
            gradients = self._gradients(result, leaves, weights)
        elif grad:
            gradients = {k: None for k, x in leaves.items() if x.requires_grad}
        value = tuple(result.detach().double().flatten().tolist())
        attached = bool(result.requires_grad)
        return Outcome(value, tuple(result.shape), result.dtype, gradients, attached)

    def _gradients(
        self, result: Tensor, leaves: Mapping[str, Tensor], weights: Sequence[float] | None
    ) -> dict[str, tuple[float, ...] | None]:
        floats = {k: x for k, x in leaves.items() if x.requires_grad}
        numbers = weights if weights is not None else self.weights(result.numel())
        seed = torch.tensor(numbers, dtype=torch.float64).to(result.dtype).view(result.shape)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = torch.autograd.grad(result, list(floats.values()), seed, allow_unused=True)
        except Exception as error:
            raise CallFailed(raised(error), "backward") from error
        return {
            k: None if g is None else tuple(g.detach().double().flatten().tolist())
            for k, g in zip(floats, found, strict=True)
        }

    @staticmethod
    def weights(count: int) -> tuple[float, ...]:
        """The weights of a result of so many numbers; a scalar is not weighted by 1 either."""
        return upstream(count)

    def class_place(self, name: str, point: Point) -> tuple[int, int]:
        """The place of the class axis in a tensor, and the number of classes."""
        shapes = {k: x.shape for k, x in point.tensors.items()}
        return self._class_places[name], self._classes(shapes)

    def _classes(self, shapes: Mapping[str, Sequence[int]]) -> int:
        shape = shapes.get(self._class_owner.name, ())
        return int(shape[self._class_places[self._class_owner.name]]) if len(shape) > 1 else 2

    def given(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """The formula's tensors as the code takes them."""
        if not self.question.adapters:
            return tensors
        classes = self._classes({k: x.shape for k, x in tensors.items()})
        return {
            name: apply(self.question.adapters.get(name, ()), x, self._class_places[name], classes)
            for name, x in tensors.items()
        }

    def _taken(self, answer: Any) -> Tensor:
        found = taken(answer, self.question.result)
        if isinstance(found, str):
            raise CallFailed(f"it {found}")
        return found
