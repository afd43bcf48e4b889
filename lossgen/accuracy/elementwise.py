"""Leaves, conditions, arithmetic and elementwise functions of a formula, in many digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from mpmath import mp

from lossgen import nodes
from lossgen.accuracy.context import Context, Environment, Handler
from lossgen.accuracy.scalars import FUNCTIONS, power, power_slope
from lossgen.accuracy.tape import NOTHING, Num, log2, plus, scaled_log
from lossgen.nodes import Letter


def _letter(ev: Context, expr: Letter, here: Environment) -> Any:
    return here[expr]


def _param(ev: Context, expr: nodes.Param, here: Environment) -> Any:
    return ev.options[expr.name]


def _read(ev: Context, expr: nodes.Read, here: Environment) -> Any:
    return ev.elements[expr.name].at(tuple(int(ev.value(x, here)) for x in expr.subscripts))


def _size(ev: Context, expr: nodes.Size, here: Environment) -> Any:
    return ev.size(expr.letter)


def _given(ev: Context, expr: nodes.Given, here: Environment) -> Any:
    return expr.name in ev.elements


def _let(ev: Context, expr: nodes.Let, here: Environment) -> Any:
    inside = {p: int(ev.value(a, here)) for p, a in zip(expr.params, expr.at, strict=True)}
    return ev.value(expr.body, inside)


def _where(ev: Context, expr: nodes.Where, here: Environment) -> Any:
    condition, yes, no = expr.args
    return ev.value(yes if ev.value(condition, here) else no, here)


_HOLDS: dict[str, Callable[[Any], bool]] = {
    "==": lambda sign: sign == 0,
    "!=": lambda sign: sign != 0,
    "<": lambda sign: sign == -1,
    "<=": lambda sign: sign in (-1, 0),
    ">": lambda sign: sign == 1,
    ">=": lambda sign: sign in (0, 1),
}


def _compare(ev: Context, expr: nodes.Compare, here: Environment) -> bool:
    left, right = ev.value(expr.left, here), ev.value(expr.right, here)
    if not isinstance(left, Num) and not isinstance(right, Num):
        return _HOLDS[expr.op]((left > right) - (left < right))
    return _HOLDS[expr.op](ev.decide(ev.number(expr.left, here), ev.number(expr.right, here)))


def _and(ev: Context, expr: nodes.And, here: Environment) -> bool:
    return all(ev.value(x, here) for x in expr.args)


def _or(ev: Context, expr: nodes.Or, here: Environment) -> bool:
    return any(ev.value(x, here) for x in expr.args)


def _not(ev: Context, expr: nodes.Not, here: Environment) -> bool:
    return not ev.value(expr.args[0], here)


def _add(ev: Context, expr: sp.Add, here: Environment) -> Any:
    values = [ev.value(x, here) for x in expr.args]
    if not any(isinstance(v, Num) for v in values):
        return sum(values)
    return ev.tape.add([ev.number(x, here) for x in expr.args])


def _mul(ev: Context, expr: sp.Mul, here: Environment) -> Any:
    values = [ev.value(x, here) for x in expr.args]
    if not any(isinstance(v, Num) for v in values):
        result = 1
        for value in values:
            result *= value
        return result
    product = ev.number(expr.args[0], here)
    for factor in expr.args[1:]:
        product = ev.tape.multiply(product, ev.number(factor, here))
    return product


def _pow(ev: Context, expr: sp.Pow, here: Environment) -> Any:
    rootless = nodes.without_root(expr)
    if rootless is not None and ev.number(expr.base, here).value >= 0:
        return ev.number(rootless, here)
    base, exponent = ev.number(expr.base, here), ev.number(expr.exp, here)
    b, p = base.value, exponent.value
    if base.exact and exponent.exact and p == 2:
        square = mp.fmul(b, b, exact=True)
        source = (base, 2 * b, base.noise + 1, base.excess + 1)
        size = log2(2 * b)
        return ev.tape.result(
            square, True, scaled_log(size, base.noise), scaled_log(size, base.excess), (source,)
        )
    value, slope = power(b, p), power_slope(b, p)
    bend = p * power_slope(b, p - 1) if p != 1 else mp.zero
    found = ev.tape.apply(base, value, slope, bend)
    if exponent.place:  # an exponent with a gradient of its own
        log = mp.log(b) if b > 0 else mp.zero
        found.sources = (*found.sources, (exponent, value * log, found.noise, found.excess))
    elif exponent.noise > NOTHING and b > 0:
        found.noise = plus(found.noise, log2(value * mp.log(b)) - log2(p) + exponent.noise)
    return found


def _unary(ev: Context, expr: nodes.Unary, here: Environment) -> Any:
    x = ev.number(expr.arg, here)
    if mp.isnan(x.value):
        return ev.tape.apply(x, mp.nan, mp.nan, mp.nan)
    return ev.tape.apply(x, *FUNCTIONS[type(expr)](x.value))


def _abs(ev: Context, expr: nodes.Abs, here: Environment) -> Any:
    x = ev.number(expr.arg, here)
    sign = ev.decide(x, _ZERO)
    if sign == 1:
        return x
    slope = mp.mpf(sign if sign != 2 else 0)
    return ev.tape.result(abs(x.value), x.exact, x.noise, x.excess, ((x, slope, NOTHING, NOTHING),))


def _sign(ev: Context, expr: nodes.Sign, here: Environment) -> Any:
    return ev.tape.constant(ev.decide(ev.number(expr.arg, here), _ZERO))


def _floor(ev: Context, expr: nodes.Floor, here: Environment) -> Any:
    return ev.tape.constant(mp.floor(ev.number(expr.arg, here).value))


def _stopped(ev: Context, expr: nodes.StopGradient, here: Environment) -> Any:
    x = ev.number(expr.arg, here)
    return Num(x.value, x.exact, x.noise, x.excess)


def _straight(ev: Context, expr: nodes.StraightThrough, here: Environment) -> Any:
    value, other = ev.number(expr.args[0], here), ev.number(expr.args[1], here)
    if value.value != other.value:
        # The gradient is that of a formula whose value is another one: how it changes as an element
        # moves is not what differentiating it again as it was given would say.
        ev.singular = True
    source = (other, mp.one, NOTHING, NOTHING)
    return ev.tape.keep(Num(value.value, value.exact, value.noise, value.excess, (source,)))


def _extreme(ev: Context, expr: nodes.Max, here: Environment) -> Any:
    a, b = ev.number(expr.args[0], here), ev.number(expr.args[1], here)
    sign = ev.decide(a, b)
    if isinstance(expr, nodes.Min):
        sign = -sign if sign != 2 else sign
    if sign == 2:
        return ev.tape.apply(a, mp.nan, mp.nan, mp.nan)
    if sign:
        return a if sign == 1 else b
    share = ev.number(expr.share, here).value
    parts = ((a, share, NOTHING, NOTHING), (b, 1 - share, NOTHING, NOTHING))
    return ev.tape.keep(Num(a.value, a.exact, a.noise, a.excess, parts))


def _clip(ev: Context, expr: nodes.Clip, here: Environment) -> Any:
    x, low, high = (ev.number(a, here) for a in expr.args)
    if ev.decide(x, low) == -1:
        return low
    return high if ev.decide(x, high) == 1 else x


def _xlogy(ev: Context, expr: nodes.Xlogy, here: Environment) -> Any:
    x, y = (ev.number(a, here) for a in expr.args)
    if expr.args[0] == expr.args[1]:
        if x.value < 0:
            return ev.tape.apply(x, mp.nan, mp.nan, mp.nan)
        if x.value == 0:
            return ev.tape.apply(x, mp.zero, mp.zero, mp.zero)
        log = mp.log(x.value)
        found = ev.tape.apply(x, x.value * log, log + 1, 1 / x.value)
        # The slope is a sum, which cancels around 1/e.
        ((source, slope, noise, excess),) = found.sources
        cancels = log2(abs(log) + 1 - abs(log + 1))
        found.sources = ((source, slope, plus(noise, log2(log)), plus(excess, cancels)),)
        return found
    if x.value == 0 and y.value <= 0:
        return ev.tape.apply(x, mp.zero, mp.zero, mp.zero)
    log, slope, _ = FUNCTIONS[nodes.Log](y.value)
    ratio = x.value * slope if y.value else mp.zero
    own = scaled_log(log2(slope), y.noise), scaled_log(log2(slope), y.excess)
    other = scaled_log(log2(slope), x.noise), scaled_log(log2(slope), x.excess)
    return ev.tape.combine(
        mp.zero if x.value == 0 else x.value * log,
        (
            (x, log, plus(log2(log), own[0]), own[1]),
            (y, ratio, plus(log2(ratio), other[0]), other[1]),
        ),
    )


_ZERO = Num(mp.zero, exact=True)
HANDLERS: Mapping[type, Handler] = {
    Letter: _letter,
    nodes.Param: _param,
    nodes.Read: _read,
    nodes.Size: _size,
    nodes.Given: _given,
    nodes.Let: _let,
    nodes.Where: _where,
    nodes.Compare: _compare,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    sp.Add: _add,
    sp.Mul: _mul,
    sp.Pow: _pow,
    nodes.Abs: _abs,
    nodes.Sign: _sign,
    nodes.Floor: _floor,
    nodes.StopGradient: _stopped,
    nodes.StraightThrough: _straight,
    nodes.Max: _extreme,
    nodes.Clip: _clip,
    nodes.Xlogy: _xlogy,
    nodes.Unary: _unary,
}
