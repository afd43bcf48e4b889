"""How the code behaves: it runs, answers twice alike, and leaves its inputs as they were."""

from __future__ import annotations

from typing import Any

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
    function = caller.function(point, question.main)
    first, second = (
        caller.result(point, caller.leaves(point, grad=False), question.main, function=function)
        for _ in range(2)
    )
    if first.shape != second.shape or not torch.equal(first.nan_to_num(), second.nan_to_num()):
        return "gives another answer when it is called again"
    try:
        carried = caller.run(point, question.main)
    except CallFailed as failure:
        where = " in backward" if failure.stage == "backward" else ""
        return f"raises{where}: {failure}"
    if not carried.attached and carried.gradients:
        return "gives a result that carries no gradient"
    return ""


def untouched(session: Session) -> Check:
    """Its inputs are as they were, bit for bit."""
    return session.probed("inputs untouched", first_points(session.question), _untouched)


_SEED = 20_011  # one that code will hardly choose


def _state() -> dict[str, Any]:
    """What of torch's own a loss has no business with."""
    return {
        "gradient mode": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "random seed": torch.initial_seed(),
    }


def _untouched(session: Session, point: Point) -> str:
    for grad in (True, False):
        leaves = session.caller.leaves(point, grad=grad)
        before = {name: x.detach().clone() for name, x in leaves.items()}
        was = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        torch.manual_seed(_SEED)
        state = _state()
        try:
            session.caller.result(point, leaves, session.question.main)
            changed = [name for name, value in _state().items() if value != state[name]]
        finally:
            torch.set_grad_enabled(state["gradient mode"])
            torch.set_default_dtype(was)
        if changed:
            return f"changes torch's {changed[0]} for the whole program"
        for name, x in leaves.items():
            if not torch.equal(x.detach(), before[name]):
                return f"changes its input {name} in place"
    return ""
