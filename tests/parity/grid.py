"""Cases that torch's own samples leave out: options crossed, odd shapes, saturation, ties, nothing.

`CASES` maps a loss to its cases. Every tensor is float64 or int64 and small, and no two sizes of a
case are equal, so that a wrong axis or a wrong count cannot pass.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from tests.parity.losses import Case, parameters

REDUCTIONS = ("none", "mean", "sum")
Cases = Iterator[Case]


def reals(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Tensor:
    """Uniform numbers, the same for the same arguments."""
    generator = torch.Generator().manual_seed(1000 * seed + 17 * len(shape) + sum(shape))
    draw = torch.rand(shape, generator=generator, dtype=torch.float64)
    return low + (high - low) * draw


def labels(classes: int, *shape: int, seed: int = 0) -> Tensor:
    """Uniform class indices."""
    generator = torch.Generator().manual_seed(1000 * seed + 31 * classes + sum(shape))
    return torch.randint(classes, shape, generator=generator)


def numbers(*values: float) -> Tensor:
    """The values as they are."""
    return torch.tensor(values, dtype=torch.float64)


def case(loss: str, note: str, *tensors: Tensor, **options: Any) -> Case:
    """A case whose positional tensors take torch's first arguments; more tensors by keyword."""
    named = dict(zip(parameters(loss), tensors, strict=False))
    named |= {key: value for key, value in options.items() if isinstance(value, Tensor)}
    rest = {key: value for key, value in options.items() if not isinstance(value, Tensor)}
    parts = [note, *(f"{key} {tuple(value.shape)}" for key, value in named.items())]
    parts += [f"{key}={value}" for key, value in rest.items()]
    return Case(loss, ", ".join(parts), named, rest)


def reduced(loss: str, note: str, *tensors: Tensor, **options: Any) -> Cases:
    """The case under each reduction."""
    for reduction in REDUCTIONS:
        yield case(loss, note, *tensors, **options, reduction=reduction)


# Input shapes of a loss over classes: unbatched, plain, one to three trailing dimensions, empty.
CLASS_SHAPES = (
    (3,),
    (4, 3),
    (2, 3, 4),
    (2, 3, 4, 1),
    (2, 3, 1, 4, 2),
    (0, 3),
    (0, 3, 4),
    (2, 3, 0),
)


def _class_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *shape[2:]) if len(shape) > 1 else ()


def _ignoring(target: Tensor, index: int) -> Tensor:
    """The target with every second label ignored, the first kept."""
    flat = target.flatten().clone()
    flat[1::2] = index
    return flat.reshape(target.shape)


def _indexed(loss: str) -> Cases:
    for shape, weighted, ignore in itertools.product(CLASS_SHAPES, (False, True), (-100, 1, -1)):
        target = _ignoring(labels(3, *_class_shape(shape)), ignore)
        options: dict[str, Any] = {"ignore_index": ignore}
        if weighted:
            options["weight"] = reals(3, low=0.2, high=3)
        yield from reduced(loss, "grid", reals(*shape), target, **options)
    yield from reduced(loss, "all ignored", reals(4, 3), torch.full((4,), -100))
    yield from reduced(loss, "weights of zero", reals(2, 3), labels(3, 2), weight=numbers(0, 0, 0))
    yield from reduced(loss, "bytes", reals(4, 3), labels(3, 4).to(torch.uint8))


def cross_entropy() -> Cases:
    yield from _indexed("cross_entropy")
    for shape, weighted, smoothing in itertools.product(CLASS_SHAPES, (False, True), (0.1, 1.0)):
        options: dict[str, Any] = {"label_smoothing": smoothing}
        if weighted:
            options["weight"] = reals(3, low=0.2, high=3)
        for ignore in (-100, 1):
            target = _ignoring(labels(3, *_class_shape(shape)), ignore)
            yield from reduced(
                "cross_entropy", "smoothed", reals(*shape), target, ignore_index=ignore, **options
            )
        share = reals(*shape, low=0, high=1, seed=2)
        yield from reduced("cross_entropy", "shares", reals(*shape), share, **options)
        options.pop("label_smoothing")
        yield from reduced("cross_entropy", "shares", reals(*shape), share, **options)
    yield from reduced(
        "cross_entropy", "all ignored", reals(4, 3), torch.full((4,), -100), label_smoothing=0.2
    )
    for gap in (20.0, 50.0, 100.0, 1e4):
        saturated = numbers(0, gap, -gap, gap, 0, -gap).reshape(2, 3)
        for label in range(3):
            yield case("cross_entropy", f"gap {gap}", saturated, torch.tensor([label, label]))
        soft = numbers(0.2, 0.5, 0.3, 1, 0, 0).reshape(2, 3)
        yield from reduced("cross_entropy", f"gap {gap}", saturated, soft)
    for infinite in (numbers(0, -torch.inf, 1), numbers(0, 0, -torch.inf)):
        yield case("cross_entropy", "impossible class", infinite[None], torch.tensor([0]))


def nll() -> Cases:
    yield from _indexed("nll")


