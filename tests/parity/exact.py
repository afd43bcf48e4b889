"""Values and derivatives of the losses with several hundred digits: the arbiter of a difference."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
from torch import Tensor

from tests.parity.formulas import FORMULAS, Array
from tests.parity.losses import Case
from tests.parity.scalar import DIGITS, Exact, lift


def _arrays(case: Case, along: tuple[str, int] | None) -> dict[str, Any]:
    """The case's tensors as arrays; the chosen element (tensor, flat index) has slope one."""

    def leaf(x: float, slope: int) -> Exact:
        return Exact(mp.mpf(x), mp.mpf(slope))

    arrays: dict[str, Any] = {}
    for key, tensor in case.tensors.items():
        flat = tensor.detach().reshape(-1).tolist()
        if tensor.is_floating_point():
            array = np.empty(len(flat), dtype=object)
            array[:] = [leaf(x, along == (key, k)) for k, x in enumerate(flat)]
            arrays[key] = array.reshape(tuple(tensor.shape))
        else:
            arrays[key] = np.array(flat, dtype=np.int64).reshape(tuple(tensor.shape))
    return arrays


def result(case: Case, along: tuple[str, int] | None = None) -> Array:
    """The reduced result of a case, one `Exact` per element of torch's result."""
    options = dict(case.options)
    reduction = options.pop("reduction", "mean")
    with mp.workdps(DIGITS):
        items, divisor = FORMULAS[case.loss](**_arrays(case, along), **options)
        if reduction == "none":
            return np.asarray(items, dtype=object)
        total = lift(np.sum(items))
        if reduction == "batchmean":
            divisor = case.tensors["input"].shape[0] if case.tensors["input"].dim() else 1
        if reduction != "sum":
            # The mean over nothing has no value; every derivative of it is undefined too.
            empty = lift(divisor).value == 0
            total = Exact(mp.nan, mp.nan) if empty else total / divisor
        return np.asarray(total, dtype=object)


def derivative(case: Case, key: str, index: int, upstream: Tensor) -> Exact:
    """The derivative of `sum(result * upstream)` along one element, as a value with its bound."""
    with mp.workdps(DIGITS):
        total = lift(0)
        rows = result(case, (key, index)).reshape(-1)
        for item, factor in zip(rows, upstream.reshape(-1).tolist(), strict=True):
            total = total + item * factor
    return Exact(total.slope, noise=total.slope_noise, kink=total.kink)
