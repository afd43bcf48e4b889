"""The second derivative along a direction, by double backward, against the exact one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lossgen.nodes import StopGradient, StraightThrough, walk
from lossgen.verify.caller import CallFailed
from lossgen.verify.compare import compare_numbers
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session
from lossgen.verify.target import raised
from lossgen.verify.truth import Undefined
from lossgen.verify.truth.exact import curvature
from lossgen.verify.verdict import Check, number

NAME = "second derivative"


def second(session: Session) -> Check:
    """At ordinary points; code without a double backward is told so, and not refuted."""
    spec = session.question.spec
    if any(isinstance(x, (StopGradient, StraightThrough)) for x in walk(spec.item)):
        return Check(NAME, "skipped", "the formula overrides gradients")
    try:
        return session.probed(NAME, first_points(session.question), _second)
    except CallFailed as failure:
        session.note(f"no second derivative: {failure}")
        return Check(NAME, "skipped", "the code has none")


def _second(session: Session, point: Point) -> str:
    """What is wrong with the derivative of the gradient along a direction."""
    pattern = np.array([0.5, -1.25, 0.75, 1.5, -0.25])
    direction = {
        name: np.resize(pattern, point.tensors[name].shape)
        for name in point.floats
        if name in session.caller.asked
    }
    main = session.question.main
    try:
        want = curvature(session.question.spec, point, direction, main)
    except (Undefined, ZeroDivisionError):
        return ""
    if want is None:
        return ""
    dtype, curved = _double_backward(session, point, direction)
    for name, numbers in curved.items():
        what = f"second derivative of {name}"
        found = compare_numbers(session.caller, point, main, what, numbers, want[name], dtype)
        if any(d.kind == "nonfinite" for d in found):
            session.note(f"the {what} is NaN or infinite at some ordinary points")
        for d in found:
            if d.kind == "formula":
                return f"has another {what}: {number(d.got)}, exactly {number(d.want)}"
    return ""


def _double_backward(
    session: Session, point: Point, direction: dict[str, np.ndarray]
) -> tuple[torch.dtype, dict[str, tuple[float, ...]]]:
    leaves = session.caller.leaves(point)
    floats = {k: leaves[k] for k in direction if k in leaves}
    moves = [torch.tensor(direction[k]) for k in floats]
    result = session.caller.result(point, leaves, session.question.main)
    try:
        # Where the incoming gradient has a graph, a backward that is once differentiable says so.
        seed = torch.ones_like(result, requires_grad=True)
        first = torch.autograd.grad(
            result, list(floats.values()), seed, create_graph=True, allow_unused=True
        )
        terms = [(g * m).sum() for g, m in zip(first, moves, strict=True) if g is not None]
        slope = torch.stack(terms).sum()
        if _declared(slope):
            raise CallFailed("its backward is declared once differentiable", "backward")
        if not slope.requires_grad:
            return result.dtype, {k: (0.0,) * x.numel() for k, x in floats.items()}
        found = torch.autograd.grad(
            slope, list(floats.values()), allow_unused=True, materialize_grads=True
        )
    except Exception as error:
        raise CallFailed(raised(error), "backward") from error
    # Added to 0: torch gives back zeros without memory where nothing is left to differentiate.
    numbers = [tuple((g + 0.0).detach().flatten().tolist()) for g in found]
    return result.dtype, dict(zip(floats, numbers, strict=True))


def _declared(slope: torch.Tensor) -> bool:
    """Whether a backward that is declared once differentiable has a part in a slope.

    Torch raises where such a slope is differentiated, but not where only the inputs are asked.
    """
    seen, left = set[Any](), [slope.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        if node.name() == "torch::autograd::Error":
            return True
        seen.add(node)
        left += [following for following, _ in node.next_functions]
    return False
