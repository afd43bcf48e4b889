"""Runs programs of the intermediate representation with NumPy, element by element.

It knows index notation and nothing of PyTorch or of any layout: every letter becomes a grid of
positions, every read an indexed look-up. Statements run when something needs them, so a
statement that a static condition switches off is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, Read, Size, free_letters, is_static
from lossgen.program import Extent, Program, Statement

Array = np.ndarray[Any, Any]
REAL = np.longdouble


def _wide(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    """A function of mpmath, element by element, in extended precision."""
    with mpmath.workdps(25):
        return np.vectorize(lambda x: REAL(mpmath.nstr(function(mpmath.mpf(repr(x))), 22)))


def _log_cosh(x: Array) -> Array:
    size = np.abs(x)
    return size + np.log1p(np.exp(-2 * size)) - np.log(REAL(2))


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


UNARY: dict[type[nd.Unary], Callable[..., Any]] = {
    nd.Exp: np.exp,
    nd.Log: np.log,
    nd.Sqrt: np.sqrt,
    nd.Abs: np.abs,
    nd.Sign: np.sign,
    nd.Floor: np.floor,
    nd.Sigmoid: _sigmoid,
    nd.LogSigmoid: lambda x: -np.log1p(np.exp(-x)),
    nd.Softplus: lambda x: np.log1p(np.exp(x)),
    nd.Log1p: np.log1p,
    nd.Expm1: np.expm1,
    nd.LogCosh: _log_cosh,
    nd.Tanh: np.tanh,
    nd.Sin: np.sin,
    nd.Cos: np.cos,
    nd.Acos: np.arccos,
    nd.Atan: np.arctan,
    nd.Erf: lambda x: _wide(mpmath.erf)(x),
    nd.Asinh: np.arcsinh,
    nd.Erfc: lambda x: _wide(mpmath.erfc)(x),
    nd.LogErfc: lambda x: _wide(lambda v: mpmath.log(mpmath.erfc(v)))(x),
    nd.Erfcx: lambda x: _wide(lambda v: mpmath.exp(v**2) * mpmath.erfc(v))(x),
    nd.Log1mExp: lambda x: np.log(-np.expm1(x)),
    nd.HypotM1: lambda x: x * x / (np.hypot(x, 1) + 1),
    nd.Finite: lambda x: x,
    nd.Log1pSquare: lambda x: np.log1p(x * x),
    nd.Lgamma: lambda x: _wide(mpmath.loggamma)(x),
    nd.Digamma: lambda x: _wide(mpmath.digamma)(x),
    nd.Trigamma: lambda x: _wide(lambda v: mpmath.psi(1, v))(x),
}
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass
class Run:
    """One run of a program.

    Attributes:
        sizes: the length of each axis, by letter name.
        given: the arrays by name; an optional one that is absent is left out.
        options: the value of each parameter.
        needs: the inputs whose gradient is asked for.
        still: the run whose values `stop_gradient` keeps to, when this one is a moved copy.
        done: every statement computed so far.
    """

    program: Program
    sizes: Mapping[str, int]
    given: Mapping[str, Array]
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    still: Run | None = None
    done: dict[str, Array] = field(default_factory=dict)

    # --- arrays -----------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Array:
        if name in self.given:
            return self.given[name]
        if name not in self.done:
            self.done[name] = self._statement(self.program.statement(name))
        return self.done[name]

    def _letters(self, name: str) -> tuple[tuple[Letter, ...], Mapping[Letter, Extent]]:
        for x in self.program.inputs:
            if x.name == name:
                return x.axes, x.extents
        x = self.program.statement(name)
        return x.free, {k: v for k, v in x.extents.items() if k in x.free}

    def size(self, letter: Letter) -> int:
        """The number of positions along the axis of a letter."""
        axis = self.program.axes.get(letter, letter).name
        return int(axis) if axis.isdigit() else self.sizes[axis]

    def span(self, letter: Letter, extents: Mapping[Letter, Extent]) -> Array:
        """The positions at which a letter runs."""
        low, trim = extents.get(letter, (0, 0))
        return np.arange(low, self.size(letter) - trim)

    # --- statements -------------------------------------------------------------------------

    def _statement(self, x: Statement) -> Array:
        if x.op in ("scatter", "place"):
            return self._scatter(x)
        if x.op == "nll":
            scope = self.program.sorted({*x.free, *x.bound})
            scores, axis_number = self._over(x.body, scope, x.extents), scope.index(x.bound[0])
            label = self._over(x.target[0], x.free, x.extents).astype(int)
            scores = scores - scores.max(axis_number, keepdims=True)
            chosen = np.take_along_axis(scores, np.expand_dims(label, axis_number), axis_number)
            others = np.exp(scores).sum(axis_number) - 1
            return np.log1p(others) - chosen.squeeze(axis_number)
        if x.op == "stack":
            axis = x.bound[0]
            rest = tuple(y for y in x.free if y != axis)
            parts = [self._over(e, rest, x.extents) for e in x.target]
            return np.stack(parts, x.free.index(axis))
        if x.op == "balance":
            body = self._over(x.body, x.free, x.extents)
            total = body.sum(x.free.index(x.bound[0]), keepdims=True)
            return body - self._over(x.target[0], x.free, x.extents) * total
        if x.op in ("softmax", "log_softmax"):
            body = self._over(x.body, x.free, x.extents)
            axis_number = x.free.index(x.bound[0])
            shifted = body - body.max(axis_number, keepdims=True)
            log = shifted - np.log(np.exp(shifted).sum(axis_number, keepdims=True))
            return log if x.op == "log_softmax" else np.exp(log)
        scope = (*x.free, *x.bound)
        body = self._over(x.body, scope, x.extents)
        if x.op == "map":
            return body
        axes = tuple(range(len(x.free), len(scope)))
        where = self._over(x.where, scope, x.extents).astype(bool)
        return self._reduced(x.op, body, where, axes)

    def _reduced(self, op: str, body: Array, where: Array, axes: tuple[int, ...]) -> Array:
        if op == "any":
            return (body & where).any(axes)
        if op == "count":
            return (body.astype(bool) & where).sum(axes)
        if op == "sum":
            return np.where(where, body, 0).sum(axes)
        if op == "mean":
            assert where.all(), "a masked mean is a sum over a count"
            return body.mean(axes)
        if op == "fitting":
            return np.ones_like(body.sum(axes))
        if op == "norm":
            return np.sqrt((np.where(where, body, 0) ** 2).sum(axes))
        if op == "amin":
            return -self._reduced("amax", -body, where, axes)
        held = np.where(where, body, -np.inf)
        if op == "amax":
            return held.max(axes, initial=-np.inf)
        assert op == "logsumexp", op
        top = held.max(axes, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0)
        with np.errstate(divide="ignore"):
            return np.log(np.exp(held - top).sum(axes)) + top.squeeze(axes)

    def _scatter(self, x: Statement) -> Array:
        result = np.array(self._over(x.base, x.free, x.extents), dtype=REAL)
        inside = free_letters(x.body).union(*map(free_letters, x.target)) | {*x.bound}
        scope = self.program.sorted(frozenset(inside))
        shape = [len(self.span(y, x.extents)) for y in scope]
        places = [self._over(t, scope, x.extents) for t in x.target]
        values = np.broadcast_to(self._over(x.body, scope, x.extents), shape)
        if x.op == "place":
            result[tuple(places)] = values
            return result
        np.add.at(result, tuple(places), values)
        return result

    def _over(
        self, expr: sp.Basic, scope: Sequence[Letter], extents: Mapping[Letter, Extent]
    ) -> Array:
        """An elementwise expression, evaluated over all positions of the letters in scope."""
        shape = [len(self.span(y, extents)) for y in scope]
        return np.broadcast_to(self.value(expr, tuple(scope), extents), shape)

    # --- expressions ------------------------------------------------------------------------

    def value(
        self, expr: sp.Basic, scope: tuple[Letter, ...], extents: Mapping[Letter, Extent]
    ) -> Any:
        """An elementwise expression, as an array that broadcasts over the scope."""

        def inner(e: sp.Basic) -> Any:
            return self.value(e, scope, extents)

        if isinstance(expr, Letter):
            shape = [-1 if y == expr else 1 for y in scope]
            return self.span(expr, extents).reshape(shape)
        if isinstance(expr, Read):
            return self._read(expr, scope, extents)
        if isinstance(expr, Size):
            return self.size(expr.letter)
        if isinstance(expr, nd.Given):
            return expr.name in self.given
        if isinstance(expr, nd.Needs):
            return any(name in self.needs for name in expr.names)
        if isinstance(expr, nd.Param):
            value = self.options[expr.name]
            return REAL(value) if type(value) is float else value
        if expr in (sp.true, sp.false):
            return bool(expr)
        if expr.is_number and not expr.has(nd.Node):
            return int(expr) if expr.is_Integer else REAL(str(sp.N(expr, 25)).replace("oo", "inf"))
        if isinstance(expr, nd.Where):
            condition, yes, no = expr.args
            if is_static(condition):
                return inner(yes if inner(condition) else no)
            return np.where(inner(condition), inner(yes), inner(no))

        def unmoved(e: sp.Basic) -> Any:
            return (self.still or self).value(e, scope, extents)

        return _operation(expr, inner, unmoved)

    def _read(self, read: Read, scope: tuple[Letter, ...], extents: Mapping[Letter, Extent]) -> Any:
        array = self[read.name]
        letters, stored = self._letters(read.name)
        places, inside = [], True
        for letter, subscript in zip(letters, read.subscripts, strict=True):
            place = self.value(subscript, scope, extents) - stored.get(letter, (0, 0))[0]
            length = array.shape[len(places)]
            ok = (place >= 0) & (place < length)
            assert isinstance(read, nd.Padded) or np.all(ok), f"{read} reads outside"
            inside = inside & ok
            places.append(np.clip(place, 0, length - 1))
        found = array[tuple(places)]
        return np.where(inside, found, 0) if isinstance(read, nd.Padded) else found


def _operation(
    expr: sp.Basic, inner: Callable[[sp.Basic], Any], unmoved: Callable[[sp.Basic], Any]
) -> Any:
    """A node over the values of its arguments; `unmoved` gives them as they were before a step."""
    args = expr.args
    with np.errstate(all="ignore"):
        if isinstance(expr, nd.Compare):
            return COMPARE[expr.op](inner(expr.left), inner(expr.right))
        if isinstance(expr, nd.Or):
            return np.logical_or.reduce(np.broadcast_arrays(*map(inner, args)))
        if isinstance(expr, nd.And):
            return np.logical_and.reduce(np.broadcast_arrays(*map(inner, args)))
        if isinstance(expr, nd.Not):
            return np.logical_not(inner(args[0]))
        if isinstance(expr, nd.StopGradient):
            return unmoved(args[0])
        if isinstance(expr, (nd.Rewritten, nd.Fitted)):
            return inner(args[0])
        if isinstance(expr, nd.StraightThrough):
            return unmoved(args[0]) + (inner(args[1]) - unmoved(args[1]))
        if isinstance(expr, nd.Min):
            return np.minimum(inner(args[0]), inner(args[1]))
        if isinstance(expr, nd.Max):
            return np.maximum(inner(args[0]), inner(args[1]))
        if isinstance(expr, nd.Clip):
            return np.minimum(np.maximum(*map(inner, args[:2])), inner(args[2]))
        if isinstance(expr, nd.Xlogy):
            x, y = map(inner, args)
            return np.where(x == 0, 0, x * np.log(np.where(x == 0, 1, y)))
        if isinstance(expr, nd.LogAddExp):
            return np.logaddexp(*map(inner, args))
        if isinstance(expr, nd.Hypot):
            return np.hypot(*map(inner, args))
        if isinstance(expr, nd.Pow1pM1):
            return np.expm1(inner(args[1]) * np.log1p(inner(args[0])))
        if isinstance(expr, nd.HypotPowM1):
            x, power = map(inner, args)
            return np.expm1(power / 2 * np.log1p(x * x))
        if isinstance(expr, nd.HypotPowSlope):
            x, power = map(inner, args)
            return x * (1 + x * x) ** (power / 2 - 1)
        if isinstance(expr, (nd.Gauss, nd.GaussM1)):
            x, rate = map(inner, args[:2])
            return np.exp(-rate * x * x) - (REAL(1) if isinstance(expr, nd.GaussM1) else REAL(0))
        if isinstance(expr, nd.LogSum):
            return np.log(inner(args[0]) + inner(args[1]))
        if isinstance(expr, nd.LogMixture):
            x, share = map(inner, args)
            return np.log(1 - share + share * np.exp(x))
        if isinstance(expr, nd.LogRatio):
            return np.log(inner(args[0]) / inner(args[1]))
        if isinstance(expr, nd.RelEntropy):
            p, q = map(inner, args)
            return np.where(p == 0, 0, p * np.log(np.where(p == 0, 1, p / q)))
        if isinstance(expr, nd.Ratio):
            a, b = map(inner, args)
            return np.where(b == 0, 0, a / np.where(b == 0, 1, b))
        if isinstance(expr, nd.Step):
            return (np.sign(inner(args[0])) + REAL(1)) / REAL(2)
        if isinstance(expr, nd.PowerSlope):
            base, exponent = map(inner, args)
            at_zero = REAL(exponent == 1)
            return np.where(base == 0, at_zero, base ** (exponent - REAL(1)))
        if type(expr) in UNARY:
            return UNARY[type(expr)](np.asarray(inner(args[0]), dtype=REAL))
        if isinstance(expr, sp.Add):
            return sum(map(inner, args[1:]), inner(args[0]))
        if isinstance(expr, sp.Mul):
            result = inner(args[0])
            for arg in args[1:]:
                result = result * inner(arg)
            return result
        if isinstance(expr, sp.Pow):
            return np.asarray(inner(expr.base), dtype=REAL) ** inner(expr.exp)
    raise NotImplementedError(type(expr).__name__)
