"""Where the coefficients in templates/c come from: minimax polynomials, fitted here.

    python benchmarks/polynomials.py [NAME …]    shows each polynomial's error
    python benchmarks/polynomials.py --write     writes templates/c/polynomials.c (two minutes)

Each fit is Remez's exchange in 50 digits, of the weighted error that the function using it
sees. The low coefficients are rounded to the type one by one, and the others fitted anew around
them, where that is better.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath as mp

mp.mp.dps = 50
Real = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Fit:
    """``wanted(x)`` by a polynomial on ``[low, high]``; what counts is the weighted error."""

    wanted: Real
    weight: Real
    low: Any
    high: Any
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
    best: tuple[mp.mpf, list[mp.mpf]] = (mp.inf, [])
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
        best = min(best, (max(map(abs, error)), found))
        if best[0] <= abs(level) * mp.mpf("1.001"):
            break
        at = _extremes(error, count + 1)
    return best[1], best[0]


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


def fitted(fit: Fit) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients that the type holds, lowest first, and the largest weighted error."""
    tried = [_fitted(fit, one_by_one) for one_by_one in (0, 2, 5)]
    return min(tried, key=lambda pair: pair[1])


def _fitted(fit: Fit, one_by_one: int) -> tuple[list[mp.mpf], mp.mpf]:
    fixed: list[mp.mpf] = []
    while len(fixed) < min(one_by_one, fit.degree):
        found, _ = exchange(fit, fixed)
        fixed.append(rounded(found[0], fit.bits))
    fixed += [rounded(c, fit.bits) for c in exchange(fit, fixed)[0]]
    points = [mp.mpf(fit.low) + (mp.mpf(fit.high) - fit.low) * k / 501 for k in range(1, 501)]
    errors = (fit.weight(x) * (fit.wanted(x) - mp.polyval(fixed[::-1], x)) for x in points)
    return fixed, max(map(abs, errors))


def written(c: mp.mpf, bits: int) -> tuple[str, str]:
    """A coefficient's sign and digits."""
    digits, suffix = (9, "f") if bits == 24 else (17, "")
    word = mp.nstr(abs(c), digits, strip_zeros=False, min_fixed=-3, max_fixed=3) + suffix
    return "-" if c < 0 else "+", word


def horner(coefficients: list[mp.mpf], x: str, bits: int) -> str:
    text = ""
    for c in reversed(coefficients):
        sign, word = written(c, bits)
        factor = f"({text})" if " " in text else text
        text = f"{factor} *~{x} {sign}~{word}" if text else sign.strip("+") + word
    return _returned(text)


def paired(coefficients: list[mp.mpf], x: str, bits: int) -> str:
    """Two coefficients at a time, in powers of ``z = x**2``: half as many steps that wait."""
    text = ""
    for k in reversed(range(0, len(coefficients), 2)):
        sign, word = written(coefficients[k], bits)
        pair = sign.strip("+") + word
        if k + 1 < len(coefficients):
            sign, word = written(coefficients[k + 1], bits)
            pair = f"({pair} {sign}~{word} *~{x})"
        rest = f"({text})" if " +~z" in text else text
        text = f"{pair} +~z *~{rest}" if text else pair
    return _returned(text)


def _returned(text: str) -> str:
    lines = textwrap.fill(f"{text};", 100, initial_indent="    return ", subsequent_indent=" " * 8)
    return lines.replace("~", " ")


LN2 = mp.log(2)
ROOT = mp.sqrt(2)
# The largest z of s = f / (2 + f), z = s**2 for 1 + f between sqrt(1/2) and sqrt(2).
LARGEST = ((ROOT - 1) / (ROOT + 1)) ** 2
CENTRE = mp.mpf(3.5)


def _log_rest(f: mp.mpf) -> mp.mpf:
    return (mp.log1p(f) - f + f**2 / 2) / f**3


def _atanh_rest(z: mp.mpf) -> mp.mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


