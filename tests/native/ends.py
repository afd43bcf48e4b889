"""What each C function gives at the ends of its domain, at infinities, zeros and NaN."""

from __future__ import annotations

INF = float("inf")
NAN = float("nan")
# At the ends of the type, by the limits of the formula; where there is none, as torch has it.
ENDS: dict[str, tuple[tuple[float, ...], ...]] = {
    "real_exp": ((INF, INF), (-INF, 0), (0, 1), (1e5, INF), (-1e5, 0)),
    "real_exp_negative": ((-INF, 0), (0, 1), (-0.0, 1), (-1e5, 0)),
    "real_expm1": ((INF, INF), (-INF, -1), (0, 0), (-0.0, -0.0), (1e5, INF), (-1e5, -1)),
    "real_log": ((INF, INF), (0, -INF), (-0.0, -INF), (1, 0), (-1, NAN), (-INF, NAN)),
    "real_log1p": ((INF, INF), (-1, -INF), (0, 0), (-0.0, -0.0), (-2, NAN), (-INF, NAN)),
    "real_sigmoid": ((INF, 1), (-INF, 0), (0, 0.5), (1e5, 1), (-1e5, 0)),
    "real_sigmoid_share": ((INF, 0), (-INF, -0.0), (0, 0.5), (-0.0, -0.5), (1e5, 0)),
    "real_sigmoid_of_share": ((0, 1), (-0.0, 0), (0.5, 0.5), (-0.5, 0.5)),
    "real_softplus": ((INF, INF), (-INF, 0), (1e5, 1e5), (-1e5, 0)),
    "real_log_sigmoid": ((INF, 0), (-INF, -INF), (1e5, 0), (-1e5, -1e5)),
    "real_tanh": ((INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0), (100, 1)),
    "real_sqrt": ((INF, INF), (0, 0), (-1, NAN), (-INF, NAN)),
    "real_log_cosh": ((INF, INF), (-INF, INF), (0, 0), (-0.0, 0)),
    "real_log1mexp": ((-INF, 0), (0, -INF), (1, NAN), (INF, NAN)),
    "real_asinh": ((INF, INF), (-INF, -INF), (0, 0), (-0.0, -0.0)),
    "real_atan": ((0, 0), (-0.0, -0.0)),
    "real_acos": ((1, 0), (1.5, NAN), (-1.5, NAN), (INF, NAN)),
    "real_sin": ((0, 0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)),
    "real_cos": ((0, 1), (INF, NAN), (-INF, NAN)),
    "real_erf": ((INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0)),
    "real_erfc": ((INF, 0), (-INF, 2), (0, 1)),
    "real_erfcx": ((INF, 0), (-INF, INF), (0, 1), (-30, INF)),
    "real_log_erfc": ((INF, -INF), (0, 0)),
    "real_hypotm1": ((INF, INF), (-INF, INF), (0, 0), (1e30, 1e30)),
    "real_lgamma": ((INF, INF), (-INF, INF), (0, INF), (-1, INF), (1, 0), (2, 0)),
    "real_digamma": ((INF, INF), (-INF, NAN), (0, -INF), (-0.0, INF), (-1, NAN)),
    "real_trigamma": ((INF, 0), (-INF, NAN), (0, INF), (-0.0, INF), (-1, INF)),
    "real_pow": (
        (0, 0, 1), (NAN, 0, 1), (1, NAN, 1), (0, 2, 0), (0, -2, INF), (0, 0.5, 0), (0, -0.5, INF),
        (-0.0, 3, -0.0), (-0.0, -3, -INF), (-0.0, 2, 0), (-2, 3, -8), (-2, 2, 4), (-2, -1, -0.5),
        (-8, 0.5, NAN), (-1, INF, 1), (-1, -INF, 1), (2, INF, INF), (2, -INF, 0), (0.5, INF, 0),
        (0.5, -INF, INF), (INF, 2, INF), (INF, -2, 0), (-INF, 3, -INF), (-INF, 2, INF),
        (-INF, -3, -0.0), (-INF, 0.5, INF), (0, INF, 0), (0, -INF, INF), (2, 1e5, INF),
        (2, -1e5, 0), (NAN, 1, NAN), (2, NAN, NAN), (1, INF, 1), (3, 1, 3),
    ),
    "real_power_slope": (
        (0, 1, 1), (0, 2, 0), (0, 0.5, 0), (0, 0, 0), (2, 0, 0), (2, 1, 1), (2, 3, 4),
        (4, 0.5, 0.5), (-2, 3, 4), (-2, 4, -8), (-2, 0.5, NAN), (NAN, 2, NAN), (NAN, 0.5, NAN),
        (INF, 2, INF), (INF, 0.5, 0),
    ),
    "real_pow1pm1": (
        (0, 3, 0), (3, 0, 0), (-1, 2, -1), (-1, -2, INF), (1, 2, 3), (-3, 2, 3), (-3, 3, -9),
        (-3, 0.5, NAN), (INF, 2, INF), (INF, -2, -1), (NAN, 2, NAN), (2, NAN, NAN),
    ),
    "real_hypot": (
        (0, 0, 0), (3, 4, 5), (INF, NAN, INF), (NAN, -INF, INF), (INF, 1, INF), (NAN, 1, NAN),
        (1, NAN, NAN), (-3, 0, 3),
    ),
    "real_xlogy": (
        (0, 0, 0), (0, INF, 0), (0, -1, 0), (0, NAN, NAN), (1, 0, -INF), (1, -1, NAN),
        (NAN, 2, NAN), (2, INF, INF), (NAN, 1, NAN),
    ),
    "real_log_ratio": (
        (0, 1, -INF), (1, 0, INF), (0, 0, NAN), (INF, 1, INF), (1, INF, -INF), (INF, INF, NAN),
        (1, 1, 0), (-1, 1, NAN), (1, -1, NAN), (NAN, 1, NAN), (1, NAN, NAN), (1e30, 1e30, 0),
    ),
    "real_rel_entropy": (
        (0, 1, 0), (0, 0, 0), (1, 0, INF), (1, 1, 0), (NAN, 1, NAN), (0, NAN, NAN), (1, NAN, NAN),
    ),
    "real_log_add_exp": (
        (INF, INF, INF), (-INF, -INF, -INF), (INF, -INF, INF), (-INF, 2, 2), (3, -INF, 3),
        (NAN, 1, NAN), (1, NAN, NAN), (INF, NAN, NAN), (1000, 0, 1000),
    ),
    "real_abs": ((-2, 2), (-0.0, 0), (-INF, INF)),
    "real_sign": ((-2, -1), (3, 1), (0, 0), (INF, 1)),
    "real_step": ((-2, 0), (3, 1), (0, 0.5)),
    "real_floor": ((1.5, 1), (-1.5, -2), (INF, INF)),
    "real_max": ((1, 2, 2), (2, 1, 2), (NAN, 1, NAN), (1, NAN, NAN), (-INF, INF, INF)),
    "real_min": ((1, 2, 1), (2, 1, 1), (NAN, 1, NAN), (1, NAN, NAN), (-INF, INF, -INF)),
    "real_ratio": ((1, 2, 0.5), (1, 0, 0), (0, 0, 0), (NAN, 0, 0), (1, NAN, NAN), (INF, INF, NAN)),
}  # fmt: skip
# These have a value for NaN.
TOTAL = ("real_sign", "real_step")
