"""A result of another shape: flat, without what is left out, or reduced along an axis already.

In: a ``Session`` and the ``Witness`` of a shape. Out: words that follow "it equals the formula".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lossgen.verify.caller import CallFailed
from lossgen.verify.checks.itself import differs
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Undefined, evaluate
from lossgen.verify.truth.exact import frame

_ALONE = " (ask about the others alone: --reduction mean)"


def shape_causes(session: Session, witness: Witness) -> list[str]:
    """What the numbers of an unreduced result are, where there are too few or in another order."""
    if witness.difference.what != "shape" or witness.reduction != "none":
        return []
    try:
        outcome = session.caller.run(witness.point, "none", grad=False)
        found = list(_read(session, witness, outcome.value))
    except (CallFailed, Undefined):
        return []
    others = len(session.question.reductions) > 1
    return [f"{words}{_ALONE if others else ''}" for words in found[:1]]


def _read(session: Session, witness: Witness, got: Sequence[float]) -> Iterator[str]:
    spec, point = session.question.spec, witness.point
    exact = evaluate(spec, point)
    items = np.array([float(x) for x in exact.value("none")])
    if _same(got, items):
        yield "but flat, where it is not reduced"
    if spec.over is not None:
        weights = evaluate(replace(spec, item=spec.over, over=None), point).value("none")
        if len(weights) == len(items):
            kept = items[[w != 0 for w in weights]]
            if _same(got, kept):
                yield "but what is left out is missing from its result, which is flat"
    if items.size != np.prod(exact.shape):
        return
    whole, names = items.reshape(exact.shape), [name for name, _ in frame(spec, point)]
    for count in range(1, whole.ndim + 1):
        for axes in itertools.combinations(range(whole.ndim), count):
            over = ", ".join(names[k] or "neighbours" for k in axes)
            for words, reduced in (
                (f"but averaged over {over}", whole.mean(axes)),
                (f"but summed over {over}", whole.sum(axes)),
            ):
                if _same(got, reduced.flatten()):
                    yield f"{words}, where it is not reduced"


def _same(got: Sequence[float], want: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    return len(got) == len(want) and differs(list(got), want.tolist()) is None