def _weighted_error(loss: str, **options: Any) -> Cases:
    for shape in ((), (3,), (2, 3), (2, 3, 1, 4), (0, 3)):
        pair = (reals(*shape), reals(*shape, seed=1))
        yield from reduced(loss, "plain", *pair, **options)
        yield from reduced(
            loss, "weighted", *pair, weight=reals(*shape, low=0.2, high=3, seed=2), **options
        )
    pair = (reals(2, 3), reals(2, 3, seed=1))
    yield from reduced(loss, "signed weight", *pair, weight=reals(2, 3, seed=4), **options)
    yield from reduced(loss, "no weight", *pair, weight=torch.zeros(2, 3).double(), **options)
    yield from reduced(loss, "whole weight", *pair, weight=labels(5, 2, 3), **options)


def _ties(loss: str, width: float, **options: Any) -> Cases:
    error = numbers(0, width, -width, width / 2, 2 * width, 1e-300, -1e4, 1e4)
    yield from reduced(loss, "ties", error, torch.zeros(8).double(), **options)
    yield from reduced(loss, "ties", error + 3, torch.full((8,), 3.0).double(), **options)


def l1() -> Cases:
    yield from _weighted_error("l1")
    yield from _ties("l1", 1.0)


def mse() -> Cases:
    yield from _weighted_error("mse")
    yield from _ties("mse", 1.0)


def huber() -> Cases:
    for delta in (1.0, 0.25):
        yield from _weighted_error("huber", delta=delta)
        yield from _ties("huber", delta, delta=delta)


def smooth_l1() -> Cases:
    for beta in (0.0, 0, 0.25, 1.0, 5):
        yield from _ties("smooth_l1", float(beta), beta=beta)
        yield from reduced("smooth_l1", "grid", reals(2, 3), reals(2, 3, seed=1), beta=beta)
    yield from reduced("smooth_l1", "empty", reals(0, 3), reals(0, 3))


SATURATED = (-1e4, -100.0, -50.0, -20.0, -1e-8, 0.0, 1e-8, 20.0, 50.0, 100.0, 1e4)


def _against(targets: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Every saturated input against every target."""
    pairs = list(itertools.product(SATURATED, targets))
    return numbers(*(x for x, _ in pairs)), numbers(*(t for _, t in pairs))


def soft_margin() -> Cases:
    yield from reduced("soft_margin", "saturated", *_against((-1.0, 1.0, 0.3)))
    for shape in ((), (2, 3, 4), (0, 3)):
        yield from reduced("soft_margin", "grid", reals(*shape), reals(*shape, seed=1).sign())


def binary_cross_entropy() -> Cases:
    pairs = list(
        itertools.product((0.0, 1.0, 0.5, 1e-3, 1 - 1e-3, 1e-9, 1 - 1e-9), (0.0, 1.0, 0.3))
    )
    edge = numbers(*(p for p, _ in pairs)), numbers(*(t for _, t in pairs))
    yield from reduced("binary_cross_entropy", "edges", *edge)
    yield from reduced("binary_cross_entropy", "edges", *edge, weight=reals(21))
    pair = reals(2, 3, low=0.1, high=0.9), reals(2, 3, low=0, high=1, seed=1)
    for shape in ((), (1,), (3,), (2, 1), (1, 3), (2, 3)):
        yield from reduced("binary_cross_entropy", "grid", *pair, weight=reals(*shape, seed=2))
    for shape in ((), (0, 3)):
        empty = reals(*shape, low=0.1, high=0.9), reals(*shape, low=0, high=1, seed=1)
        yield from reduced("binary_cross_entropy", "grid", *empty)


def binary_cross_entropy_with_logits() -> Cases:
    loss = "binary_cross_entropy_with_logits"
    yield from reduced(loss, "saturated", *_against((0.0, 1.0, 0.3)))
    yield from reduced(loss, "saturated", *_against((0.0, 1.0, 0.3)), pos_weight=reals(33, low=0))
    pair = reals(2, 3), reals(2, 3, low=0, high=1, seed=1)
    for shape, positive in itertools.product(((), (3,), (2, 1), (1, 3), (2, 3)), repeat=2):
        yield from reduced(
            loss,
            "grid",
            *pair,
            weight=reals(*shape, seed=2),
            pos_weight=reals(*positive, low=0.1, high=4, seed=3),
        )
    for shape in ((), (0, 3), (2, 3, 1, 4)):
        yield from reduced(loss, "grid", reals(*shape), reals(*shape, low=0, high=1, seed=1))


def registry() -> dict[str, Callable[[], Cases]]:
    """The generators of this file, by loss."""
    own = (
        cross_entropy,
        nll,
        l1,
        mse,
        huber,
        smooth_l1,
        soft_margin,
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
    )
    return {function.__name__: function for function in own}


@functools.cache
def grid_cases(loss: str) -> tuple[Case, ...]:
    """All cases of a loss, from this file or from the margins' one."""
    from tests.parity import margins

    return tuple({**registry(), **margins.registry()}[loss]())
