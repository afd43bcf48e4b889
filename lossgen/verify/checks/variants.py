"""Other inputs that the formula takes too: a target of probabilities, an input without a batch.

Code need not take them. Whether it does is found out where nothing else is in question: on one-hot
probabilities it must answer as on the labels, on a single sample as on a batch of one. Where it
does, all of the formula is asked; where it answers otherwise without a word, a person is warned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lossgen.spec import LossSpec, TensorArg
from lossgen.verify.adapters import UNBATCHED
from lossgen.verify.caller import CallFailed
from lossgen.verify.checks import extremes, values
from lossgen.verify.checks.itself import differs
from lossgen.verify.point import Point
from lossgen.verify.question import Question
from lossgen.verify.sampling import resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check, Status

_ASKED: tuple[Callable[[Session], Check | None], ...] = (
    values.first,
    values.options,
    values.ties,
    values.single,
    extremes.extremes,
)


def probabilities(session: Session) -> Check | None:
    """A floating-point target, where the formula has one beside its labels."""
    name, question = "probability targets", session.question
    other = question.spec.floating
    if other is None:
        return None
    label = _label(question.spec, other)
    if label is None or label.name in question.adapters:
        return Check(name, "skipped", "--pass says how the code takes its target")
    known = ("none", "mean", "sum", *(k for k, _ in other.divisors))
    asked = replace(
        question,
        spec=other,
        matching=_restricted(question, other),
        reductions=tuple(r for r in question.reductions if r in known) or (question.main,),
        about="with a target of probabilities",
    )
    soft = _bare(asked, resized(asked, usual_sizes(other), question.seed + 5))
    usual = question.spec.tensor(label.name).axes
    place = next(k for k, axis in enumerate(label.axes) if axis not in usual)
    shape = soft.tensors[label.name].shape
    rows = np.random.default_rng(question.seed).integers(0, shape[place], np.delete(shape, place))
    hot = np.moveaxis(np.eye(shape[place])[rows], -1, place)
    here = _bare(question, soft.with_tensor(label.name, rows))
    return _asked(session, asked, name, here, _bare(asked, soft.with_tensor(label.name, hot)))


def unbatched(session: Session) -> Check | None:
    """An input without its first axis, where the formula takes one.

    That is an input of the least rank: with trailing axes it reads as a batch of another shape.
    """
    name, question = "unbatched input", session.question
    if not question.spec.unbatched:
        return None
    lead = question.spec.tensors[0].axes[0]
    chains = {
        t.name: (*question.adapters.get(t.name, ()), UNBATCHED)
        for t in question.spec.tensors
        if lead in t.axes
    }
    ragged = {"s": ()} if any(a.name == "s" for t in question.spec.tensors for a in t.axes) else {}
    least = {**question.pinned, **ragged, str(lead.name): (1,)}
    asked = replace(
        question,
        adapters={**question.adapters, **chains},
        pinned=least,
        about="without a batch axis",
    )
    point = _bare(asked, resized(asked, usual_sizes(question.spec), question.seed + 6))
    return _asked(session, asked, name, point, point)


def _asked(session: Session, asked: Question, name: str, usual: Point, other: Point) -> Check:
    """All of a question, if the code answers it as it answers the usual one."""
    inner = session.about(asked)
    main = asked.main
    heard: list[str] = []
    try:
        want = session.caller.run(usual, main, grad=False).value
        leaves = inner.caller.leaves(other, grad=False)
        got = inner.caller.result(other, leaves, main, heard).double().flatten().tolist()
    except CallFailed:
        return Check(name, "skipped", "the code refuses it")
    if differs(got, want) is not None:
        if heard:
            return Check(name, "skipped", f"the code warns: {heard[0]}")
        text = f"takes an input {asked.about} without a word, and computes something else"
        return Check(name, "warns", text)
    return _every(session, inner, name)


def _every(session: Session, inner: Session, name: str) -> Check:
    made: list[Check] = []
    for check in _ASKED:
        one = check(inner)
        made += [one] if one is not None else []
        if made[-1].status == "fails" or inner.over:
            break
    session.witnesses += [replace(w, home=inner) for w in inner.witnesses]
    for text in inner.notes:
        session.note(f"{inner.question.about}: {text}")
    order: tuple[Status, ...] = ("fails", "inaccurate", "holds", "skipped")
    status = min((c.status for c in made), key=order.index)
    found = tuple(d for c in made for d in c.differences)
    return Check(name, status, "value, gradient, options, extremes", 0.0, found[:20])


def _label(spec: LossSpec, other: LossSpec) -> TensorArg | None:
    """The tensor that holds labels in one formula and floats in the other."""
    kinds = {t.name: t.role.kind for t in spec.tensors}
    return next(
        (t for t in other.tensors if t.role.kind == "real" and kinds.get(t.name) == "integer"), None
    )


def _restricted(question: Question, other: LossSpec) -> Any:
    """The matching, without the arguments that the other formula has not."""
    names = {a.name for a in other.arguments}

    def kept(given: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in given.items() if k in names}

    matching = question.matching
    return replace(matching, taken=kept(matching.taken), fixed=kept(matching.fixed))


def _bare(question: Question, point: Point) -> Point:
    """The point with options as by default, and without what may be left out."""
    required = {t.name for t in question.spec.tensors if not t.optional}
    tensors = {k: x for k, x in point.tensors.items() if k in required}
    options = {k: point.options.get(k) if v is None else v for k, v in question.options.items()}
    return Point(tensors, options, point.label)
