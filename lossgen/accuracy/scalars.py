"""The elementwise functions of a formula with their slopes and curvatures, in many digits.

Each is stated by its definition and mpmath's own functions: nothing here is shared with the
compiler's table of derivatives. At singular points the slope is what docs/architecture.md says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp

from lossgen import nodes

Triple = tuple[Any, Any, Any]
ZERO, ONE = mp.mpf(0), mp.mpf(1)


_FAR = 5000  # bits before the point: no more digits than these are asked for


def exp(x: Any) -> Any:
    """e**x; infinity or 0 where the exponent has more digits than mpmath can hold."""
    if x and mp.isfinite(x) and mp.mag(x) > _FAR:
        return mp.inf if x > 0 else ZERO
    return mp.exp(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, of numbers of any size."""
    return mp.sign(x) if x and mp.mag(x) > _FAR else mp.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without an overflow of the exponent's digits."""
    if x >= 0:
        return 1 / (1 + exp(-x))
    power = exp(x)
    return power / (1 + power)


def softplus(x: Any) -> Any:
    return x + mp.log1p(exp(-x)) if x > 0 else mp.log1p(exp(x))


def _bell(x: Any) -> Any:
    """The slope of the sigmoid."""
    return sigmoid(x) * sigmoid(-x)


def _log(x: Any) -> Triple:
    if x < 0:
        return mp.nan, mp.nan, mp.nan
    if x == 0:
        return -mp.inf, mp.inf, mp.inf
    return mp.log(x), 1 / x, 1 / x**2


def _log1p(x: Any) -> Triple:
    if x <= -1:
        return (-mp.inf, mp.inf, mp.inf) if x == -1 else (mp.nan, mp.nan, mp.nan)
    return mp.log1p(x), 1 / (1 + x), 1 / (1 + x) ** 2


def _sqrt(x: Any) -> Triple:
    if x < 0:
        return mp.nan, mp.nan, mp.nan
    if x == 0:
        return ZERO, ZERO, ZERO  # the policy
    root = mp.sqrt(x)
    return root, 1 / (2 * root), 1 / (4 * root * x)


def _sigmoid(x: Any) -> Triple:
    slope = _bell(x)
    return sigmoid(x), slope, slope * mp.tanh(x / 2)


def _log_sigmoid(x: Any) -> Triple:
    return -softplus(-x), sigmoid(-x), _bell(x)


def _softplus(x: Any) -> Triple:
    return softplus(x), sigmoid(x), _bell(x)


def _exp(x: Any) -> Triple:
    power = exp(x)
    return power, power, power


def _expm1(x: Any) -> Triple:
    power = exp(x)
    return power - 1 if power in (ZERO, mp.inf) else mp.expm1(x), power, power


def _log_cosh(x: Any) -> Triple:
    # log cosh x = log1p(2 sinh(x/2)**2), and |x| - log 2 + log1p(exp(-2|x|)) where that overflows.
    size = abs(x)
    value = (
        mp.log1p(2 * mp.sinh(x / 2) ** 2)
        if size < 1
        else size - mp.log(2) + mp.log1p(exp(-2 * size))
    )
    return value, tanh(x), 4 * _bell(2 * x)


def _tanh(x: Any) -> Triple:
    slope = 4 * _bell(2 * x)
    return tanh(x), slope, 2 * slope * tanh(x)


def _acos(x: Any) -> Triple:
    if abs(x) > 1:
        return mp.nan, mp.nan, mp.nan
    if abs(x) == 1:
        return mp.acos(x), ZERO, ZERO  # the policy
    square = (1 - x) * (1 + x)
    return mp.acos(x), -1 / mp.sqrt(square), -x / square ** mp.mpf(1.5)


def _erf(x: Any) -> Triple:
    slope = 2 * exp(-(x**2)) / mp.sqrt(mp.pi)
    return mp.erf(x), slope, 2 * x * slope


def _erfc(x: Any) -> Triple:
    _, slope, curvature = _erf(x)
    return mp.erfc(x), -slope, curvature


def _log1mexp(x: Any) -> Triple:
    if x > 0:
        return mp.nan, mp.nan, mp.nan
    if x == 0:
        return -mp.inf, ZERO, ZERO  # the policy
    below, power = mp.expm1(x), mp.exp(x)
    return mp.log(-below), power / below, power / below**2


def _atan(x: Any) -> Triple:
    square = 1 + x**2
    return mp.atan(x), 1 / square, 2 * x / square**2


FUNCTIONS: dict[type[nodes.Unary], Callable[[Any], Triple]] = {
    nodes.Exp: _exp,
    nodes.Log: _log,
    nodes.Sqrt: _sqrt,
    nodes.Sigmoid: _sigmoid,
    nodes.LogSigmoid: _log_sigmoid,
    nodes.Softplus: _softplus,
    nodes.Log1p: _log1p,
    nodes.Expm1: _expm1,
    nodes.LogCosh: _log_cosh,
    nodes.Tanh: _tanh,
    nodes.Sin: lambda x: (mp.sin(x), mp.cos(x), mp.sin(x)),
    nodes.Cos: lambda x: (mp.cos(x), -mp.sin(x), mp.cos(x)),
    nodes.Acos: _acos,
    nodes.Atan: _atan,
    nodes.Erf: _erf,
    nodes.Erfc: _erfc,
    nodes.Log1mExp: _log1mexp,
    nodes.Lgamma: lambda x: (mp.loggamma(x), mp.psi(0, x), mp.psi(1, x)),
    nodes.Digamma: lambda x: (mp.psi(0, x), mp.psi(1, x), mp.psi(2, x)),
    nodes.Trigamma: lambda x: (mp.psi(1, x), mp.psi(2, x), mp.psi(3, x)),
}


def power(base: Any, exponent: Any) -> Any:
    """``base**exponent`` over the reals; NaN where there is none."""
    if base == 0 and exponent < 0:
        return mp.inf
    if base < 0 and not mp.isint(exponent):
        return mp.nan
    return base**exponent


def power_slope(base: Any, exponent: Any) -> Any:
    """The slope in the base; at a base of 0 the exponent where that is 1, else 0 or its policy."""
    if base == 0:
        # An infinite slope is taken as 0, but for exponents below 0, which have a pole.
        if exponent == 1:
            return ONE
        return mp.nan if exponent < 0 else ZERO
    return exponent * power(base, exponent - 1)
