"""Errors over many floats: against the libraries' functions in double, which have 29 bits more."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from tests.native.maths import call

Doubles = npt.NDArray[np.float64]


def _sigmoid(x: Doubles) -> Doubles:
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


def _softplus(x: Doubles) -> Doubles:
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def _log_cosh(x: Doubles) -> Doubles:
    size = abs(x)
    near = np.log1p(2 * np.sinh(np.minimum(size, 1) / 2) ** 2)
    return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - np.log(2))


def _log1mexp(x: Doubles) -> Doubles:
    return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _hypot_minus_one(x: Doubles) -> Doubles:
    return x**2 / (np.sqrt(1 + x**2) + 1)


def _of_torch(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Doubles], Doubles]:
    return lambda x: np.asarray(function(torch.from_numpy(x)))


def _log_erfc(x: torch.Tensor) -> torch.Tensor:
    tail = torch.log(torch.special.erfcx(x)) - x**2
    return torch.where(x < 0.5, torch.log1p(-torch.erf(x)), tail)


DENSE: dict[str, Callable[[Doubles], Doubles]] = {
    "real_exp": np.exp,
    "real_exp_negative": np.exp,
    "real_expm1": np.expm1,
    "real_log": np.log,
    "real_log1p": np.log1p,
    "real_sigmoid": _sigmoid,
    "real_softplus": _softplus,
    "real_log_sigmoid": lambda x: -_softplus(-x),
    "real_tanh": np.tanh,
    "real_log_cosh": _log_cosh,
    "real_log1mexp": _log1mexp,
    "real_asinh": lambda x: np.copysign(np.arcsinh(abs(x)), x),
    "real_atan": np.arctan,
    "real_acos": np.arccos,
    "real_erf": _of_torch(torch.erf),
    "real_erfc": _of_torch(torch.erfc),
    "real_erfcx": _of_torch(torch.special.erfcx),
    "real_log_erfc": _of_torch(_log_erfc),
    "real_hypotm1": _hypot_minus_one,
}


# Where every 1031st float, as of the others, leaves out the worst.
STEPS = {"real_softplus": 67, "real_log_sigmoid": 67}


def densely(library: ctypes.CDLL, name: str, step: int = 1031) -> tuple[float, float]:
    """The largest error in ulp over every ``step``-th float, and where; NaN must meet NaN."""
    largest = (0.0, 0.0)
    for start in range(0, 2**32, step << 18):
        words = np.arange(start, min(start + (step << 18), 2**32), step, dtype=np.uint64)
        x = words.astype(np.uint32).view(np.float32)
        if name == "real_exp_negative":
            x = np.where(x > 0, -x, x)
        with np.errstate(all="ignore"):
            exact = DENSE[name](x.astype(np.float64))
            error = _ulps(call(library, name, x), exact)
        at = int(error.argmax())
        largest = max(largest, (float(error[at]), float(x[at])))
    return largest


def _ulps(found: npt.NDArray[np.float32], exact: Doubles) -> Doubles:
    rounded = exact.astype(np.float32)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    unit = np.ldexp(1.0, np.maximum(np.frexp(exact)[1] - 24, -149))
    error = abs(found.astype(np.float64) - exact) / unit
    ends = ~np.isfinite(rounded) | ~np.isfinite(found)
    return np.where(ends, np.where(same, 0.0, np.inf), error)
