"""Powers whose exponent a kernel may know when it is compiled, against mpmath."""

from __future__ import annotations

import ctypes
import itertools
import subprocess

import mpmath as mp
import numpy as np
import pytest

from lossgen.backends.c_maths import maths_source
from tests.native.maths import COMPILER, FLAGS, HEAD, ordinals, ulps

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

# At each place an exponent that is known there (0 to 4), or one that is not (-1 says so).
PLACES = [(0.0, 0), (1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4), (2.5, -1), (0.5, -1), (3.0, -1)]
_LOOPS = """
void powers_{k}(const real *x, real *value, real *slope, long size)
{{
    for (long i = 0; i < size; i++) {{
        value[i] = real_power(x[i], {y}, {whole});
        slope[i] = real_slope_of_power(x[i], {y}, {whole});
    }}
}}
"""


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float", "double"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ctypes.CDLL, type]:
    folder = tmp_path_factory.mktemp("powers")
    text = HEAD + maths_source(["real_power", "real_slope_of_power"])
    for k, (y, whole) in enumerate(PLACES):
        text += _LOOPS.format(k=k, y=y, whole=whole)
    (folder / "powers.c").write_text(text, encoding="utf-8")
    double = f"-DREAL_IS_DOUBLE={int(request.param is np.float64)}"
    words = [str(COMPILER), *FLAGS, double, "-shared", "-fPIC", "powers.c", "-o", "powers.so"]
    subprocess.run([*words, "-lm"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "powers.so")), request.param


@pytest.mark.parametrize("k", range(len(PLACES)), ids=[f"{y}-{whole}" for y, whole in PLACES])
def test_value_and_slope(k: int, library: tuple[ctypes.CDLL, type]) -> None:
    loops, kind = library
    y, whole = PLACES[k]
    x = np.concatenate([ordinals(1e-6, 1e6, 300, kind), ordinals(0.5, 2, 300, kind)])
    x = np.append(x, kind(0))
    value, slope = np.empty_like(x), np.empty_like(x)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (x, value, slope)]
    getattr(loops, f"powers_{k}")(*pointers, ctypes.c_long(len(x)))
    # Each multiplication rounds once, by half a unit of what is then multiplied.
    limit = {0: 0, 1: 0, 2: 0.5, 3: 1.6, 4: 2.1, -1: 2}[whole]
    with mp.workprec(140):
        for at, found, sloped in itertools.islice(zip(x, value, slope, strict=True), len(x) - 1):
            exactly = mp.mpf(float(at))
            assert ulps(found, exactly**y) <= limit, at
            # The slope's exponent is 1 less, and where that is -1 it stands beside a factor 0.
            assert ulps(sloped, exactly ** (y - 1) if y else mp.mpf(0)) <= limit, at
    assert value[-1] == (1 if y == 0 else 0)
    assert slope[-1] == (1 if y == 1 else 0)
