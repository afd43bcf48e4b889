"""Narrower questions: sizes that are pinned, inputs of fewer axes, labels of zeros and ones.

In: a ``Question``. Out: questions that ask about a part of the formula's inputs, each with words
and with the option that asks about that part alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lossgen.errors import LossgenError, suggest
from lossgen.spec import LossSpec
from lossgen.verify.adapters import ADAPTERS
from lossgen.verify.caller import Caller, CallFailed, predicted
from lossgen.verify.counts import by_default
from lossgen.verify.question import Question
from lossgen.verify.sampling import first_points

Sizes = Mapping[str, tuple[int, ...]]
_MOST = 4096
_IMAGE = (2, 3)
# Of tensors of any shape: a vector, a column, scores by position, images; usual is a matrix.
_WHOLE = ((6,), (5, 1), (2, 3, 4), (2, 3, 2, 2))


@dataclass(frozen=True)
class Narrow:
    """A narrower question, in words that follow "only" or "where", and the option that asks it."""

    words: str
    option: str
    question: Question


def pinned(spec: LossSpec, given: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Sizes as typed: ``c=4``, ``s=2x3``, and ``s=none`` for no trailing axes.

    Raises:
        LossgenError: for an unknown axis, or a size that it cannot have.
    """
    axes = {str(a.name) for t in spec.tensors for a in t.axes if not a.name.isdigit()}
    found: dict[str, tuple[int, ...]] = {}
    for name, text in given.items():
        if name not in axes:
            hint = suggest(name, axes) or f"It has {', '.join(sorted(axes))}."
            raise LossgenError(f"--size {name}={text}: the formula has no axis '{name}'. {hint}")
        words = [] if text.lower() == "none" else text.lower().split("x")
        if not all(word.isdigit() and 0 < int(word) <= _MOST for word in words):
            raise LossgenError(f"--size {name}={text}: write a number, as 4, or several, as 2x3.")
        if name not in ("s", "e") and len(words) != 1:
            raise LossgenError(f"--size {name}={text}: '{name}' is one axis, of one size.")
        found[name] = tuple(map(int, words))
    return found


def accepted(question: Question) -> Question:
    """The question about the sizes for which alone the code can be called, where there are some.

    Asked are tensors without trailing axes, images, and other numbers of dimensions.
    """
    refused = _refused(question)
    if refused:
        parts = (without_trailing(question), with_images(question))
        asked = [part.question for part in parts if part is not None]
        counts = by_default(question.spec, question.matching.left)
        if counts and not counts.keys() & question.pinned.keys():
            every = (question, *asked)
            asked += [replace(q, pinned={**q.pinned, **counts}) for q in every]
        for narrower in (*asked, *_other_dimensions(question)):
            if not _refused(narrower):
                pins = narrower.pinned.keys() - question.pinned.keys()
                return replace(narrower, why=dict.fromkeys(pins, refused))
    return question


def _other_dimensions(question: Question) -> Iterator[Question]:
    """The question about tensors of any shape, where the shape is one of the usual ones."""
    first = question.spec.tensors[0]
    if "e" in {a.name for a in first.axes} and "e" not in question.pinned:
        for shape in _WHOLE:
            yield replace(question, pinned={**question.pinned, "e": shape})


def narrower(question: Question) -> Iterator[Narrow]:
    """Parts of the formula's inputs for which alone code is often written."""
    trailing = without_trailing(question)
    if trailing is not None:
        yield trailing
    for tensor in question.spec.tensors:
        asked = tensor.name in predicted(question.spec) or tensor.name in question.adapters
        if tensor.role.name == "Probabilities" and not asked:
            chains = {**question.adapters, tensor.name: (ADAPTERS["binary"],)}
            yield Narrow(
                f"where {tensor.name} is 0 or 1",
                f"--pass {tensor.name}=binary",
                replace(question, adapters=chains),
            )


def without_trailing(question: Question) -> Narrow | None:
    """The question about inputs without axes beyond the named ones."""
    first = question.spec.tensors[0]
    if "s" in question.pinned or first.ragged != len(first.axes) - 1 or first.ragged == 0:
        return None
    if first.axes[-1].name != "s":
        return None
    left = ", ".join(a.name for a in first.axes[:-1])
    least = {**question.pinned, "s": ()}
    return Narrow(
        f"for inputs [{left}], without further axes",
        "--size s=none",
        replace(question, pinned=least),
    )


def with_images(question: Question) -> Narrow | None:
    """The question about inputs whose trailing axes are two."""
    if without_trailing(question) is None:
        return None
    pinned = {**question.pinned, "s": _IMAGE}
    words = "for inputs with two trailing axes"
    return Narrow(words, "--size s=2x3", replace(question, pinned=pinned))


# Forms in which code may want a tensor that it refuses as it is.
_FORMS = ("index", "one_hot", "long", "bool", "double", "column", "flat", "channels_last")


def callable_with(question: Question) -> list[str]:
    """Options with which code can be called that refuses its tensors as they are."""
    found = []
    for tensor in question.spec.tensors:
        if tensor.name in question.matching.taken and tensor.name not in question.adapters:
            for form in _FORMS:
                chain = {**question.adapters, tensor.name: (ADAPTERS[form],)}
                if not _refused(replace(question, adapters=chain)):
                    found.append(f"--pass {tensor.name}={form}")
    return found


def _refused(question: Question) -> str:
    """What the code raises at an ordinary point, if it does."""
    try:
        Caller(question).run(next(first_points(question)), question.main, grad=False)
    except (CallFailed, RuntimeError, ValueError, IndexError) as failure:  # or a form cannot be
        return str(failure)
    return ""
