"""What was assumed, assumed otherwise: the value of an option, the convention of a tensor.

In: a ``Question``. Out: the same question with an option that the code takes none of elsewhere than
at its default, or with a tensor passed in another form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lossgen.spec import Parameter
from lossgen.testsamples import samples
from lossgen.verify.adapters import ADAPTERS
from lossgen.verify.fitting import Narrow
from lossgen.verify.question import Question

_USUAL = (0, 1, -1)  # what an option is where code does without it
NONE = 1e-30  # in place of 0, for an epsilon that must be above it


def other_settings(question: Question) -> Iterator[Narrow]:
    """The question with one option elsewhere, small numbers that keep from 0 first."""
    matching = question.matching
    marks = {row.marked for row in samples(question.spec)}
    absent = [
        p for p in question.spec.parameters if p.name in matching.absent and p.name not in marks
    ]
    for p in sorted(absent, key=lambda p: not (p.default is not None and 0 < p.default < 1e-2)):
        for value in _values(p):
            fixed = {**matching.fixed, p.name: value}
            asked = replace(question, matching=replace(matching, fixed=fixed))
            words = f"with {p.name} = {value}" + (", as good as 0" if value == NONE else "")
            yield Narrow(words, f"--set {p.name}={value}", asked)


def _values(p: Parameter) -> list[float | bool | int]:
    if p.role.kind == "boolean":
        return [not p.default]
    found = p.role.choices or _USUAL
    if not p.role.admits(0) and p.default is not None and p.default < 1e-2:
        found = (NONE,)
    return [x for x in found if x != p.default and p.role.admits(x)]


# How else code may take a tensor, by the role that the formula gives it.
_OTHERWISE = {
    "Logits": ("sigmoid", "softmax", "log_softmax", "log_sigmoid"),
    "Real": ("exp", "negative"),
    "Positive": ("log",),
    "Probabilities": ("logit", "log"),
    "LogProbabilities": ("exp",),
    "Sign": ("bits",),
    "Binary": ("signs",),
}


def other_conventions(question: Question) -> Iterator[Narrow]:
    """The question with one tensor taken otherwise, as probabilities or as their logarithms."""
    for tensor in question.spec.tensors:
        if tensor.name not in question.matching.taken or tensor.name in question.adapters:
            continue
        for name in _OTHERWISE.get(tensor.role.name, ()):
            chain = {**question.adapters, tensor.name: (ADAPTERS[name],)}
            yield Narrow(
                f"if it takes {tensor.name} {ADAPTERS[name].text}",
                f"--pass {tensor.name}={name}",
                replace(question, adapters=chain),
            )
