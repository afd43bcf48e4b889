"""The code under torch's transforms: the same numbers as without, where it supports them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session
from lossgen.verify.target import raised
from lossgen.verify.verdict import Check

_NO_GRAD = (
    "stops a gradient with torch.no_grad(), which forward mode passes by; detach() stops both"
)
Function = Callable[..., Tensor]
Run = Callable[[Function, list[Tensor], list[int]], tuple[Tensor, Tensor]]


def vmapped(session: Session) -> Check:
    """A stack of two inputs under ``torch.func.vmap`` gives what two calls give."""

    def run(function: Function, tensors: list[Tensor], moved: list[int]) -> tuple[Tensor, Tensor]:
        stacked = [torch.stack((x, x.flip(0) if x.dim() else x)) for x in tensors]
        mapped = torch.func.vmap(function)(*stacked)
        single = torch.stack([function(*(x[k] for x in stacked)) for k in (0, 1)])
        return mapped, single

    return _compared(session, "vmap", run)


def forward_mode(session: Session) -> Check:
    """``torch.func.jvp`` agrees with the gradient."""

    def run(function: Function, tensors: list[Tensor], moved: list[int]) -> tuple[Tensor, Tensor]:
        moves = [torch.ones_like(tensors[k]) * 0.5 for k in moved]

        def partial(*primals: Tensor) -> Tensor:
            given = list(tensors)
            for k, x in zip(moved, primals, strict=True):
                given[k] = x
            return function(*given).sum()

        primals = tuple(tensors[k] for k in moved)
        forward = torch.func.jvp(partial, primals, tuple(moves))[1]
        leaves = [x.clone().requires_grad_() for x in primals]
        grads = torch.autograd.grad(
            partial(*leaves), leaves, allow_unused=True, materialize_grads=True
        )
        backward = torch.stack([(g * m).sum() for g, m in zip(grads, moves, strict=True)]).sum()
        return forward, backward

    check = _compared(session, "jvp", run)
    if check.status != "fails":
        return check
    with _Detached():
        stopped = _compared(session, "jvp", run)
    if stopped.status != "holds":
        return check
    session.witnesses.pop()  # The formula is right: torch's word for it reaches reverse mode alone.
    return Check("jvp", "warns", _NO_GRAD)


class _Detached(TorchFunctionMode):
    """``torch.no_grad`` stops the derivatives of forward mode as well."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        stops = isinstance(result, Tensor) and not torch.is_grad_enabled()
        return result.detach() if stops else result


def compiled(session: Session) -> Check:
    """``torch.compile(backend="aot_eager")`` gives the same value and gradient."""

    def run(function: Function, tensors: list[Tensor], moved: list[int]) -> tuple[Tensor, Tensor]:
        answers = []
        for form in (torch.compile(function, backend="aot_eager"), function):
            leaves = [x.clone().requires_grad_(k in moved) for k, x in enumerate(tensors)]
            result = form(*leaves)
            asked = [leaves[k] for k in moved]
            grads = torch.autograd.grad(
                result.sum(), asked, allow_unused=True, materialize_grads=True
            )
            answers.append(torch.cat([result.detach().flatten(), *(g.flatten() for g in grads)]))
        return answers[0], answers[1]

    try:
        return _compared(session, "torch.compile", run)
    finally:
        torch.compiler.reset()


def _compared(session: Session, name: str, run: Run) -> Check:
    question = session.question
    (point, *_) = first_points(question)
    predicted = session.caller.asked

    def probe(session: Session, point: Point) -> str:
        leaves = session.caller.leaves(point, grad=False)
        moved = [k for k, name in enumerate(leaves) if name in predicted]
        function = session.caller.function(point, question.main)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, want = run(function, list(leaves.values()), moved)
        if got.shape != want.shape:
            return (
                f"gives a result of shape {list(got.shape)} under {name}, else {list(want.shape)}"
            )
        wrong = (got - want).abs() > 1e-7 + 1e-5 * want.abs()
        if not (wrong & want.isfinite()).any():
            return ""
        place = int(wrong.flatten().nonzero()[0])
        there, here = got.flatten()[place].item(), want.flatten()[place].item()
        return f"gives another answer under {name}: {there:.9g}, without it {here:.9g}"

    try:
        return session.probed(name, [point], probe)
    except Exception as error:
        session.note(f"{name} is not supported: {raised(error)}")
        return Check(name, "skipped", "the code does not support it")
