"""The C functions of ``templates/c`` compiled and called, and their errors against mpmath."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import mpmath as mp
import numpy as np
import numpy.typing as npt

from lossgen.backends.c_maths import maths_source
from tests.native.cases import CASES, Case

Array = npt.NDArray[np.floating]

FLAGS = ("-O3", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror")
COMPILER = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")

HEAD = """\
#if REAL_IS_DOUBLE
typedef double real;
#else
typedef float real;
#endif
"""
_LOOP = """
void loop_{name}({arguments}, real *result, long size)
{{
#pragma omp simd
    for (long i = 0; i < size; i++) result[i] = {name}({reads});
}}
"""


def program(functions: dict[str, int]) -> str:
    """A C file with a loop over each function, by the number of its arguments."""
    text = HEAD + maths_source(functions)
    for name, count in functions.items():
        arguments = ", ".join(f"const real *x{k}" for k in range(count))
        reads = ", ".join(f"x{k}[i]" for k in range(count))
        text += _LOOP.format(name=name, arguments=arguments, reads=reads)
    return text


def compiled(
    folder: Path, functions: dict[str, int], double: bool, *flags: str
) -> tuple[ctypes.CDLL, str]:
    """The loops as a library, and what the compiler said."""
    assert COMPILER is not None
    source, library = folder / "maths.c", folder / f"maths{int(double)}.so"
    source.write_text(program(functions), encoding="utf-8")
    define = f"-DREAL_IS_DOUBLE={int(double)}"
    words = [COMPILER, *FLAGS, *flags, define, "-shared", "-fPIC", str(source), "-o", str(library)]
    done = subprocess.run([*words, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library)), done.stderr


def call(library: ctypes.CDLL, name: str, *arguments: Array) -> Array:
    """The function over arrays, in one loop."""
    arrays = [np.ascontiguousarray(x) for x in arguments]
    result = np.empty_like(arrays[0])
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*arrays, result)]
    getattr(library, f"loop_{name}")(*pointers, ctypes.c_long(len(result)))
    return result


def ordinals(low: float, high: float, count: int, kind: type[np.floating]) -> Array:
    """Numbers between two of a type, such that as many of the type's lie between neighbours."""
    word = np.int64 if kind is np.float64 else np.int32
    ends = [_ordinal(kind(x), word) for x in (low, high)]
    found = np.array([ends[0] + (ends[1] - ends[0]) * k // count for k in range(count + 1)])
    bits = np.where(found < 0, np.iinfo(word).min - found, found).astype(word)
    return bits.view(kind)


def _ordinal(x: np.floating, word: type[np.signedinteger]) -> int:
    bits = int(x.view(word))
    return bits if bits >= 0 else int(np.iinfo(word).min) - bits


def ulps(found: np.floating, exact: mp.mpf, scale: mp.mpf | None = None) -> float:
    """The error in units of the last digit that the type has at the exact value."""
    info = np.finfo(found.dtype)
    if not mp.isfinite(exact) or not np.isfinite(found):
        wanted = _rounded(exact, info)
        same = np.isnan(found) if np.isnan(wanted) else float(found) == wanted
        return 0.0 if same else float("inf")
    exponent = mp.frexp(exact if scale is None else scale)[1] if exact else -9999
    exponent = max(exponent, int(info.minexp) + 1)
    return float(abs(mp.mpf(float(found)) - exact) * mp.mpf(2) ** (info.nmant + 1 - exponent))


def _rounded(exact: mp.mpf, info: np.finfo) -> float:
    """Infinite beyond half a unit above the largest number."""
    if mp.isfinite(exact):
        limit = mp.mpf(float(info.max)) * (1 + mp.mpf(2) ** -(info.nmant + 2))
        if abs(exact) >= limit:
            return float(mp.sign(exact)) * float("inf")
        return float(info.max) if exact > 0 else -float(info.max)
    return float(exact)


def points(case: Case, kind: type[np.floating], total: int = 1200) -> list[Array]:
    """The arguments: each interval of the type's numbers, the whole domain first, and the ends."""
    info = np.finfo(kind)
    low, high = max(case.low, float(info.min)), min(case.high, float(info.max))
    columns = []
    for hard in case.hard:
        inside = [(max(low, a), min(high, b)) for a, b in hard]
        intervals = [(low, high), *((a, b) for a, b in inside if a < b)]
        columns.append([ordinals(a, b, total // len(hard), kind) for a, b in intervals])
    sides = [np.concatenate(column) for column in columns]
    size = max(map(len, sides))
    # The arguments of one row lie in the same interval; their order there differs.
    return [np.resize(x, size) if k == 0 else _shuffled(x, size) for k, x in enumerate(sides)]


def _shuffled(x: Array, size: int) -> Array:
    order = np.random.default_rng(5).permutation(len(x))
    near = np.argsort(np.arange(len(x)) // 100 * len(x) + order % 100, kind="stable")
    return np.resize(x[near], size)


def worst(library: ctypes.CDLL, name: str, points: Sequence[Array]) -> tuple[float, list[float]]:
    """The largest error over the points, and where."""
    case, found = CASES[name], call(library, name, *points)
    largest: tuple[float, list[float]] = (0.0, [])
    with mp.workprec(140):
        for value, *at in zip(found, *points, strict=True):
            exactly = [mp.mpf(float(x)) for x in at]
            scale = case.scale(*exactly) if case.scale else None
            error = ulps(value, case.exact(*exactly), scale)
            largest = max(largest, (error, [float(x) for x in at]))
    return largest
