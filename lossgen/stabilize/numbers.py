"""Two kinds of numbers for ``measure``: float32, and numbers of as many digits as it takes.

Float32 is emulated on Python's own floats, rounded after each operation, so that no array library
is needed; of a function it is the correctly rounded value, which no library is far from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.stabilize.measure import Unmeasurable

NAN = math.nan
_FLOAT = Struct("f")
LEAST_NORMAL = 2.0**-126


def rounded(x: float) -> float:
    """The nearest float32."""
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


class Single:
    """Float32, each operation correctly rounded."""

    def rounded(self, x: float) -> float:
        return rounded(x)

    def number(self, value: Any) -> float:
        return self.rounded(float(value))

    def call(self, node: type[sp.Basic]) -> Callable[..., float]:
        function = FUNCTIONS.get(node)
        if function is None:
            raise Unmeasurable

        def value(*args: float) -> float:
            try:
                return self.rounded(function(*args))
            except OverflowError:
                return math.inf
            except (ValueError, ZeroDivisionError):
                return _AT_POLE.get((node, args), NAN)

        return value

    def add(self, a: float, b: float) -> float:
        return self.rounded(a + b)

    def multiply(self, a: float, b: float) -> float:
        return self.rounded(a * b)

    def divide(self, a: float, b: float) -> float:
        if b:
            return self.rounded(a / b)
        return math.copysign(math.inf, a) if a and a == a else NAN

    def power(self, base: float, exponent: float) -> float:
        try:
            return self.rounded(math.pow(base, exponent))
        except OverflowError:
            return math.inf
        except ValueError:
            return math.inf if base == 0 else NAN


class Double(Single):
    """Python's own floats, for a first look."""

    def rounded(self, x: float) -> float:
        return x


_AT_POLE: dict[tuple[type[sp.Basic], tuple[float, ...]], float] = {
    (nd.Log, (0.0,)): -math.inf,
    (nd.Log1p, (-1.0,)): -math.inf,
}


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else (e := math.exp(x)) / (1 + e)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _log_ratio(p: float, q: float) -> float:
    return math.log1p((p - q) / q) if q / 2 < p < 2 * q else math.log(p) - math.log(q)


def _log1mexp(x: float) -> float:
    return math.log(-math.expm1(x)) if x > -0.7 else math.log1p(-math.exp(x))


def _log_mixture(x: float, w: float) -> float:
    more = w * math.expm1(min(x, 700))
    near = math.log1p(more) if more > -0.5 else math.log(1 - w + w * math.exp(x))
    return near + max(x - 700, 0.0)


# What the generated code computes each node by is accurate, so its value in Python's floats,
# rounded, stands for it.
FUNCTIONS: Mapping[type[sp.Basic], Callable[..., float]] = {
    nd.Exp: math.exp,
    nd.Log: math.log,
    nd.Sqrt: math.sqrt,
    nd.Abs: abs,
    nd.Sign: lambda x: float((x > 0) - (x < 0)),
    nd.Floor: lambda x: float(math.floor(x)),
    nd.Sigmoid: _sigmoid,
    nd.LogSigmoid: lambda x: -_softplus(-x),
    nd.Softplus: _softplus,
    nd.Log1p: math.log1p,
    nd.Expm1: math.expm1,
    nd.LogCosh: lambda x: (
        math.log1p(2 * math.sinh(min(abs(x), 40) / 2) ** 2) if abs(x) < 30 else abs(x) - math.log(2)
    ),
    nd.Tanh: math.tanh,
    nd.Sin: math.sin,
    nd.Cos: math.cos,
    nd.Acos: math.acos,
    nd.Atan: math.atan,
    nd.Asinh: math.asinh,
    nd.Erf: math.erf,
    nd.Erfc: math.erfc,
    nd.Log1mExp: _log1mexp,
    nd.HypotM1: lambda x: x * (x / (math.hypot(1.0, x) + 1)),
    nd.Log1pSquare: lambda x: 2 * math.log1p(x * (x / (math.hypot(1.0, x) + 1))),
    nd.Lgamma: math.lgamma,
    nd.Hypot: math.hypot,
    nd.Xlogy: lambda x, y: x * math.log(y) if x else 0.0,
    nd.LogAddExp: lambda a, b: max(a, b) + math.log1p(math.exp(-abs(a - b))),
    nd.Ratio: lambda a, b: a / b if b else 0.0,
    nd.PowerSlope: lambda a, b: math.pow(a, b - 1) if a else float(b == 1),
    nd.Pow1pM1: lambda x, p: math.expm1(p * math.log1p(x)),
    nd.HypotPowM1: lambda x, p: math.expm1(p * math.log1p(x * (x / (math.hypot(1.0, x) + 1)))),
    nd.HypotPowSlope: lambda x, p: x / math.hypot(1.0, x) * math.hypot(1.0, x) ** (p - 1),
    nd.LogSum: lambda x, c: math.log(x + c),
    nd.LogMixture: _log_mixture,
    nd.SettledLogMixture: _log_mixture,
    nd.Gauss: lambda x, k, r: math.exp(-k * x * x),
    nd.Remainder: lambda a, b: 0.0,
    nd.GaussM1: lambda x, k, r: math.expm1(-k * x * x),
    nd.RelEntropy: lambda p, q: p * _log_ratio(p, q) if p else 0.0,
    nd.LogRatio: lambda p, q: _log_ratio(p, q),
}


