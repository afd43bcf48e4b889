"""One ordinary call of any generated loss, drawn from what its spec says of every argument."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lossgen.spec import LossSpec, TensorArg, constructor_tensor, load_spec
from tests import generated_modules

SPECS = generated_modules.GENERATED.parent / "specs"
# Pairwise different, so that a mistaken axis cannot pass; `s` and `e` stand for several dimensions.
SIZES: dict[str, tuple[int, ...]] = {
    "n": (4,),
    "c": (3,),
    "d": (5,),
    "t": (6,),
    "h": (7,),
    "w": (2,),
    "s": (2, 7),
    "e": (4, 3),
}


@dataclass(frozen=True)
class Sample:
    """A loss with one set of tensors: `floats` are the names that can carry a gradient."""

    name: str
    spec: LossSpec
    tensors: dict[str, Tensor]

    @property
    def module(self) -> ModuleType:
        return generated_modules.load(self.name)

    @property
    def functional(self) -> Callable[..., Tensor]:
        return generated_modules.functional(self.name)

    @property
    def plain(self) -> Callable[..., Tensor]:
        """The function style, which autograd differentiates."""
        function: Callable[..., Tensor] = getattr(self.module, self.spec.function_name)
        return function

    @property
    def floats(self) -> list[str]:
        return [key for key, tensor in self.tensors.items() if tensor.is_floating_point()]

    def leaves(self, keys: list[str] | None = None) -> dict[str, Tensor]:
        """Fresh copies of all tensors; the named floats (by default all) require a gradient."""
        wanted = self.floats if keys is None else keys
        return {
            key: tensor.clone().requires_grad_(key in wanted)
            for key, tensor in self.tensors.items()
        }

    def constructor(self) -> dict[str, Tensor]:
        """The tensors that the class form takes when it is built."""
        held = {
            t.name for t in self.spec.tensors if constructor_tensor(t, self.spec.forward_weights)
        }
        return {key: tensor for key, tensor in self.tensors.items() if key in held}

    def forward(self) -> dict[str, Tensor]:
        """The tensors of a call of the class form."""
        held = self.constructor()
        return {key: tensor for key, tensor in self.tensors.items() if key not in held}


def _axis_sizes(tensor: TensorArg) -> tuple[int, ...]:
    sizes: tuple[int, ...] = ()
    for axis in tensor.axes:
        sizes += (int(axis.name),) if axis.name.isdigit() else SIZES[axis.name]
    return sizes


def _values(tensor: TensorArg, spec: LossSpec, generator: torch.Generator) -> Tensor:
    """Numbers of the role, away from the ends of its domain."""
    shape = _axis_sizes(tensor)
    draw = torch.rand(shape, generator=generator, dtype=torch.float64)
    match tensor.role.name:
        case "ClassIndex":
            classes = any(axis.name == "c" for t in spec.tensors for axis in t.axes)
            return torch.randint(SIZES["c"][0] if classes else 2, shape, generator=generator)
        case "LabelList":
            order = torch.argsort(draw, dim=-1)
            return torch.where(order == 0, -1, order)
        case "Mask":
            return draw > 0.3
        case "Sign":
            return torch.where(draw > 0.5, 1.0, -1.0).double()
        case "Binary":
            return (draw > 0.5).double()
        case "Boxes":
            near = draw[..., :2]
            return torch.cat([near, near + 0.5 + draw[..., 2:]], dim=-1)
        case "Probabilities":
            return 0.1 + 0.8 * draw
        case "LogProbabilities":
            return -0.2 - 2 * draw
        case "Positive" | "NonNegative" | "Weight":
            return 0.4 + 1.5 * draw
        case "Learnable":
            return 0.2 + 0.8 * draw
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@functools.cache
def sample(name: str, optional: bool = True) -> Sample:
    """The call, with or without the optional tensors."""
    generator = torch.Generator().manual_seed(5)
    spec = load_spec(SPECS / f"{name}.py")
    chosen = [tensor for tensor in spec.tensors if optional or not tensor.optional]
    order = [key for key in spec.signature if key != "*"]
    chosen.sort(key=lambda tensor: order.index(tensor.name))
    tensors = {tensor.name: _values(tensor, spec, generator) for tensor in chosen}
    return Sample(name, spec, tensors)


def bound(
    drawn: Sample, function: Callable[..., Tensor], keys: list[str], **options: Any
) -> Callable[..., Tensor]:
    """The function of the named tensors alone, in order; all else is held."""

    def call(*values: Tensor) -> Tensor:
        return function(**{**drawn.tensors, **dict(zip(keys, values, strict=True))}, **options)

    return call


def gradients(
    value: Tensor, leaves: list[Tensor], upstream: Tensor | None = None, **options: Any
) -> list[Tensor]:
    """Gradients with zeros where there is none, as functorch has them."""
    found = torch.autograd.grad(value, leaves, upstream, allow_unused=True, **options)
    pairs = zip(found, leaves, strict=True)
    return [torch.zeros_like(leaf) if grad is None else grad for grad, leaf in pairs]


def expected(drawn: Sample) -> tuple[Tensor, list[Tensor]]:
    """The plain function's value and autograd's gradients of it."""
    leaves = drawn.leaves()
    value = drawn.plain(**leaves)
    return value.detach(), gradients(value, [leaves[key] for key in drawn.floats])


def close(ours: Any, theirs: Any) -> None:
    """Equal to rounding in double precision."""
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
