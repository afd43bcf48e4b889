"""Other sizes and other numbers of dimensions than the usual ones.

Samples have few sizes, no two alike. One class, two classes, many, one position, an image, a
volume are inputs like others, and code takes another way for some of them: it squeezes, it takes
two classes for a binary problem. What code refuses is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lossgen.nodes import Along, walk
from lossgen.spec import LossSpec
from lossgen.testsamples import fewest
from lossgen.verify.checks.outcome import concluded
from lossgen.verify.compare import Judged
from lossgen.verify.question import Question
from lossgen.verify.sampling import Sizes, resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check, Difference, number

# What is usual is (3, 4) and (6,).
_SHAPES = {
    "e": ((5,), (5, 1), (2, 3, 2), (2, 1, 2, 3), (1, 2, 1, 2, 1)),
    "s": ((2, 3), (2, 1, 3), ()),
}
_SIZES = (1, 2, 3, 13)
_FEW, _TRIES = (2,), 4


def dimensions(session: Session) -> Check | None:
    """Tensors of fewer and of more dimensions, where the formula takes any and the code does."""
    question, size = session.question, usual_sizes(session.question.spec)
    axis = next((x for x in _SHAPES if x in size and x not in question.pinned), None)
    if axis is None:
        return None
    name, looked, differences = "other dimensions", 0, list[Difference]()
    warned = ""
    for k, shape in enumerate(_SHAPES[axis]):
        point = resized(question, {**size, axis: shape}, question.seed + 41 + k)
        count = point.tensors[question.spec.tensors[0].name].ndim
        words = f"for tensors of {count} dimension{'' if count == 1 else 's'}"
        inner = session.about(replace(question, about=words))
        for reduction in question.reductions:
            judged = inner.judged(point, reduction, raising=False)
            if judged is None:
                continue
            looked += 1
            # Code for images may well add up over no axes at all, which in torch is over every one.
            if shape or not judged.differences:
                differences += judged.differences
            else:
                warned = warned or _other(words, judged.differences[0])
        if shape:
            session.witnesses += [replace(w, home=inner) for w in inner.witnesses]
        if any(d.kind != "rounding" for d in differences):
            break
    if not looked:
        return Check(name, "skipped", "the code refuses them")
    return _warning(concluded(name, differences, looked, "comparisons"), warned)


def sizes(session: Session) -> Check | None:
    """Each axis of one position, of two, three and many, and all of them of one."""
    name, question = "other sizes", session.question
    looked, differences, warned = 0, list[Difference](), ""
    for words, changed, degenerate in _changed(question):
        inner = session.about(replace(question, about=words))
        judged = _first(inner, changed)
        if judged is None:
            continue
        if judged.outcome is None:  # it may refuse a size
            session.note(f"{words} it {judged.differences[0].got}")
            continue
        looked += 1
        if degenerate and judged.differences:
            warned = warned or _other(words, judged.differences[0])
            continue
        differences += judged.differences
        session.witnesses += [replace(w, home=inner) for w in inner.witnesses]
        if session.over or any(d.kind != "rounding" for d in differences):
            break
    if not looked:
        return None
    return _warning(concluded(name, differences, looked, "comparisons"), warned)


def _other(words: str, first: Difference) -> str:
    """What to say of a number that is another where nobody may ask for it."""
    return f"{words} gives another {first.what}: {number(first.got)}, exactly {number(first.want)}"


def _warning(made: Check, warned: str) -> Check:
    return Check(made.name, "warns", warned) if warned and made.status == "holds" else made


def _first(session: Session, changed: Sizes) -> Judged | None:
    """The comparison at the first sample for which the formula has a value: not all is ignored."""
    question = session.question
    for k in range(_TRIES):
        judged = session.judged(resized(question, changed, question.seed + 71 + k), question.main)
        if judged is not None:
            return judged
    return None


def _changed(question: Question) -> Iterator[tuple[str, Sizes, bool]]:
    """Words, sizes, and whether nothing is left to be told apart there."""
    spec = question.spec
    usual = usual_sizes(spec)
    axes = [a for a in usual if not a.isdigit() and a != "e" and a not in question.pinned]
    short = {a: _FEW if a == "s" else s for a, s in usual.items()}
    softmax = _normalised(spec)
    for axis in axes:
        for size in _SIZES:
            if (size,) != usual[axis] and size >= _least(spec, axis):
                alone = size == 1 and axis in softmax
                yield f"with {axis} of size {size}", {**short, axis: (size,)}, alone
    if len(axes) > 1 and fewest(spec) == 1:
        ones: Sizes = {**usual, **{axis: (_least(spec, axis),) for axis in axes}}
        yield "with every axis as short as can be", ones, bool(softmax & set(axes))


def _least(spec: LossSpec, axis: str) -> int:
    """The smallest size asked about: of one feature a row may be 0, and has no direction then."""
    return max(fewest(spec), 2 if axis == "d" else 1)


def _normalised(spec: LossSpec) -> frozenset[str]:
    """The axes over which a softmax is taken: of one class it is 1, and no score has a slope."""
    return frozenset(
        str(spec.axes.get(x.letter, x.letter).name) for x in walk(spec.item) if isinstance(x, Along)
    )
