"""The code as a graph of torch's own operations: value and gradient together.

In: a ``Session`` and a ``Point``. Out: a ``Trace``. It holds for tensors of the point's shapes, and
for the choices that the code's Python made there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossgen.verify.caller import Dtypes
from lossgen.verify.evidence.operations import OPERATIONS
from lossgen.verify.point import Point
from lossgen.verify.session import Session
from lossgen.verify.target import raised

_CLOSE = {torch.float64: 1e-9, torch.float32: 1e-4}


class NotTraced(Exception):
    """The code cannot be followed; the text says why."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A graph of the code.

    Attributes:
        module: takes the tensors in order; gives the value, then a gradient for each of ``names``.
    """

    module: Any
    tensors: tuple[str, ...]
    names: tuple[str, ...]


def trace(session: Session, point: Point, reduction: str, dtype: Dtypes = torch.float64) -> Trace:
    """Follow the code at a point, on tensors of a precision.

    Raises:
        NotTraced: where it cannot be followed, or the graph gives other numbers than the code.
    """
    from torch._decomp import core_aten_decompositions
    from torch.fx.experimental.proxy_tensor import make_fx

    caller = session.caller
    leaves = caller.leaves(point, dtype, grad=False)
    predicted = caller.asked
    moved = [k for k, name in enumerate(leaves) if name in predicted]
    function = caller.function(point, reduction)

    def both(*tensors: Tensor) -> tuple[Tensor, ...]:
        given = [x.detach().requires_grad_(k in moved) for k, x in enumerate(tensors)]
        result = function(*given)
        weights = torch.tensor(caller.weights(result.numel()), dtype=result.dtype)
        grads = torch.autograd.grad(
            result,
            [given[k] for k in moved],
            weights.view(result.shape),
            allow_unused=True,
            materialize_grads=True,
        )
        return (result, *grads)

    table = {
        op: rule
        for op, rule in core_aten_decompositions().items()  # type: ignore[no-untyped-call]
        if op.name().partition("::")[2].partition(".")[0] not in OPERATIONS
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = make_fx(both, decomposition_table=table, _error_on_data_dependent_ops=False)(
                *leaves.values()
            )
            again = module(*leaves.values())
            plain = both(*leaves.values())
    except Exception as error:
        raise NotTraced(raised(error)) from error
    # Code may compute in single precision, and its trace round in another order.
    rtol = _CLOSE.get(min((x.dtype for x in plain), key=lambda x: torch.finfo(x).bits), 0.05)
    for a, b in zip(again, plain, strict=True):
        if a.shape != b.shape or not torch.allclose(a, b, rtol, 1e-3 * rtol, equal_nan=True):
            raise NotTraced("torch's own trace gives other numbers than the code")
    names = tuple(name for k, name in enumerate(leaves) if k in moved)
    return Trace(module, tuple(leaves), names)
