"""A loss as frozen data: its arguments, its formula, its names.

Everything here was checked by ``reading``; later modules rely on it without asking again.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from lossgen.nodes import Letter, Param
from lossgen.roles import Role


@dataclass(frozen=True, slots=True)
class TensorArg:
    """A tensor argument: its role, its axes, and whether it may be absent or broadcast."""

    name: str
    role: Role
    axes: tuple[Letter, ...]
    broadcast: bool = False
    optional: bool = False

    @property
    def ragged(self) -> int | None:
        """The position of the axis that stands for any number of dimensions (``s`` or ``e``)."""
        return next((k for k, axis in enumerate(self.axes) if axis.name in "se"), None)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A scalar option; ``default`` is None when the caller must give it."""

    name: str
    role: Role
    default: float | int | bool | None
    symbol: Param


@dataclass(frozen=True, slots=True)
class InnerCall:
    """A call of an author's function: what its value is named, and the names in each argument."""

    targets: tuple[str, ...]
    arguments: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class InnerFunction:
    """A function that the author wrote for a part of the loss, with its named calls.

    Attributes:
        names: of the parts of it, which the rest of the loss does not have.
    """

    name: str
    parameters: tuple[str, ...]
    summary: str
    names: frozenset[str]
    calls: tuple[InnerCall, ...]


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A validated loss.

    Attributes:
        item: the unreduced loss; its free letters are its shape.
        over: what the mean divides by in place of the count.
        divisors: further reductions by name, each with its divisor.
        axes: the axis letter of every letter used.
        signature, class_signature: argument names in order, ``*`` among them.
        refused: arguments of old that the generated code refuses by name.
        names: the author's names for parts of the formula, in the order of writing.
        functions: the author's functions for parts of it.
        floating: the formula for a floating-point target, if there is one.
    """

    name: str
    summary: str
    description: str
    reference: str
    family: str
    path: str
    line: int
    source_hash: str
    tensors: tuple[TensorArg, ...]
    parameters: tuple[Parameter, ...]
    item: sp.Expr
    over: sp.Expr | None
    divisors: tuple[tuple[str, sp.Expr], ...]
    axes: Mapping[Letter, Letter]
    unbatched: bool
    signature: tuple[str, ...]
    class_signature: tuple[str, ...]
    class_name: str
    functional_name: str
    default_reduction: str
    names: tuple[str, ...] = ()
    functions: tuple[InnerFunction, ...] = ()
    forward_weights: frozenset[str] = frozenset()
    floating: LossSpec | None = None

    def tensor(self, name: str) -> TensorArg:
        """The tensor argument of that name."""
        return next(t for t in self.tensors if t.name == name)

    @property
    def function_name(self) -> str:
        """The function style's name; ``foo_loss`` leaves its own to the functional style."""
        stem = self.name if self.functional_name != self.name else self.name.removesuffix("_loss")
        return f"{stem}_" if keyword.iskeyword(stem) else stem

    @property
    def arguments(self) -> tuple[TensorArg | Parameter, ...]:
        """The tensors, then the options."""
        return (*self.tensors, *self.parameters)

    @property
    def refused(self) -> tuple[str, ...]:
        """Arguments of old, accepted in their place only to be refused by name."""
        known = {a.name for a in self.arguments} | {"*", "reduction"}
        if self.floating is not None:
            known |= {a.name for a in self.floating.arguments}
        return tuple(x for x in self.signature if x not in known)


def constructor_tensor(tensor: TensorArg, forward: frozenset[str]) -> bool:
    """Whether the class form takes a tensor when it is built (weights, learnable parts)."""
    weight = tensor.optional and tensor.role.name == "Weight"
    return (weight or tensor.role.learnable) and tensor.name not in forward