class Many:
    """Numbers of a given many digits."""

    def __init__(self, digits: int) -> None:
        import mpmath

        self.mp = mpmath.MPContext()
        self.mp.dps = digits

    def number(self, value: Any) -> Any:
        if isinstance(value, sp.Rational):
            return self.mp.mpf(int(value.p)) / int(value.q)
        return self.mp.pi() if value is sp.pi else self.mp.mpf(float(value))

    def call(self, node: type[sp.Basic]) -> Callable[..., Any]:
        function, context = _EXACT.get(node), self.mp
        if function is None:
            raise Unmeasurable
        growing = node in _GROWING

        def value(*args: Any) -> Any:
            if growing and any(abs(x) > _FAR for x in args):
                return context.nan
            try:
                return self._real(function(context, *args))
            except (ValueError, ZeroDivisionError):
                return context.nan

        return value

    def _real(self, found: Any) -> Any:
        return self.mp.nan if isinstance(found, self.mp.mpc) else found

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def multiply(self, a: Any, b: Any) -> Any:
        return a * b

    def divide(self, a: Any, b: Any) -> Any:
        return a / b if b else self.mp.nan

    def power(self, base: Any, exponent: Any) -> Any:
        try:
            return self._real(base**exponent)
        except (ValueError, ZeroDivisionError):
            return self.mp.nan


# Beyond this an exponential takes more digits than there are; such a point is left out.
_FAR = 1e6
_GROWING = frozenset(
    (nd.Exp, nd.Expm1, nd.Sigmoid, nd.LogSigmoid, nd.Softplus, nd.LogCosh, nd.Tanh, nd.Erf, nd.Erfc)
) | {nd.Log1mExp, nd.LogAddExp, nd.LogMixture, nd.SettledLogMixture}

_EXACT: Mapping[type[sp.Basic], Callable[..., Any]] = {
    nd.Exp: lambda m, x: m.exp(x),
    nd.Log: lambda m, x: m.log(x),
    nd.Sqrt: lambda m, x: m.sqrt(x),
    nd.Abs: lambda m, x: abs(x),
    nd.Sign: lambda m, x: m.sign(x),
    nd.Floor: lambda m, x: m.floor(x),
    nd.Sigmoid: lambda m, x: 1 / (1 + m.exp(-x)),
    nd.LogSigmoid: lambda m, x: -m.log(1 + m.exp(-x)),
    nd.Softplus: lambda m, x: m.log(1 + m.exp(x)),
    nd.Log1p: lambda m, x: m.log(1 + x),
    nd.Expm1: lambda m, x: m.exp(x) - 1,
    nd.LogCosh: lambda m, x: m.log(m.cosh(x)),
    nd.Tanh: lambda m, x: m.tanh(x),
    nd.Sin: lambda m, x: m.sin(x),
    nd.Cos: lambda m, x: m.cos(x),
    nd.Acos: lambda m, x: m.acos(x),
    nd.Atan: lambda m, x: m.atan(x),
    nd.Asinh: lambda m, x: m.asinh(x),
    nd.Erf: lambda m, x: m.erf(x),
    nd.Erfc: lambda m, x: m.erfc(x),
    nd.Log1mExp: lambda m, x: m.log(1 - m.exp(x)),
    nd.HypotM1: lambda m, x: m.sqrt(1 + x * x) - 1,
    nd.Log1pSquare: lambda m, x: m.log(1 + x * x),
    nd.Lgamma: lambda m, x: m.loggamma(x),
    nd.Hypot: lambda m, a, b: m.sqrt(a * a + b * b),
    nd.Xlogy: lambda m, x, y: x * m.log(y) if x else m.mpf(0),
    nd.LogAddExp: lambda m, a, b: m.log(m.exp(a) + m.exp(b)),
    nd.Ratio: lambda m, a, b: a / b if b else m.mpf(0),
    nd.PowerSlope: lambda m, a, b: a ** (b - 1) if a else m.mpf(b == 1),
    nd.Pow1pM1: lambda m, x, p: (1 + x) ** p - 1,
    nd.HypotPowM1: lambda m, x, p: (1 + x * x) ** (p / 2) - 1,
    nd.HypotPowSlope: lambda m, x, p: x * (1 + x * x) ** (p / 2 - 1),
    nd.LogSum: lambda m, x, c: m.log(x + c),
    nd.LogMixture: lambda m, x, w: m.log(1 - w + w * m.exp(x)),
    nd.SettledLogMixture: lambda m, x, w: m.log(1 - w + w * m.exp(x)),
    nd.Gauss: lambda m, x, k, r: m.exp(-k * x * x),
    nd.Remainder: lambda m, a, b: m.mpf(0),
    nd.GaussM1: lambda m, x, k, r: m.exp(-k * x * x) - 1,
    nd.LogRatio: lambda m, p, q: m.log(p / q),
    nd.RelEntropy: lambda m, p, q: p * m.log(p / q) if p else m.mpf(0),
}
