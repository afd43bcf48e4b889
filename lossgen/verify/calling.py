"""A call of the code as lines of Python, for a test that stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lossgen.verify.answer import lines as taking
from lossgen.verify.caller import Caller
from lossgen.verify.packing import packed_text, whole
from lossgen.verify.point import Array, Point
from lossgen.verify.question import Question

_WIDE = 400  # numbers beyond which a tensor is written by its one value


def call_lines(caller: Caller, point: Point, reduction: str, dtype: str) -> tuple[str, ...]:
    """Lines that make the tensors of a point and call ``code``; none where they are too large."""
    question = caller.question
    lines = []
    for name, array in point.tensors.items():
        if name in question.matching.taken:
            text = _tensor(array, dtype)
            if text is None:
                return ()
            lines.append(f"{name} = {text}")
            if np.issubdtype(array.dtype, np.floating) and name in caller.asked:
                lines.append(f"{name}.requires_grad_()")
    init, call = _arguments(caller, point, reduction)
    built = "code"
    if question.target.kind == "class":
        built = "made"
        lines.append(f"made = code({', '.join(init)})")
        for name, argument in question.matching.taken.items():
            if argument.stage == "held":  # in place of a parameter, which would be a leaf
                lines.append(f'made._parameters.pop("{argument.name}", None)')
                lines.append(f"made.{argument.name} = {name}")
    if question.target.method:
        built += f".{question.target.method}"
    lines.append(f"result = {built}({', '.join(call)})")
    return (*lines, *taking(question.result))


def _tensor(array: Array, dtype: str) -> str | None:
    floats = np.issubdtype(array.dtype, np.floating)
    kind = f"dtype=torch.{dtype}" if floats else f"dtype=torch.{array.dtype}"
    if array.size > _WIDE:
        first = array.reshape(-1)[0].item()
        if (array != first).any():
            return None
        return f"torch.full({tuple(array.shape)}, {first!r}, {kind})"
    return f"torch.tensor({_literal(array.tolist())}, {kind})"


def _literal(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_literal, values))}]"
    if isinstance(values, float) and not np.isfinite(values):
        return f'float("{values}")'
    return repr(values)


def _arguments(caller: Caller, point: Point, reduction: str) -> tuple[list[str], list[str]]:
    init: list[str] = []
    call: list[str] = []
    for name, stage, positional, text in _given(caller, point, reduction):
        word = text if positional else f"{name}={text}"
        if stage != "held":
            (init if stage == "init" else call).append(word)
    return init, sorted(call, key=lambda word: "=" in word.partition("(")[0])


def _given(caller: Caller, point: Point, reduction: str) -> Iterator[tuple[str, str, bool, str]]:
    question: Question = caller.question
    matching = question.matching
    texts = {}
    for name in point.tensors:
        if name in matching.taken:
            text = name
            for adapter in question.adapters.get(name, ()):
                axis, classes = caller.class_place(name, point)
                text = adapter.code.format(x=text, axis=axis, classes=classes)
            texts[name] = text
    for argument, text in whole(matching.taken, texts, packed_text):
        yield argument.name, argument.stage, argument.positional, text
    for name, value in point.options.items():
        if name in matching.taken:
            argument = matching.taken[name]
            yield argument.name, argument.stage, argument.positional, _literal(value)
    for name, value in matching.extra.items():
        theirs = question.target.argument(name)
        yield name, theirs.stage if theirs else "call", False, _literal(value)
    if question.passed and matching.reduction is not None:
        yield "reduction", matching.reduction.stage, False, repr(reduction)
