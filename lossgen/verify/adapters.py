"""Conventions in which code takes its tensors otherwise than the formula does.

In: the name of a convention, as of ``--pass target=one_hot``. Out: how a tensor of the formula is
turned into what the code takes, and which tensors can be turned so at all. Everything is
differentiable torch, so that a gradient comes back in the formula's terms, and contiguous, as a
model gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lossgen.errors import LossgenError, suggest
from lossgen.spec import LossSpec, TensorArg

if TYPE_CHECKING:
    from torch import Tensor

Domain = Literal["", "binary", "one_hot", "distribution", "tame"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A convention.

    Attributes:
        text: what it does, in words that follow "the code takes NAME".
        domain: which tensors it can be applied to, beyond the role's own domain.
        code: the same as ``apply`` in Python, for a test that stands alone.
        apply: tensor, place of the class axis, number of classes -> what the code takes.
    """

    text: str
    domain: Domain
    code: str
    apply: Callable[[Any, int, int], Any]


def _one_hot(x: Tensor, axis: int, classes: int) -> Tensor:
    import torch

    made = torch.nn.functional.one_hot(x.clamp(0, classes - 1), classes)
    return made.movedim(-1, axis).contiguous()


def _log_sigmoid(x: Tensor) -> Tensor:
    import torch

    return torch.nn.functional.logsigmoid(x)


ADAPTERS: Mapping[str, Adapter] = {
    "sigmoid": Adapter(
        "as probabilities: its sigmoid", "tame", "{x}.sigmoid()", lambda x, a, c: x.sigmoid()
    ),
    "softmax": Adapter(
        "as probabilities: its softmax over the class axis",
        "tame",
        "{x}.softmax({axis})",
        lambda x, a, c: x.softmax(a),
    ),
    "log_softmax": Adapter(
        "as log-probabilities: its log_softmax over the class axis",
        "",
        "{x}.log_softmax({axis})",
        lambda x, a, c: x.log_softmax(a),
    ),
    "log_sigmoid": Adapter(
        "as log-probabilities: its log_sigmoid",
        "",
        "torch.nn.functional.logsigmoid({x})",
        lambda x, a, c: _log_sigmoid(x),
    ),
    "logit": Adapter("as scores: its logit", "tame", "{x}.logit()", lambda x, a, c: x.logit()),
    "exp": Adapter("as its exponential", "tame", "{x}.exp()", lambda x, a, c: x.exp()),
    "log": Adapter("as its logarithm", "tame", "{x}.log()", lambda x, a, c: x.log()),
    "one_hot": Adapter(
        "one-hot along the class axis",
        "",
        "torch.nn.functional.one_hot({x}.clamp(0, {classes} - 1), {classes})"
        ".movedim(-1, {axis}).contiguous()",
        _one_hot,
    ),
    "index": Adapter(
        "as class indices, asked with one-hot tensors only",
        "one_hot",
        "{x}.argmax({axis})",
        lambda x, a, c: x.argmax(a),
    ),
    "binary": Adapter("as zeros and ones only", "binary", "{x}", lambda x, a, c: x),
    "hard": Adapter("one-hot along the class axis only", "one_hot", "{x}", lambda x, a, c: x),
    "distribution": Adapter(
        "as a distribution over the class axis only", "distribution", "{x}", lambda x, a, c: x
    ),
    "signs": Adapter(
        "as -1 and 1 instead of 0 and 1", "binary", "(2 * {x} - 1)", lambda x, a, c: 2 * x - 1
    ),
    "bits": Adapter(
        "as 0 and 1 instead of -1 and 1", "", "(({x} + 1) / 2)", lambda x, a, c: (x + 1) / 2
    ),
    "channels_last": Adapter(
        "with the class axis last",
        "",
        "{x}.movedim({axis}, -1).contiguous()",
        lambda x, a, c: x.movedim(a, -1).contiguous(),
    ),
    "flat": Adapter("flattened", "", "{x}.flatten()", lambda x, a, c: x.flatten()),
    "column": Adapter(
        "with an axis of size 1 after the first",
        "",
        "{x}.unsqueeze(1)",
        lambda x, a, c: x.unsqueeze(1),
    ),
    "long": Adapter("as integers", "binary", "{x}.long()", lambda x, a, c: x.long()),
    "bool": Adapter("as truth values", "binary", "{x}.bool()", lambda x, a, c: x.bool()),
    "double": Adapter("as floats", "", "{x}.double()", lambda x, a, c: x.double()),
    "float": Adapter("as floats", "", "{x}.double()", lambda x, a, c: x.double()),
    "transposed": Adapter(
        "with its first two axes exchanged",
        "",
        "{x}.transpose(0, 1).contiguous()",
        lambda x, a, c: x.transpose(0, 1).contiguous(),
    ),
    "negative": Adapter("with its sign turned", "", "(-{x})", lambda x, a, c: -x),
}


# Not to be asked for: an input without its first axis is asked about where the formula takes one.
UNBATCHED = Adapter(
    "without its batch axis", "", "{x}.squeeze(0)", lambda x, axis, classes: x.squeeze(0)
)


def adapters(spec: LossSpec, given: Mapping[str, str]) -> dict[str, tuple[Adapter, ...]]:
    """Look conventions up: ``{"target": "one_hot,float"}`` applies one after the other.

    Raises:
        LossgenError: for an unknown tensor or convention.
    """
    found: dict[str, tuple[Adapter, ...]] = {}
    tensors = {t.name for t in spec.tensors}
    for name, text in given.items():
        if name not in tensors:
            hint = suggest(name, tensors) or f"It has {', '.join(sorted(tensors))}."
            raise LossgenError(f"--pass {name}={text}: the formula has no tensor '{name}'. {hint}")
        chain = []
        for word in text.split(","):
            if word not in ADAPTERS:
                hint = suggest(word, ADAPTERS) or f"There are {', '.join(ADAPTERS)}."
                raise LossgenError(f"--pass {name}={word}: no such convention. {hint}")
            chain.append(ADAPTERS[word])
        found[name] = tuple(chain)
    return found


def class_axis(spec: LossSpec, tensor: TensorArg) -> int:
    """The place of the class axis in a tensor (where it would go in one that has none)."""
    for place, axis in enumerate(tensor.axes):
        if axis.name in "cd" and not any(x.name in "se" for x in tensor.axes[:place]):
            return place
    if tensor.axes and tensor.axes[-1].name in "cd":
        return -1
    return 1 if spec.tensors[0].axes[1:2] and spec.tensors[0].axes[1].name in "cd" else -1


def apply(chain: tuple[Adapter, ...], x: Any, axis: int, classes: int) -> Any:
    """A tensor of the formula as the code takes it."""
    for adapter in chain:
        x = adapter.apply(x, axis, classes)
    return x
