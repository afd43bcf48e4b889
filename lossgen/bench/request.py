"""What a measurement is asked for, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lossgen.errors import LossgenError, suggest

DTYPES = ("float32", "float64", "bfloat16", "float16")
Sizes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Request:
    """What is measured, and how.

    Attributes:
        sizes: of the axes that are told by name; the others follow from ``elements``.
        elements: about how many elements the largest array has.
        threads: 0 for torch's own choice.
        upstream: the gradient that comes in.
        compiled: whether ``torch.compile`` of the plain function and of the best peer is measured.
        gradients: the tensors whose gradient is taken; empty for the loss's usual ones.
        small: whether the overhead on a small batch is measured too.
        keep: whether the kernels in C are measured with ``keep_gradients`` as well.
    """

    backends: tuple[str, ...]
    sizes: Sizes = field(default_factory=dict)
    elements: int = 2_000_000
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 0
    rounds: int = 15
    upstream: float = 1.0
    compiled: bool = True
    gradients: tuple[str, ...] = ()
    small: bool = True
    keep: bool = False


def sizes_of(told: Sequence[str]) -> tuple[dict[str, tuple[int, ...]], int | None]:
    """``--size``: ``8x19``-like sizes of named axes, or how many elements there are in all.

    Raises:
        LossgenError: where a word is neither.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    elements = None
    for word in (w.strip() for text in told for w in text.split(",")):
        name, equals, value = word.partition("=")
        if not equals and re.fullmatch(r"\d+(\.\d+)?(e\d+)?[kKM]?", word):
            elements = _count(word)
        elif equals and name.isidentifier() and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", value):
            sizes[name] = tuple(map(int, value.split("x")))
        else:
            raise LossgenError(
                f"--size '{word}' is no size. Write axes by name, as in --size n=8,c=19,s=256x256, "
                "or how many elements there are in all, as in --size 16M."
            )
    if elements is not None and elements < 1:
        raise LossgenError("--size must be at least one element.")
    return sizes, elements


def check_axes(told: Sizes, known: Sequence[str], ragged: Sequence[str]) -> None:
    """Refuse sizes of axes that a loss has not.

    Raises:
        LossgenError: naming the axes that there are.
    """
    for name, size in told.items():
        if name not in known:
            hint = suggest(name, known) or f"It has {', '.join(known)}."
            raise LossgenError(f"--size: the loss has no axis '{name}'. {hint}")
        if len(size) > 1 and name not in ragged:
            raise LossgenError(
                f"--size: axis '{name}' is one dimension, not {len(size)}. "
                f"Only {' and '.join(ragged) or 'no axis of this loss'} may have several."
            )


def _count(word: str) -> int:
    factor = {"k": 1_000, "K": 1_000, "M": 1_000_000}.get(word[-1], 1)
    return round(float(word.rstrip("kKM")) * factor)
