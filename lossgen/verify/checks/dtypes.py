"""Half, bfloat16 and mixed precision: finite, with the digits that single precision would give."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from lossgen.verify.caller import CallFailed, Dtypes
from lossgen.verify.checks.outcome import concluded
from lossgen.verify.compare import Judged, judge
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import first_points, points
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Undefined
from lossgen.verify.verdict import Check, Difference

HALVES = (torch.float16, torch.bfloat16)
_NAMES = {torch.float32: "single", torch.float16: "half", torch.bfloat16: "bfloat16"}
# One tensor in a precision, all others in another: what autocast and careless labels give.
_MIXED = (
    (torch.float32, torch.float64),
    (torch.float16, torch.float32),
    (torch.bfloat16, torch.float32),
)


def rounded(point: Point, dtype: torch.dtype) -> Point:
    """The point with its tensors as a precision holds them."""
    changed = point
    for name in point.floats:
        array = torch.tensor(point.tensors[name]).to(dtype).double().numpy()
        changed = changed.with_tensor(name, array)
    return changed


def halves(session: Session) -> Check:
    """Ordinary points in half precision: finite, and what single precision gives, rounded."""
    looked, differences, refused = 0, list[Difference](), ""
    worst = dict.fromkeys(HALVES, 0.0)
    main, plain = session.question.main, next(first_points(session.question)).label
    for dtype in HALVES:
        for point in _telling(session.question):
            judged = _judged(session, rounded(point, dtype), dtype)
            if judged is None:
                continue
            raised = [d for d in judged.differences if d.kind in ("behaviour", "refusal")]
            if raised:
                refused = str(raised[0].got)
                continue
            looked += 1
            worst[dtype] = max(worst[dtype], judged.ulps)
            if point.label == plain:  # a bound that follows the precision shows at extremes alone
                judged = session.settled(judged, rounded(point, dtype), main, dtype)
            differences += judged.differences
            session.witnesses += [
                Witness(rounded(point, dtype), main, dtype, d) for d in judged.differences
            ]
    if refused:
        session.note(f"half precision is refused: {refused}")
    if not looked:
        return Check("half precision", "skipped", "the code refuses it")
    made = concluded("half precision", differences, looked, "comparisons")
    shown = ", ".join(f"{_NAMES[d]} within {ulps:.1f} ulp" for d, ulps in worst.items())
    return replace(made, detail=shown) if made.status == "holds" else made


def _telling(question: Question) -> Iterator[Point]:
    """Ordinary points, and two with the large values that are ordinary in half precision too."""
    yield from first_points(question)
    for point in itertools.islice(points(question, "extreme"), 2):
        changed = point
        for tensor in question.spec.tensors:
            if tensor.name in point.floats:
                most = 20.0 if tensor.role.name in ("Logits", "LogProbabilities") else 4.0
                held = np.clip(point.tensors[tensor.name], -most, most)
                changed = changed.with_tensor(tensor.name, held)
        yield changed


def _judged(session: Session, point: Point, dtype: Dtypes) -> Judged | None:
    try:
        return judge(session.caller, point, session.question.main, dtype)
    except Undefined:
        return None


def mixed(session: Session) -> Check:
    """One tensor in another precision than the rest: what forward accepts, backward must too.

    The result must be as good as the least of the two precisions allows.
    """
    name, question = "mixed precision", session.question
    (point, *_) = first_points(question)
    floats = [x for x in point.floats if x in question.tensors]
    if len(floats) < 2:
        return Check(name, "skipped", "one tensor of floats only")
    looked, differences = 0, list[Difference]()
    for low, high in _MIXED:
        made = session.probed(name, [rounded(point, low)], _Backward(low, high))
        if made.status == "fails":
            return made
        for one in floats:
            dtypes = {x: low if x == one else high for x in floats}
            judged = _judged(session, rounded(point, low), dtypes)
            if judged is None or judged.outcome is None:
                continue
            looked += 1
            judged = session.settled(judged, rounded(point, low), question.main, dtypes)
            differences += judged.differences
            session.witnesses += [
                Witness(rounded(point, low), question.main, dtypes, d) for d in judged.differences
            ]
    if not looked:
        return Check(name, "skipped", "the code refuses it")
    return concluded(name, differences, looked, "comparisons")


@dataclass(frozen=True)
class _Backward:
    """Code that accepts a precision and breaks on the way back."""

    low: torch.dtype
    high: torch.dtype

    def __call__(self, session: Session, point: Point) -> str:
        floats = [x for x in point.floats if x in session.question.tensors]
        for one in floats:
            leaves = session.caller.leaves(
                point, {x: self.low if x == one else self.high for x in floats}
            )
            try:
                result = session.caller.result(point, leaves, session.question.main)
            except CallFailed:
                continue
            asked = [x for x in leaves.values() if x.requires_grad]
            try:
                torch.autograd.grad(result.sum(), asked, allow_unused=True)
            except RuntimeError as error:
                if "not implemented for" not in str(error):  # no fault of the code's
                    shown = f"{one} in {_NAMES[self.low]} precision"
                    return f"accepts {shown}, then raises in backward: {error}"
        return ""
