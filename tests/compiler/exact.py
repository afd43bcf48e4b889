"""Evaluates formulas in arithmetic of many digits, straight from their nodes.

It reads a formula as mathematics does: a sum is a loop, a softmax a quotient. Nothing of what the
compiler does to a formula is used here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath
import sympy as sp
from mpmath import mp

from lossgen import nodes as nd
from lossgen.nodes import Letter, Read, substitute

# exp(-1000) beside 1 needs 435 digits, the square of 1e-45 beside 1 some 90; 50 are to remain.
DIGITS = 600
Number = Any  # mpf, or None for what is no real number
Reader = Callable[[str, tuple[int, ...]], Any]


def _softplus(x: Any) -> Any:
    return mp.log(1 + mp.exp(x))


UNARY: dict[type[nd.Unary], Callable[[Any], Any]] = {
    nd.Exp: mp.exp,
    nd.Log: mp.log,
    nd.Sqrt: mp.sqrt,
    nd.Abs: abs,
    nd.Sign: mp.sign,
    nd.Floor: mp.floor,
    nd.Sigmoid: lambda x: 1 / (1 + mp.exp(-x)),
    nd.LogSigmoid: lambda x: -_softplus(-x),
    nd.Softplus: _softplus,
    nd.Log1p: lambda x: mp.log(1 + x),
    nd.Expm1: lambda x: mp.exp(x) - 1,
    nd.LogCosh: lambda x: mp.log(mp.cosh(x)),
    nd.Tanh: mp.tanh,
    nd.Sin: mp.sin,
    nd.Cos: mp.cos,
    nd.Acos: mp.acos,
    nd.Atan: mp.atan,
    nd.Erf: mp.erf,
    nd.Asinh: mp.asinh,
    nd.Erfc: mp.erfc,
    nd.LogErfc: lambda x: mp.log(mp.erfc(x)),
    nd.Erfcx: lambda x: mp.exp(x**2) * mp.erfc(x),
    nd.Log1mExp: lambda x: mp.log(1 - mp.exp(x)),
    nd.HypotM1: lambda x: mp.sqrt(1 + x**2) - 1,
    nd.Finite: lambda x: x,
    nd.Log1pSquare: lambda x: mp.log(1 + x**2),
    nd.Lgamma: mp.loggamma,
    nd.Digamma: mp.digamma,
    nd.Trigamma: lambda x: mp.psi(1, x),
    nd.StopGradient: lambda x: x,
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def evaluate(
    expr: sp.Basic,
    read: Reader,
    letters: Mapping[Letter, int] | None = None,
    size: int = 4,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """The value of a formula at one place; every axis has the same size."""
    here: dict[Letter, int] = dict(letters or {})

    def at(e: sp.Basic, more: Mapping[Letter, int] | None = None) -> Any:
        return evaluate(e, read, {**here, **(more or {})}, size, options)

    args = expr.args
    if isinstance(expr, Letter):
        return here[expr]
    if isinstance(expr, nd.Param):
        return mp.mpmathify((options or {})[expr.name])
    if isinstance(expr, Read):
        return read(expr.name, tuple(int(at(x)) for x in expr.subscripts))
    if expr in (sp.true, sp.false):
        return bool(expr)
    if isinstance(expr, nd.Let):
        return at(substitute(expr.body, dict(zip(expr.params, expr.at, strict=True))))
    if isinstance(expr, nd.Reduce):
        return _reduced(expr, at, size)
    if isinstance(expr, nd.Along):
        logs = [at(expr.body, {expr.letter: k}) for k in range(size)]
        chosen = at(expr.body, {expr.letter: int(at(expr.position))})
        log = chosen - mp.log(mp.fsum(map(mp.exp, logs)))
        return log if expr.op == "log_softmax" else mp.exp(log)
    if isinstance(expr, nd.Size):
        return mp.mpf(size)
    if isinstance(expr, nd.Compare):
        return COMPARE[expr.op](at(expr.left), at(expr.right))
    if isinstance(expr, nd.Or):
        return any(map(at, args))
    if isinstance(expr, nd.And):
        return all(map(at, args))
    if isinstance(expr, nd.Not):
        return not at(args[0])
    if isinstance(expr, nd.Where):
        return at(args[1] if at(args[0]) else args[2])
    if isinstance(expr, nd.Min):
        return min(at(args[0]), at(args[1]))
    if isinstance(expr, nd.Max):
        return max(at(args[0]), at(args[1]))
    if isinstance(expr, nd.Clip):
        return min(max(at(args[0]), at(args[1])), at(args[2]))
    if isinstance(expr, nd.Xlogy):
        return mp.mpf(0) if at(args[0]) == 0 else at(args[0]) * mp.log(at(args[1]))
    if isinstance(expr, nd.Hypot):
        return mp.sqrt(at(args[0]) ** 2 + at(args[1]) ** 2)
    if isinstance(expr, nd.Pow1pM1):
        return (1 + at(args[0])) ** at(args[1]) - 1
    if isinstance(expr, nd.HypotPowM1):
        return (1 + at(args[0]) ** 2) ** (at(args[1]) / 2) - 1
    if isinstance(expr, nd.HypotPowSlope):
        return at(args[0]) * (1 + at(args[0]) ** 2) ** (at(args[1]) / 2 - 1)
    if isinstance(expr, (nd.Gauss, nd.GaussM1)):
        return mp.exp(-at(args[1]) * at(args[0]) ** 2) - isinstance(expr, nd.GaussM1)
    if isinstance(expr, nd.LogSum):
        return mp.log(at(args[0]) + at(args[1]))
    if isinstance(expr, nd.LogMixture):
        x, share = map(at, args)
        return mp.log(1 - share + share * mp.exp(x))
    if isinstance(expr, nd.LogRatio):
        return mp.log(at(args[0]) / at(args[1]))
    if isinstance(expr, nd.RelEntropy):
        p, q = map(at, args)
        return mp.mpf(0) if p == 0 else p * mp.log(p / q)
    if isinstance(expr, nd.LogAddExp):
        return mp.log(mp.exp(at(args[0])) + mp.exp(at(args[1])))
    if isinstance(expr, nd.Ratio):
        return mp.mpf(0) if at(args[1]) == 0 else at(args[0]) / at(args[1])
    if isinstance(expr, nd.Step):
        return (mp.sign(at(args[0])) + 1) / mp.mpf(2)
    if isinstance(expr, nd.PowerSlope):
        base, exponent = map(at, args)
        return mp.mpf(exponent == 1) if base == 0 else base ** (exponent - 1)
    if isinstance(expr, (nd.StraightThrough, nd.Rewritten, nd.Fitted)):
        return at(args[0])
    if type(expr) in UNARY:
        return UNARY[type(expr)](at(args[0]))
    if isinstance(expr, sp.Add):
        return mp.fsum(map(at, args))
    if isinstance(expr, sp.Mul):
        return mp.fprod(map(at, args))
    if isinstance(expr, sp.Pow):
        return at(expr.base) ** at(expr.exp)
    if expr.is_Integer or expr.is_Rational:
        return mp.mpf(int(expr.p)) / int(expr.q)
    if expr in (sp.oo, -sp.oo):
        return mp.inf if expr is sp.oo else -mp.inf
    if expr.is_number:
        return mp.mpmathify(expr.evalf(mp.dps))
    raise NotImplementedError(type(expr).__name__)


def _reduced(expr: nd.Reduce, at: Callable[..., Any], size: int) -> Any:
    places: list[dict[Letter, int]] = [{}]
    for letter in expr.bound:
        places = [{**p, letter: k} for p in places for k in range(size)]
    values = [at(expr.body, p) for p in places if at(expr.where, p)]
    match expr.op:
        case "sum":
            return mp.fsum(values)
        case "mean":
            return mp.fsum(values) / len(values)
        case "logsumexp":
            return mp.log(mp.fsum(map(mp.exp, values)))
        case "fitting":
            return mp.one
        case "norm":
            return mp.sqrt(mp.fsum(v**2 for v in values))
        case "amax":
            return max(values, default=-mp.inf)
        case "amin":
            return min(values, default=mp.inf)
        case "any":
            return any(values)
    raise NotImplementedError(expr.op)


def real(value: Any) -> Any:
    """The value if it is a finite real number, else None."""
    if value is None:
        return None
    if isinstance(value, mpmath.mpc):
        return None if value.imag else real(value.real)
    return value if mp.isfinite(value) else None


def agree(a: Any, b: Any, digits: int = 50) -> bool:
    """Whether two values are the same to so many digits, or both no real number."""
    a, b = real(a), real(b)
    if a is None or b is None:
        return a is b
    if a == 0 or b == 0:
        # A difference that is 0 may be left with what many digits are rounded by.
        return bool(abs(a - b) <= mp.mpf(10) ** (digits - mp.dps))
    return bool(abs(a - b) <= mp.mpf(10) ** -digits * max(abs(a), abs(b)))


def ordinals(low: float, high: float, count: int) -> Iterator[float]:
    """float32 numbers spread evenly over the representable ones of a closed interval."""
    first, last = _ordinal(low), _ordinal(high)
    for k in range(count):
        yield _number(first + (last - first) * k // (count - 1))


def _ordinal(x: float) -> int:
    bits: int = struct.unpack("<i", struct.pack("<f", x))[0]
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def _number(ordinal: int) -> float:
    bits = ordinal if ordinal >= 0 else -ordinal | 0x80000000
    number: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return number
