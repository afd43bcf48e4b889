"""Causes that are no other formula: upstream gradients, non-finite steps, in-place changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

from lossgen.spec import LossSpec
from lossgen.verify.caller import CallFailed, Outcome
from lossgen.verify.compare import judge
from lossgen.verify.point import Point
from lossgen.verify.session import Session, Witness
from lossgen.verify.slicing import extents
from lossgen.verify.truth import Undefined, evaluate
from lossgen.verify.watch import broadcasts, first_nonfinite


def behaviour_causes(witness: Witness) -> list[str]:
    """A hint for what code does wrong besides its numbers."""
    text = str(witness.difference.got)
    if "leaf" in text and "in-place operation" in text:
        return ["but an input is changed in place, and what it was is lost to the caller"]
    if "inplace operation" in text:
        return ["but an in-place operation overwrites what its backward needs"]
    if "second derivative" in text:
        return ["but its backward cannot be differentiated, and does not say so"]
    if "carries no gradient" in text:
        return ["but detached: it is computed under no_grad, from detach(), or from integers"]
    if "dtype" in text and "raises in backward" in text:
        return ["but its backward does not cast its gradient to the type of its input"]
    return []


def upstream_causes(session: Session, point: Point, reduction: str, outcome: Outcome) -> list[str]:
    """The value is right and the gradient wrong: whether the incoming one is ignored."""
    caller = session.caller
    weights = caller.weights(len(outcome.value))
    exact = evaluate(session.question.spec, point)
    predicted = list(outcome.gradients)
    count = len(outcome.value)
    for words, tried in _weightings(weights, count):
        want = exact.gradient(reduction, tried)
        if all(proportional(outcome.gradients[x], want[x], 1.0) for x in predicted):
            return [words]
    want = exact.gradient(reduction, weights)
    nothing = [x for x in predicted if not any(outcome.gradients[x] or ())]
    if nothing and any(any(w != 0 for w in want[x]) for x in nothing):
        return [f"but no gradient reaches {', '.join(nothing)}"]
    return []


def _weightings(weights: tuple[float, ...], count: int) -> Iterator[tuple[str, list[float]]]:
    uses = "but its backward uses"
    yield "but its backward ignores the incoming gradient", [1.0] * count
    if count > 1:
        yield f"{uses} only the first element of the incoming gradient", [weights[0]] * count
        yield f"{uses} the sum of the incoming gradient", [sum(weights)] * count
        yield f"{uses} the mean of the incoming gradient", [sum(weights) / count] * count


def proportional(got: tuple[float, ...] | None, want: list[Any], factor: float) -> bool:
    """Whether one gradient is the other times a factor."""
    numbers = [float(x) * factor for x in want]
    if got is None or not any(numbers):
        return False
    scale = max(map(abs, numbers))
    return all(
        math.isfinite(a) and abs(a - b) <= 1e-7 * scale for a, b in zip(got, numbers, strict=True)
    )


def broadcast_causes(session: Session, witness: Witness) -> list[str]:
    """Whether tensors that do not fit meet somewhere and grow."""
    if witness.difference.kind != "formula":
        return []
    room = _room(session.question.spec, witness.point)
    seen = broadcasts(lambda shape: Counter(x for x in shape if x > 1) <= room)
    try:
        with seen:
            session.caller.run(witness.point, witness.reduction, grad=False)
    except CallFailed:
        return []
    return [f"but {seen.found}"] if seen.found else []


def precision_causes(session: Session, witness: Witness) -> list[str]:
    """Whether code that is wrong in a precision is right in double precision."""
    if witness.dtype == torch.float64:
        return []
    try:
        judged = judge(session.caller, witness.point, witness.reduction)
    except Undefined:
        return []
    if judged.outcome is None or judged.differences:
        return []
    return [f"in double precision alone: in {witness.difference.dtype} it computes something else"]


def _room(spec: LossSpec, point: Point) -> Counter[int]:
    """How often a size may occur in one shape: once for each letter of the axes that have it."""
    letters = Counter(axis.name for axis in spec.axes.values())
    room: Counter[int] = Counter()
    for label, size in extents(spec, point).items():
        room[size] += max(1, letters[label.rstrip("0123456789")])
    return room


def nonfinite_causes(session: Session, witness: Witness) -> list[str]:
    """Which operation is the first to give NaN or an infinity."""
    seen = first_nonfinite()
    dtype = witness.dtype
    try:
        with seen:
            session.caller.run(witness.point, witness.reduction, dtype)
    except CallFailed:
        return []
    if not seen.found:
        return []
    operation = seen.found.split(" ")[0]
    hint = _HINTS.get(operation, "")
    backward = "backward" in operation or witness.difference.what != "value"
    where = "the gradient" if backward and "backward" in operation else "the result"
    return [f"but {seen.found} makes {where} non-finite first{hint}"]


_HINTS = {
    "exp": ": it overflows; a stable form is log-sum-exp, softplus or log-sigmoid",
    "log": ": it is taken of 0; a stable form is log-softmax or log-sigmoid",
    "div": ": the denominator is 0 or overflows",
    "mul": ": it is 0 times infinity, or overflows",
    "sum": ": the sum overflows; take the mean first, or sum in single precision",
    "pow": ": it overflows, or is a negative power of 0",
}
