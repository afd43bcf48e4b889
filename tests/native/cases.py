"""What each C function is, in mpmath; where it is tried; and the error allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import mpmath as mp

INF = float("inf")
Interval = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """``exact`` in mpmath; of each argument the intervals where it is hard; the limit in ulp.

    The error counts in ulp of the largest of ``scales``, which are the result unless given:
    where two numbers of the type cancel, the result cannot have more digits than they have.
    """

    exact: Callable[..., mp.mpf]
    hard: tuple[tuple[Interval, ...], ...]
    limit: float = 2.0
    low: float = -INF
    high: float = INF
    scale: Callable[..., mp.mpf] | None = None

    @property
    def arguments(self) -> int:
        return len(signature(self.exact).parameters)


def _log_one_plus_exp(x: mp.mpf) -> mp.mpf:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _sigmoid(x: mp.mpf) -> mp.mpf:
    return 1 / (1 + mp.exp(-x))


def _sigmoid_share(x: mp.mpf) -> mp.mpf:
    return -_sigmoid(x) if x < 0 else _sigmoid(-x)


def _log_cosh(x: mp.mpf) -> mp.mpf:
    if abs(x) < 1e-3:
        return mp.log1p(2 * mp.sinh(x / 2) ** 2)
    return abs(x) + mp.log1p(mp.exp(-2 * abs(x))) - mp.log(2)


def _log_erfc(x: mp.mpf) -> mp.mpf:
    if x < 0.5:
        return mp.log1p(-mp.erf(x))
    return mp.log(_erfcx(x)) - x**2


def _erfcx(x: mp.mpf) -> mp.mpf:
    if x < 1000:
        return mp.exp(x**2) * mp.erfc(x)
    z = 1 / (2 * x**2)
    return (1 - z + 3 * z**2 - 15 * z**3 + 105 * z**4) / (x * mp.sqrt(mp.pi))


def _digamma(x: mp.mpf) -> mp.mpf:
    return mp.digamma(x) if x > 0 or x != mp.floor(x) else mp.nan if x else -mp.inf


def _trigamma(x: mp.mpf) -> mp.mpf:
    return mp.psi(1, x) if x > 0 or x != mp.floor(x) else mp.inf


def _asinh(x: mp.mpf) -> mp.mpf:
    size = abs(x)
    return mp.sign(x) * mp.log1p(size + _hypot_minus_one(size))


def _hypot_minus_one(x: mp.mpf) -> mp.mpf:
    return x**2 / (mp.sqrt(1 + x**2) + 1)


def _power_minus_one(x: mp.mpf, p: mp.mpf) -> mp.mpf:
    return mp.expm1(p * mp.log1p(x))


def _log_add_exp(a: mp.mpf, b: mp.mpf) -> mp.mpf:
    return max(a, b) + mp.log1p(mp.exp(-abs(a - b)))


def _log_ratio(p: mp.mpf, q: mp.mpf) -> mp.mpf:
    if q == 0:
        return mp.inf if p > 0 else mp.nan
    return mp.log1p((p - q) / q) if q < 2 * p < 4 * q else mp.log(p / q)


# Subnormal results, a change of formula, a result near 0.
_EXP = ((-104, -87), (-746, -708), (-0.4, 0.4), (-1, 1), (87, 89), (708, 710), (-30, 30))
_LOGISTIC = ((-104, -87), (-746, -708), (-1, -0.8), (0.3, 1), (-1, -0.3), (-8, 8), (-40, 40))
_ANY = ((-1, 1), (-10, 10), (-1e-3, 1e-3), (0.3, 3), (-1000, 1000))
_POSITIVE = ((0.5, 2), (0, 1), (1, 1e6), (0.9, 1.1), (1e-30, 1), (0.7, 1.5))
_POWERS = ((-1, 3), (-9, 9), (-7, 7), (-900, 900), (0, 3), (-40, 40))
_SIZES = ((-1, 1), (1e30, 3e38), (1e-45, 1e-36), (1e-320, 1e-300), (-2, 2))

CASES: dict[str, Case] = {
    "real_exp": Case(lambda x: mp.exp(x), (_EXP,), 1.5),
    "real_exp_negative": Case(lambda x: mp.exp(x), (_EXP,), 1.5, high=0),
    "real_expm1": Case(lambda x: mp.expm1(x), (_EXP,), 1.5),
    "real_log": Case(
        lambda x: mp.log(x), (((0.5, 2), (0.99, 1.01), (1.3, 1.5), (0.6, 0.8)),), 1.5, 0
    ),
    "real_log1p": Case(
        lambda x: mp.log1p(x),
        (((-0.5, 1), (-1e-3, 1e-3), (0.35, 0.5), (-0.4, -0.2), (1, 1e9)),),
        1.5,
        -1,
    ),
    "real_sigmoid": Case(_sigmoid, (_LOGISTIC,), 1.5),
    "real_sigmoid_share": Case(_sigmoid_share, (_LOGISTIC,), 1.5),
    "real_sigmoid_of_share": Case(
        lambda x: -x if x < 0 else 1 - x, (((-0.5, 0.5), (-1e-3, 1e-3)),), 0.5, -0.5, 0.5
    ),
    # Over all floats from 1/4 to 4 they come to 1.61, at 1.2664. With what the exponential is
    # rounded by in the last sum that is 1.45, at a twentieth more of the time.
    "real_softplus": Case(_log_one_plus_exp, (_LOGISTIC,)),
    "real_log_sigmoid": Case(lambda x: -_log_one_plus_exp(-x), (_LOGISTIC,)),
    "real_tanh": Case(lambda x: mp.tanh(x), (((0.4, 0.7), (-0.7, -0.4), *_ANY),), 1.5),
    "real_sqrt": Case(lambda x: mp.sqrt(x), (((0, 1), (1, 4)),), 0.5, 0),
    "real_log_cosh": Case(_log_cosh, (((0.9, 1.2), (-1.2, -0.9), *_ANY),)),
    "real_log1mexp": Case(
        lambda x: mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x)),
        (((-104, -87), (-746, -708), (-1.5, -0.2), (-0.8, -0.6), (-40, 0)),),
        2.0,
        -800,
        -1e-320,
    ),
    "real_asinh": Case(_asinh, (((1e17, 1e20), *_ANY),)),
    "real_atan": Case(lambda x: mp.atan(x), (((0.4, 0.5), (2.3, 2.5), *_ANY),)),
    "real_acos": Case(
        lambda x: mp.acos(x), (((0.9, 1), (-1, -0.9), (0.4, 0.6), (-0.6, -0.4)),), 2, -1, 1
    ),
    "real_sin": Case(lambda x: mp.sin(x), (((3, 3.3), *_ANY),)),
    "real_cos": Case(lambda x: mp.cos(x), (((1.5, 1.7), *_ANY),)),
    "real_erf": Case(lambda x: mp.erf(x), (((0.9, 1.1), (0, 6), *_ANY),)),
    "real_erfc": Case(
        lambda x: mp.erfc(x), (((0.4, 1), (9, 10.1), (25, 27.3), (0, 6), *_ANY),), 2, -1e3, 40
    ),
    "real_erfcx": Case(_erfcx, (((-1, 1), (0, 10), (-9, 0), (1, 1e6)),), 2, -26),
    "real_log_erfc": Case(_log_erfc, (((-1, 1), (0.4, 0.6), (0, 10), (-9, 0)),), 2, -1e3, 1e9),
    "real_hypotm1": Case(_hypot_minus_one, (_ANY,)),
    "real_lgamma": Case(
        lambda x: mp.loggamma(x), (((0, 3), (3, 30), (0.9, 1.1), (1.9, 2.1)),), 5, 1e-30, 1e30
    ),
    "real_digamma": Case(
        _digamma,
        (((0, 3), (3, 30), (-9.9, -0.1)),),
        4,
        -50.5,
        1e30,
        lambda x: mp.mpf(4) + abs(_digamma(x)) + abs(x),
    ),
    "real_trigamma": Case(_trigamma, (((0, 3), (3, 30), (-9.9, -0.1)),), 4, -50.5, 1e30),
    "real_pow": Case(lambda x, y: mp.power(x, y), (_POSITIVE, _POWERS), 1.5, 0),
    "real_power_slope": Case(lambda x, y: mp.power(x, y - 1), (_POSITIVE, _POWERS), 2, 1e-3, 1e4),
    "real_pow1pm1": Case(
        _power_minus_one,
        (((-0.5, 1), (-1, 1), (1, 1e6), (-1e-3, 1e-3), (-0.1, 0.1)), _POWERS),
        2,
        -1,
        1e9,
    ),
    "real_hypot": Case(lambda x, y: mp.hypot(x, y), (_SIZES, _SIZES), 1.5),
    "real_xlogy": Case(lambda x, y: x * mp.log(y), (_POSITIVE, _POSITIVE), 2, 1e-30),
    "real_log_ratio": Case(_log_ratio, (_POSITIVE, _POSITIVE), 2, 0),
    "real_rel_entropy": Case(lambda p, q: p * _log_ratio(p, q), (_POSITIVE, _POSITIVE), 2, 1e-30),
    "real_log_add_exp": Case(
        _log_add_exp,
        (_ANY, ((-1, 1), (-30, 30), (-1e-3, 1e-3), (0.3, 3), (-1000, 1000))),
        2,
        -INF,
        INF,
        lambda a, b: max(abs(_log_add_exp(a, b)), abs(max(a, b))),
    ),
}
