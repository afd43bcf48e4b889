"""How the code behaves: it runs, answers twice alike, and leaves its inputs as they were."""

from __future__ import annotations

import torch

from lossgen.verify.caller import CallFailed
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check


def runs(session: Session) -> Check:
    """It can be called, gives the same answer twice, and a gradient flows.

    Raises:
        CallFailed: where it cannot be called at all: nothing more can be asked then.
    """
    found = list(first_points(session.question))
    session.caller.run(found[0], session.question.main, grad=False)
    return session.probed("runs", found[:1], _runs, "same answer twice, with a gradient")


def _runs(session: Session, point: Point) -> str:
    question, caller = session.question, session.caller
    first, second = (caller.run(point, question.main, grad=False).value for _ in range(2))
    alike = len(first) == len(second) and all(
        x == y or (x != x and y != y) for x, y in zip(first, second, strict=True)
    )
    if not alike:
        return "gives another answer when it is called again"
    try:
        carried = caller.run(point, question.main)
    except CallFailed as failure:
        return f"raises in backward: {failure}"
    if not carried.attached and carried.gradients:
        return "gives a result that carries no gradient"
    return ""


def untouched(session: Session) -> Check:
    """Its inputs are as they were, bit for bit."""
    return session.probed("inputs untouched", first_points(session.question), _untouched)


def _untouched(session: Session, point: Point) -> str:
    for grad in (True, False):
        leaves = session.caller.leaves(point, grad=grad)
        before = {name: x.detach().clone() for name, x in leaves.items()}
        session.caller.result(point, leaves, session.question.main)
        for name, x in leaves.items():
            if not torch.equal(x.detach(), before[name]):
                return f"changes its input {name} in place"
    return ""