def _odd_rest(function: Real) -> Real:
    """``P`` of ``function(x) = x + x**3 * P(x**2)``."""
    return lambda z: (function(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def _scaled_erfcx(t: mp.mpf) -> mp.mpf:
    x = CENTRE * (1 + t) / (1 - t)
    if x > 1e6:
        return (2 * x + 1) / (x * mp.sqrt(mp.pi)) * (1 - 1 / (2 * x**2) + 3 / (4 * x**4))
    return (1 + 2 * x) * mp.exp(x**2) * mp.erfc(x)


def _identity(z: mp.mpf) -> mp.mpf:
    return z


@dataclass(frozen=True)
class Polynomial:
    """A C function: its name, argument, comment, and its fits in float and in double.

    Without one in float, it is of the type double whatever ``real`` is. Those of the innermost
    loops are evaluated by pairs of coefficients.
    """

    name: str
    argument: str
    comment: str
    single: Fit | None
    double: Fit
    by_pairs: bool = False


def _both(
    name: str,
    argument: str,
    comment: str,
    fit: tuple[Real, Real, Any, Any],
    degrees: tuple[int, int],
    by_pairs: bool = False,
) -> Polynomial:
    single, double = (Fit(*fit, n, bits) for n, bits in zip(degrees, (24, 53), strict=True))
    return Polynomial(name, argument, comment, single, double, by_pairs)


POLYNOMIALS = (
    _both(
        "exp_tail",
        "r",
        "(e**r - 1 - r) / r**2 for |r| <= log(2) / 2",
        (
            lambda r: (mp.expm1(r) - r) / r**2,
            lambda r: r**2 / mp.expm1(r),
            -LN2 / 2 * 1.001,
            LN2 / 2 * 1.001,
        ),
        (5, 9),
        by_pairs=True,
    ),
    _both(
        "exp_rest",
        "r",
        "(e**r - 1 - r) / r**2 for |r| <= log(2) / 2, to the digits that e**r needs of it",
        (
            lambda r: (mp.expm1(r) - r) / r**2,
            lambda r: r**2 / mp.exp(r),
            -LN2 / 2 * 1.001,
            LN2 / 2 * 1.001,
        ),
        (4, 9),
        by_pairs=True,
    ),
    Polynomial(
        "log_tail",
        "x",
        "(log(1 + f) - f + f**2 / 2) / f**3 in float, of x = f; in double, of x = s**2 for\n"
        " * s = f / (2 + f), (2 * atanh(s) - 2 * s) / s**3; for 1 + f from sqrt(1/2) to sqrt(2)",
        Fit(_log_rest, lambda f: f**3 / mp.log1p(f), 1 / ROOT - 1, ROOT - 1, 8, 24),
        Fit(_atanh_rest, lambda z: z / 2, 1e-9, LARGEST * 1.001, 6, 53),
        by_pairs=True,
    ),
    _both(
        "log_pair_tail",
        "z",
        "((2 * atanh(s) - 2 * s) / s**3 - 2 / 3) / z for z = s**2",
        (
            lambda z: (_atanh_rest(z) - mp.mpf(2) / 3) / z,
            lambda z: z**2 / 2,
            1e-9,
            LARGEST * 1.001,
        ),
        (2, 6),
    ),
    Polynomial(
        "wide_exp_tail",
        "r",
        "(e**r - 1 - r) / r**2 in double, to the digits that a float needs of it",
        None,
        Fit(
            lambda r: (mp.expm1(r) - r) / r**2,
            lambda r: r**2 / mp.exp(r),
            -LN2 / 2 * 1.001,
            LN2 / 2 * 1.001,
            5,
            53,
        ),
    ),
    Polynomial(
        "wide_log_tail",
        "z",
        "(2 * atanh(s) - 2 * s) / s**3 for z = s**2 in double, to half as many digits again as a\n"
        " * float has",
        None,
        Fit(_atanh_rest, lambda z: z / 2, 1e-9, LARGEST * 1.001, 3, 53),
    ),
    _both(
        "tanh_tail",
        "z",
        "(tanh(x) - x) / x**3 for z = x**2, |x| <= 0.55",
        (_odd_rest(mp.tanh), _identity, 1e-9, 0.55**2),
        (4, 10),
    ),
    _both(
        "log_cosh_tail",
        "z",
        "(log(cosh(x)) - x**2 / 2) / x**4 for z = x**2, |x| <= 1",
        (
            lambda z: (mp.log(mp.cosh(mp.sqrt(z))) - z / 2) / z**2,
            lambda z: 2 * z,
            1e-9,
            1.0,
        ),
        (6, 13),
    ),
    _both(
        "atan_tail",
        "z",
        "(atan(x) - x) / x**3 for z = x**2, |x| <= tan(pi / 8)",
        (_odd_rest(mp.atan), _identity, 1e-9, (ROOT - 1) ** 2 * 1.001),
        (4, 11),
    ),
    _both(
        "asin_tail",
        "z",
        "(asin(x) - x) / x**3 for z = x**2, |x| <= 1/2",
        (_odd_rest(mp.asin), _identity, 1e-9, 0.25),
        (5, 13),
    ),
    _both(
        "erf_tail",
        "z",
        "erf(x) / x - 1 for z = x**2, |x| <= 1",
        (
            lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
            lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
            1e-9,
            1.0,
        ),
        (6, 11),
    ),
    _both(
        "erfcx_scaled",
        "t",
        "(1 + 2 * x) * e**(x**2) * erfc(x) for t = (x - 3.5) / (x + 3.5), x >= 0",
        (_scaled_erfcx, lambda t: mp.mpf(1), -1.0, 1.0),
        (12, 25),
    ),
)


def definition(polynomial: Polynomial) -> str:
    """The function in C."""
    name, argument, kind = polynomial.name, polynomial.argument, "real"
    shape = paired if polynomial.by_pairs else horner
    double, single = (
        shape(fitted(fit)[0], argument, fit.bits) if fit else ""
        for fit in (polynomial.double, polynomial.single)
    )
    body = ["#if REAL_IS_DOUBLE", double, "#else", single, "#endif"]
    if polynomial.single is None:
        body, kind = [double], "double"
    if polynomial.by_pairs:
        body = [f"    real z = {argument} * {argument};", *body]
    head = [f"/* {polynomial.comment}. */", f"inlined {kind} {name}({kind} {argument})"]
    return "\n".join([*head, "{", *body, "}"])


def main(words: Sequence[str]) -> None:
    if words == ["--write"]:
        text = "\n\n".join(map(definition, POLYNOMIALS)) + "\n"
        path = Path(__file__).parents[1] / "templates" / "c" / "polynomials.c"
        path.write_text(text, encoding="utf-8")
        return
    for polynomial in POLYNOMIALS:
        if not words or polynomial.name in words:
            errors = [fitted(fit)[1] for fit in (polynomial.single, polynomial.double) if fit]
            shown = ", ".join(f"2**{float(mp.log(error, 2)):.1f}" for error in errors)
            print(f"{polynomial.name}: {shown}")


if __name__ == "__main__":
    main(sys.argv[1:])
