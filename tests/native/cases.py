"""What each C function is, in mpmath; where it is tried; and the error allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp

INF = float("inf")


@dataclass(frozen=True)
class Case:
    """``exact`` in mpmath; the intervals where it is hard, of each argument; the limit in ulp."""

    exact: Callable[..., mp.mpf]
    hard: tuple[tuple[tuple[float, float], ...], ...]
    limit: float
    low: float = -INF
    high: float = INF

    @property
    def arguments(self) -> int:
        return self.exact.__code__.co_argcount


def _log_one_plus_exp(x: mp.mpf) -> mp.mpf:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _sigmoid(x: mp.mpf) -> mp.mpf:
    return 1 / (1 + mp.exp(-x))


# Subnormal results, a change of formula, a result near 0.
_EXP = ((-104, -87), (-746, -708), (-0.4, 0.4), (-1, 1), (87, 89), (708, 710), (-30, 30))
_LOGISTIC = ((-104, -87), (-746, -708), (-1, -0.8), (0.3, 1), (-1, -0.3), (-8, 8), (-40, 40))

CASES: dict[str, Case] = {
    "real_exp": Case(lambda x: mp.exp(x), (_EXP,), 1.5),
    "real_log": Case(
        lambda x: mp.log(x), (((0.5, 2), (0.99, 1.01), (1.3, 1.5), (0.6, 0.8)),), 1.5, 0
    ),
    "real_log1p": Case(
        lambda x: mp.log1p(x),
        (((-0.5, 1), (-1e-3, 1e-3), (0.35, 0.5), (-0.4, -0.2), (1, 1e9)),),
        1.5,
        -1,
    ),
    "real_sigmoid": Case(lambda x: _sigmoid(x), (_LOGISTIC,), 1.5),
    "real_softplus": Case(lambda x: _log_one_plus_exp(x), (_LOGISTIC,), 1.5),
    "real_log_sigmoid": Case(lambda x: -_log_one_plus_exp(-x), (_LOGISTIC,), 1.5),
    "real_tanh": Case(lambda x: mp.tanh(x), (((0.4, 0.7), (-0.7, -0.4), (-1, 1), (-20, 20)),), 1.5),
    "real_pow": Case(
        lambda x, y: mp.power(x, y),
        (
            ((0.5, 2), (0, 1), (1, 1e6), (0.9, 1.1), (1e-30, 1)),
            ((-1, 3), (-9, 9), (-7, 7), (-900, 900), (0, 3)),
        ),
        1.5,
        0,
    ),
    "real_hypot": Case(
        lambda x, y: mp.hypot(x, y),
        (
            ((-1, 1), (1e30, 3e38), (1e-45, 1e-36), (1e-320, 1e-300)),
            ((-2, 2), (1e30, 3e38), (1e-45, 1e-36), (1e-320, 1e-300)),
        ),
        1.5,
    ),
}
