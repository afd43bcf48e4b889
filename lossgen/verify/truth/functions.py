"""The elementwise functions of the language at one point: value and slopes.

In: plain mpmath numbers. Out: the value and the slope towards each argument, as ``lossgen.language``
states them: the tie rules of ``Max`` and ``Clip``, slope 0 of ``Abs`` at 0. Written from that page
and from textbooks, not from ``lossgen.derivatives``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossgen.verify.truth.tape import ONE, ZERO, mp

Point = tuple[Any, tuple[Any, ...]]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x)) if x >= 0 else mp.exp(x) / (1 + mp.exp(x))


def _log(x: Any) -> Point:
    if x < 0:
        return mp.nan, (mp.nan,)
    return (mp.log(x), (1 / x,)) if x != 0 else (-mp.inf, (mp.inf,))


def _sqrt(x: Any) -> Point:
    if x < 0:
        return mp.nan, (mp.nan,)
    root = mp.sqrt(x)
    return root, (1 / (2 * root) if root != 0 else mp.inf,)


def _sign(x: Any) -> Any:
    return ONE if x > 0 else -ONE if x < 0 else ZERO


def _softplus(x: Any) -> Any:
    return max(x, ZERO) + mp.log1p(mp.exp(-abs(x)))


def _log_cosh(x: Any) -> Any:
    return abs(x) + mp.log1p(mp.exp(-2 * abs(x))) - mp.log(2)


def _log1p(x: Any) -> Point:
    if x < -1:
        return mp.nan, (mp.nan,)
    return (mp.log1p(x), (1 / (1 + x),)) if x != -1 else (-mp.inf, (mp.inf,))


def _acos(x: Any) -> Point:
    if abs(x) > 1:
        return mp.nan, (mp.nan,)
    below = mp.sqrt((1 - x) * (1 + x))
    return mp.acos(x), (-1 / below if below != 0 else -mp.inf,)


def _lgamma(x: Any) -> Point:
    return (mp.loggamma(x), (mp.digamma(x),)) if x > 0 else (mp.inf, (mp.nan,))


UNARY: Mapping[str, Callable[[Any], Point]] = {
    "Exp": lambda x: (y := mp.exp(x), (y,)),
    "Log": _log,
    "Sqrt": _sqrt,
    "Abs": lambda x: (abs(x), (_sign(x),)),
    "Sign": lambda x: (_sign(x), (ZERO,)),
    "Floor": lambda x: (mp.floor(x), (ZERO,)),
    "Sigmoid": lambda x: (y := _sigmoid(x), (y * _sigmoid(-x),)),
    "LogSigmoid": lambda x: (-_softplus(-x), (_sigmoid(-x),)),
    "Softplus": lambda x: (_softplus(x), (_sigmoid(x),)),
    "Log1p": _log1p,
    "Expm1": lambda x: (mp.expm1(x), (mp.exp(x),)),
    "LogCosh": lambda x: (_log_cosh(x), (mp.tanh(x),)),
    "Tanh": lambda x: (mp.tanh(x), (mp.sech(x) ** 2,)),
    "Sin": lambda x: (mp.sin(x), (mp.cos(x),)),
    "Cos": lambda x: (mp.cos(x), (-mp.sin(x),)),
    "Acos": _acos,
    "Atan": lambda x: (mp.atan(x), (1 / (1 + x * x),)),
    "Erf": lambda x: (mp.erf(x), (2 * mp.exp(-x * x) / mp.sqrt(mp.pi),)),
    "Lgamma": _lgamma,
    "Digamma": lambda x: (mp.digamma(x), (mp.polygamma(1, x),)),
    "StopGradient": lambda x: (x, (ZERO,)),
}


def xlogy(x: Any, y: Any) -> Point:
    """``x * log(y)``, 0 where x = 0; where y is 0 too, its slopes are taken as 0."""
    if x == 0:
        return ZERO, (mp.log(y) if y > 0 else ZERO, ZERO)
    log, (slope,) = _log(y)
    return x * log, (log, x * slope)


def logaddexp(a: Any, b: Any) -> Point:
    """``log(exp(a) + exp(b))``."""
    top = max(a, b)
    if mp.isinf(top):
        return top, (mp.nan, mp.nan)
    return top + mp.log1p(mp.exp(-abs(a - b))), (_sigmoid(a - b), _sigmoid(b - a))


def ratio(a: Any, b: Any) -> Point:
    """``a / b``, and 0 where b = 0."""
    return (ZERO, (ZERO, ZERO)) if b == 0 else (a / b, (1 / b, -a / (b * b)))


def extreme(a: Any, b: Any, share: Any, sign: int) -> Point:
    """The larger (sign 1) or smaller (-1); at a tie ``share`` of the slope goes to the first."""
    if mp.isnan(a) or mp.isnan(b):
        return mp.nan, (mp.nan, mp.nan)
    if a == b:
        return a, (share, 1 - share)
    return (a, (ONE, ZERO)) if sign * a > sign * b else (b, (ZERO, ONE))


def clip(x: Any, low: Any, high: Any) -> Point:
    """``x`` held within [low, high], slope 1 on the closed interval."""
    return min(max(x, low), high), (ONE if low <= x <= high else ZERO, ZERO, ZERO)


def power(base: Any, exponent: Any) -> Point:
    """``base ** exponent``; a slope that is infinite only because the base is 0 is 0."""
    if base == 0:
        if exponent == 0:
            return ONE, (ZERO, ZERO)
        if exponent < 0:
            return mp.inf, (mp.nan, mp.nan)
        return ZERO, (ONE if exponent == 1 else ZERO, ZERO)
    whole = exponent == mp.floor(exponent)
    if base < 0 and not whole:
        return mp.nan, (mp.nan, mp.nan)
    result = base ** (int(exponent) if whole else exponent)
    return result, (exponent * result / base, result * mp.log(base) if base > 0 else mp.nan)
