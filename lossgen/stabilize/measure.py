"""The value of an elementwise expression at a point: in float32, and in as many digits as it takes.

In: an expression over reads and options.  Out: a function from their values to its own, in one kind
of numbers; NaN where there is none.

    evaluator(1/x, float32)({x: 3.0})   →   0.3333333432674408
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Given, Param, Read, Size


class Unmeasurable(Exception):
    """An expression holds something that has no value at a point alone."""


Point = Mapping[sp.Basic, float]
Evaluator = Callable[[Point], Any]


class Arithmetic(Protocol):
    """Numbers of one kind: how to make them, and how to work with them."""

    def number(self, value: Any) -> Any: ...

    def call(self, node: type[sp.Basic]) -> Callable[..., Any]: ...

    def add(self, a: Any, b: Any) -> Any: ...

    def multiply(self, a: Any, b: Any) -> Any: ...

    def divide(self, a: Any, b: Any) -> Any: ...

    def power(self, base: Any, exponent: Any) -> Any: ...


def evaluator(expr: sp.Basic, by: Arithmetic) -> Evaluator:
    """A function from a point to the value of an expression there, in one kind of numbers."""
    return _build(expr, by, {})


def _build(expr: sp.Basic, by: Arithmetic, made: dict[sp.Basic, Evaluator]) -> Evaluator:
    if expr not in made:
        made[expr] = _built(expr, by, made)
    return made[expr]


def _built(expr: sp.Basic, by: Arithmetic, made: dict[sp.Basic, Evaluator]) -> Evaluator:
    def of(part: sp.Basic) -> Evaluator:
        return _build(part, by, made)

    if isinstance(expr, (Read, Param, Size)):
        return lambda p: by.number(p[expr])
    if isinstance(expr, Given) or expr in (sp.true, sp.false):
        return lambda p: expr is not sp.false
    if isinstance(expr, sp.Number) or expr is sp.pi:
        constant = by.number(expr)
        return lambda p: constant
    if isinstance(expr, sp.Add):
        return _folded(by.add, [of(a) for a in expr.args])
    if isinstance(expr, sp.Mul):
        return _product(expr, by, of)
    if isinstance(expr, sp.Pow):
        base, exponent = of(expr.base), of(expr.exp)
        if expr.exp == -1:
            one = by.number(sp.S.One)
            return lambda p: by.divide(one, base(p))
        return lambda p: by.power(base(p), exponent(p))
    if isinstance(expr, nd.Where):
        test, yes, no = map(of, expr.args)
        return lambda p: yes(p) if test(p) else no(p)
    if isinstance(expr, nd.Compare):
        if isinstance(expr.left, nd.Letter) or isinstance(expr.right, nd.Letter):
            raise Unmeasurable
        left, right, compare = of(expr.left), of(expr.right), _COMPARED[expr.op]
        return lambda p: compare(left(p), right(p))
    if isinstance(expr, nd.Junction):
        whole, parts = (any if isinstance(expr, nd.Or) else all), [of(a) for a in expr.args]
        return lambda p: whole([part(p) for part in parts])
    if isinstance(expr, nd.Not):
        inner = of(expr.args[0])
        return lambda p: not inner(p)
    if isinstance(expr, nd.Max):
        a, b, pick = of(expr.args[0]), of(expr.args[1]), min if isinstance(expr, nd.Min) else max
        return lambda p: pick(a(p), b(p))
    if isinstance(expr, nd.Clip):
        x, low, high = map(of, expr.args)
        return lambda p: min(max(x(p), low(p)), high(p))
    if isinstance(expr, (nd.StopGradient, nd.StraightThrough, nd.Rewritten, nd.Fitted)):
        return of(expr.args[0])
    if isinstance(expr, nd.Node):
        return _called(by.call(type(expr)), [of(a) for a in expr.args])
    raise Unmeasurable


def _folded(join: Callable[[Any, Any], Any], parts: list[Evaluator]) -> Evaluator:
    first, *rest = parts

    def value(point: Point) -> Any:
        total = first(point)
        for part in rest:
            total = join(total, part(point))
        return total

    return value


def _product(expr: sp.Mul, by: Arithmetic, of: Callable[[sp.Basic], Evaluator]) -> Evaluator:
    """A product, what divides it last of all."""
    below = [a for a in expr.args if isinstance(a, sp.Pow) and a.exp == -1]
    above = [a for a in expr.args if a not in below] or [sp.S.One]
    top = _folded(by.multiply, [of(a) for a in above])
    divisors = [of(a.base) for a in below]

    def value(point: Point) -> Any:
        found = top(point)
        for divisor in divisors:
            found = by.divide(found, divisor(point))
        return found

    return value


def _called(function: Callable[..., Any], parts: list[Evaluator]) -> Evaluator:
    if len(parts) == 1:
        (inner,) = parts
        return lambda p: function(inner(p))
    return lambda p: function(*[part(p) for part in parts])


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
