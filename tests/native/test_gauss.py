"""Functions of what was rounded, or is out of range, against mpmath."""

from __future__ import annotations

import ctypes

import mpmath as mp
import numpy as np
import pytest

from tests.native.maths import COMPILER, call, compiled, ordinals, ulps

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
Library = tuple[ctypes.CDLL, type]


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float", "double"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    counts = {"real_gauss": 3, "real_remainder": 2, "real_log_sum_of": 2, "real_finite": 1}
    counts["real_log_mixture"] = 3
    folder = tmp_path_factory.mktemp("gauss")
    return compiled(folder, counts, request.param is np.float64, "-march=native")[0], request.param


def test_what_rounding_takes_is_exact(library: Library) -> None:
    loops, kind = library
    draw = np.random.default_rng(3)
    a = ordinals(-1e6, 1e6, 999, kind)
    b = draw.permutation(ordinals(-1e3, 1e3, 999, kind))
    rest = call(loops, "real_remainder", a, b)
    for x, y, found in zip(a, b, rest, strict=True):
        with mp.workprec(2200):
            exact = mp.mpf(float(x)) - mp.mpf(float(y)) - mp.mpf(float(x - y))
        assert mp.mpf(float(found)) == exact, (x, y)
    # Beyond the largest number nothing is known to be left.
    far = np.array([np.finfo(kind).max, np.inf, 1], dtype=kind)
    assert not call(loops, "real_remainder", far, -far[[0, 0, 1]]).any()


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0, 0.75])
def test_the_bell(rate: float, library: Library) -> None:
    loops, kind = library
    draw = np.random.default_rng(4)
    x = np.concatenate([ordinals(1e-8, 30, 600, kind), ordinals(0.5, 16, 600, kind)])
    x *= draw.choice([-1, 1], len(x)).astype(kind)
    rest = (np.spacing(np.abs(x)) * draw.uniform(-0.5, 0.5, len(x))).astype(kind)
    found = call(loops, "real_gauss", x, np.full_like(x, rate), rest)
    with mp.workprec(140):
        for value, at, less in zip(found, x, rest, strict=True):
            exact = mp.exp(-rate * (mp.mpf(float(at)) + mp.mpf(float(less))) ** 2)
            assert ulps(value, exact) <= 1.5, (at, less)


def test_the_logarithm_of_a_sum_near_1(library: Library) -> None:
    loops, kind = library
    x = np.concatenate([ordinals(1e-30, 1e-3, 400, kind), ordinals(1e-3, 1.5, 600, kind)])
    for c in (1.0, 0.9, 0.5, 1e-8):
        found = call(loops, "real_log_sum_of", x, np.full_like(x, c))
        with mp.workprec(400):
            for value, at in zip(found, x, strict=True):
                assert ulps(value, mp.log(mp.mpf(float(at)) + mp.mpf(float(kind(c))))) <= 2, (at, c)


def test_the_logarithm_of_a_mixture(library: Library) -> None:
    loops, kind = library
    x = np.concatenate([ordinals(1e-30, 3, 400, kind), ordinals(0.1, 1e4, 400, kind)])
    x = np.concatenate([x, -x])
    for share in (0.5, 0.125, 0.9, 1e-6, 1 - 2.0**-20):
        weights = (np.full_like(x, kind(share)), np.full_like(x, kind(1 - share)))
        found = call(loops, "real_log_mixture", x, *weights)
        with mp.workprec(400):
            for value, at in zip(found, x, strict=True):
                less = mp.mpf(float(kind(share))) * mp.expm1(mp.mpf(float(at)))
                assert ulps(value, mp.log1p(less)) <= 3, (at, share)
    ends = np.array([0, np.finfo(kind).max, np.inf, -np.inf, np.nan] * 9, dtype=kind)
    found = call(loops, "real_log_mixture", ends, *(np.full_like(ends, 0.5) for _ in range(2)))
    wanted = np.array([0, np.finfo(kind).max, np.inf, np.log(0.5), np.nan] * 9, dtype=kind)
    np.testing.assert_allclose(found, wanted, rtol=3 * np.finfo(kind).eps)


def test_the_largest_number_stands_for_infinity(library: Library) -> None:
    loops, kind = library
    most = np.finfo(kind).max
    x = np.array([np.inf, -np.inf, most, -most, 3, -0.0, np.nan], dtype=kind)
    wanted = np.array([most, -most, most, -most, 3, -0.0, np.nan], dtype=kind)
    np.testing.assert_array_equal(call(loops, "real_finite", x), wanted)


def test_ends(library: Library) -> None:
    loops, kind = library
    big = np.finfo(kind).max
    x = np.array([0, -0.0, 100, -100, big, np.inf, -np.inf, np.nan] * 9, dtype=kind)
    found = call(loops, "real_gauss", x, np.full_like(x, 0.5), np.zeros_like(x))
    wanted = np.array([1, 1, 0, 0, 0, 0, 0, np.nan] * 9, dtype=kind)
    np.testing.assert_array_equal(found, wanted)
