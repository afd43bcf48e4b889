"""Where the coefficients in templates/c come from: minimax polynomials, fitted here.

    python benchmarks/polynomials.py [NAME …]    prints each polynomial as C, with its error

Each fit is Remez's exchange in 60 digits, of the weighted error that the function using it
sees. The low coefficients are rounded to the type one by one, and the others fitted anew around them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mpmath as mp

mp.mp.dps = 60
Real = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Fit:
    """``wanted(x)`` by a polynomial of ``degree`` on ``[low, high]``; what counts is the weighted error."""

    wanted: Real
    weight: Real
    low: float
    high: float
    degree: int
    bits: int


def exchange(fit: Fit, fixed: list[mp.mpf]) -> tuple[list[mp.mpf], mp.mpf]:
    """The coefficients after the ``fixed`` ones, and the largest weighted error."""
    start, count = len(fixed), fit.degree + 1 - len(fixed)
    low, high = mp.mpf(fit.low), mp.mpf(fit.high)
    size = 24 * (count + 2)
    grid = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * size))
        for k in range(size)
    ]
    rest = [fit.wanted(x) - mp.polyval(fixed[::-1] or [0], x) for x in grid]
    weight = [fit.weight(x) for x in grid]
    at = [round((size - 1) * (k + 0.5) / (count + 1)) for k in range(count + 1)]
    for _ in range(30):
        rows = [
            [weight[i] * grid[i] ** (start + j) for j in range(count)] + [(-1) ** k]
            for k, i in enumerate(at)
        ]
        *found, level = mp.lu_solve(mp.matrix(rows), mp.matrix([weight[i] * rest[i] for i in at]))
        error = [
            w * (r - x**start * mp.polyval(found[::-1], x))
            for w, r, x in zip(weight, rest, grid, strict=True)
        ]
        worst = max(map(abs, error))
        if worst <= abs(level) * mp.mpf("1.001"):
            break
        at = _extremes(error, count + 1)
    return found, worst


def _extremes(error: list[mp.mpf], count: int) -> list[int]:
    """Where the error of alternating sign is largest."""
    runs: list[list[int]] = []
    for k, e in enumerate(error):
        if runs and (error[runs[-1][-1]] > 0) == (e > 0):
            runs[-1].append(k)
        else:
            runs.append([k])
    peaks = [max(run, key=lambda k: abs(error[k])) for run in runs]
    while len(peaks) > count:
        ends = (0, len(peaks) - 1)
        if len(peaks) == count + 1:
            del peaks[min(ends, key=lambda k: abs(error[peaks[k]]))]
        else:
            least = min(
                range(len(peaks) - 1),
                key=lambda k: max(abs(error[peaks[k]]), abs(error[peaks[k + 1]])),
            )
            del peaks[least : least + 2]
    if len(peaks) < count:
        raise ValueError(
            "the error does not alternate often enough: a lower degree, or a finer grid"
        )
    return peaks


def rounded(x: mp.mpf, bits: int) -> mp.mpf:
    with mp.workprec(bits):
        return +x


def fitted(fit: Fit, one_by_one: int = 4) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients that the type holds, lowest first, and the largest weighted error."""
    fixed: list[mp.mpf] = []
    while len(fixed) <= min(one_by_one, fit.degree):
        found, _ = exchange(fit, fixed)
        fixed.append(rounded(found[0], fit.bits))
    fixed += [rounded(c, fit.bits) for c in found[1:]]
    points = [mp.mpf(fit.low) + (mp.mpf(fit.high) - fit.low) * k / 501 for k in range(1, 501)]
    return fixed, max(
        abs(fit.weight(x) * (fit.wanted(x) - mp.polyval(fixed[::-1], x))) for x in points
    )


def horner(coefficients: list[mp.mpf], x: str, bits: int) -> str:
    digits, suffix = (9, "f") if bits == 24 else (17, "")
    words = [
        mp.nstr(c, digits, strip_zeros=False, min_fixed=-3, max_fixed=3) + suffix
        for c in coefficients
    ]
    text = words[-1]
    for word in reversed(words[:-1]):
        text = f"({text}) * {x} + {word}" if " " in text else f"{text} * {x} + {word}"
    return text


def _guard(f: Real, at_zero: float) -> Real:
    return lambda x: f(x) if x else mp.mpf(at_zero)


LN2 = float(mp.log(2))
ROOT = mp.sqrt(2)


def _pair(
    name: str, wanted: Real, weight: Real, low: float, high: float, degrees: tuple[int, int]
) -> dict[str, Fit]:
    return {
        f"{name} {kind}": Fit(wanted, weight, low, high, degree, bits)
        for kind, degree, bits in zip(("float", "double"), degrees, (24, 53), strict=True)
        if degree
    }


def _atanh_rest(z: mp.mpf) -> mp.mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


FITS: dict[str, Fit] = {
    # exp(r) = 1 + r + r**2 * P(r); the error as a part of exp(r) - 1.
    **_pair(
        "exp",
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / mp.expm1(r),
        -LN2 / 2 * 1.001,
        LN2 / 2 * 1.001,
        (5, 10),
    ),
    # log(1 + f) = f - f**2 / 2 + f**3 * P(f)
    "log float": Fit(
        lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3,
        lambda f: f**3 / mp.log1p(f),
        float(1 / ROOT - 1),
        float(ROOT - 1),
        8,
        24,
    ),
    # log(1 + f) = f - (f**2 / 2 - s * (f**2 / 2 + z * P(z))), s = f / (2 + f), z = s**2
    "log double": Fit(
        _atanh_rest, lambda z: z / 2, 1e-9, float(((ROOT - 1) / (ROOT + 1)) ** 2) * 1.001, 6, 53
    ),
    # log(1 + f) = s * (2 + z * (2/3 + z * P(z))), s = f / (2 + f), z = s**2
    **_pair(
        "log_pair",
        lambda z: ((2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z - mp.mpf(2) / 3) / z,
        lambda z: z**2 / 2,
        1e-9,
        float(((ROOT - 1) / (ROOT + 1)) ** 2) * 1.001,
        (2, 6),
    ),
    # tanh(x) = x + x**3 * P(x**2)
    **_pair(
        "tanh",
        lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        lambda z: z,
        1e-9,
        0.55**2,
        (5, 12),
    ),
}


def main(names: Iterable[str]) -> None:
    for name, fit in FITS.items():
        if not names or any(name.startswith(word) for word in names):
            coefficients, error = fitted(fit)
            print(f"{name}: 2**{float(mp.log(error, 2)):.1f}")
            print("   ", horner(coefficients, "x", fit.bits))


if __name__ == "__main__":
    main(sys.argv[1:])
