"""Tensors that lie in memory otherwise: strided, transposed, expanded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lossgen.verify.caller import CallFailed
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session
from lossgen.verify.target import raised
from lossgen.verify.verdict import Check


def _strided(x: Tensor) -> Tensor:
    """The same numbers, every second place of a larger memory."""
    wide = torch.stack((x, torch.full_like(x, 1)), dim=-1) if x.dim() else x
    return wide[..., 0] if x.dim() else x


def _turned(x: Tensor) -> Tensor:
    """The same numbers, the last axis lying outermost in memory."""
    if x.dim() < 2:
        return x
    order = (x.dim() - 1, *range(x.dim() - 1))
    back = (*range(1, x.dim()), 0)
    return x.permute(order).contiguous().permute(back)


LAYOUTS: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("strided", _strided),
    ("transposed", _turned),
)


def layouts(session: Session) -> Check:
    """Non-contiguous and expanded inputs give what contiguous ones give."""
    (point, *_) = first_points(session.question)
    return session.probed("memory layout", [point], _layouts, "strided, transposed, expanded")


def _layouts(session: Session, point: Point) -> str:
    for label, layout in LAYOUTS:
        problem = _same(session, point, layout)
        if problem:
            return f"{problem} on {label} inputs"
    problem = _same(session, _constant(point), _expanded, summed=True)
    return f"{problem} on expanded inputs" if problem else ""


def _expanded(x: Tensor) -> Tensor:
    """The first row, repeated without memory of its own."""
    return x[:1].expand(x.shape) if x.dim() else x


def _constant(point: Point) -> Point:
    """The point with every row as the first."""
    changed = point
    for name, array in point.tensors.items():
        if array.ndim:
            changed = changed.with_tensor(name, array[:1].repeat(array.shape[0], axis=0))
    return changed


def _same(
    session: Session, point: Point, layout: Callable[[Tensor], Tensor], *, summed: bool = False
) -> str:
    """What is wrong under a layout, or an empty text; ``summed``: gradients over rows together."""
    caller, reduction = session.caller, session.question.main
    answers: list[list[Tensor]] = []
    for change in (lambda x: x, layout):
        leaves = caller.leaves(point)
        changed = {k: change(x) for k, x in leaves.items()}
        floats = [x for x in leaves.values() if x.requires_grad]
        try:
            result = caller.result(point, changed, reduction)
            grads = torch.autograd.grad(
                result.sum(), floats, allow_unused=True, materialize_grads=True
            )
        except CallFailed as failure:
            return "" if not answers else f"raises {failure}"
        except Exception as error:
            return "" if not answers else f"raises in backward {raised(error)}"
        if summed:
            grads = tuple(g.sum(0) if g.dim() else g for g in grads)
        answers.append([result.detach(), *grads])
    for a, b in zip(*answers, strict=True):
        if not torch.allclose(a, b, rtol=1e-5, atol=1e-7, equal_nan=True):
            return "gives another answer"
    return ""
