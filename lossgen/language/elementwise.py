"""Functions of single elements, and what may be said about their gradients."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lossgen import nodes
from lossgen.language.letters import Expr
from lossgen.limits import limit_at
from lossgen.nodes import HALF, ZERO, word


def exp(x: Expr) -> Expr:
    return nodes.Exp(x)


def log(x: Expr) -> Expr:
    return nodes.Log(x)


def sqrt(x: Expr) -> Expr:
    """Square root; its slope at 0 is infinite, as torch's."""
    return nodes.Sqrt(x)


def sigmoid(x: Expr) -> Expr:
    return nodes.Sigmoid(x)


def log_sigmoid(x: Expr) -> Expr:
    return nodes.LogSigmoid(x)


def softplus(x: Expr) -> Expr:
    return nodes.Softplus(x)


def log1p(x: Expr) -> Expr:
    return nodes.Log1p(x)


def expm1(x: Expr) -> Expr:
    return nodes.Expm1(x)


def tanh(x: Expr) -> Expr:
    return nodes.Tanh(x)


def cosh(x: Expr) -> Expr:
    return (nodes.Exp(x) + nodes.Exp(-x)) / 2


def log_cosh(x: Expr) -> Expr:
    return nodes.LogCosh(x)


def sin(x: Expr) -> Expr:
    return nodes.Sin(x)


def cos(x: Expr) -> Expr:
    return nodes.Cos(x)


def acos(x: Expr) -> Expr:
    return nodes.Acos(x)


def atan(x: Expr) -> Expr:
    return nodes.Atan(x)


def erf(x: Expr) -> Expr:
    return nodes.Erf(x)


def erfc(x: Expr) -> Expr:
    """``1 - erf(x)``."""
    return nodes.Erfc(x)


def log1mexp(x: Expr) -> Expr:
    """``log(1 - exp(x))`` for x below 0."""
    return nodes.Log1mExp(x)


def hypot(x: Expr, y: Expr) -> Expr:
    """``sqrt(x**2 + y**2)`` without overflow; its slope where both are 0 is 0."""
    return nodes.Hypot(x, y)


def lgamma(x: Expr) -> Expr:
    return nodes.Lgamma(x)


def digamma(x: Expr) -> Expr:
    """The slope of ``lgamma``."""
    return nodes.Digamma(x)


def sign(x: Expr) -> Expr:
    return nodes.Sign(x)


def Abs(x: Expr) -> Expr:
    """Absolute value; slope 0 at 0."""
    return nodes.Abs(x)


def xlogy(x: Expr, y: Expr) -> Expr:
    """``x * log(y)``, and 0 where x = 0; where y is 0 too, its slope is taken as 0."""
    return nodes.Xlogy(x, y)


def where(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """``yes`` where the condition holds, else ``no``; a static condition costs nothing when off."""
    return nodes.Where(condition, yes, no)


def Max(*values: Expr, tie: Expr = None) -> Expr:
    """The largest.

    At a tie of two tensors each gets half of the gradient; against a constant the slope is 0.
    ``tie`` is the share of the gradient that the tensor (with two: the first) gets at a tie.
    """
    return _extreme(nodes.Max, values, tie)


def Min(*values: Expr, tie: Expr = None) -> Expr:
    """The smallest, with the tie rule of ``Max``."""
    return _extreme(nodes.Min, values, tie)


def _extreme(node: Callable[..., Expr], values: tuple[Expr, ...], tie: Expr) -> Expr:
    if len(values) < 2:
        raise TypeError("Max and Min compare two or more values; Amax and Amin reduce over letters")
    result = sp.sympify(values[0])
    for value in map(sp.sympify, values[1:]):
        if isinstance(value, nodes.Letter) and value in nodes.free_letters(result):
            raise TypeError(
                f"{node.__name__} compares values, and '{value}' is a position; "
                f"A{node.__name__.lower()}(x, {value}) reduces over {value}"
            )
        # A constant takes no gradient, so the share belongs to the tensor whichever side it is on.
        constant = [nodes.is_scalar(v) for v in (result, value)]
        share = sp.nsimplify(tie) if tie is not None else ZERO if any(constant) else HALF
        result = node(result, value, 1 - share if constant[0] and not constant[1] else share)
    return result


def clip(x: Expr, low: Expr, high: Expr) -> Expr:
    """``x`` held within [low, high]; slope 1 at both ends, as ``torch.clamp``.

    Bounds read from tensors have slopes of their own, beyond their ends alone.
    """
    x, low, high = map(sp.sympify, (x, low, high))
    if nodes.is_scalar(low) and nodes.is_scalar(high):
        return nodes.Clip(x, low, high)
    return nodes.Min(nodes.Max(x, low, nodes.ONE), high, nodes.ONE)


def stop_gradient(x: Expr) -> Expr:
    """The value, with derivative zero; an option has none in any case."""
    x = sp.sympify(x)
    return x if nodes.is_scalar(x) else nodes.StopGradient(x)


def straight_through(value: Expr, *, gradient_of: Expr) -> Expr:
    """The value of one expression with the gradient of another."""
    return nodes.StraightThrough(value, gradient_of)


def given(tensor: Expr) -> Expr:
    """Whether an optional tensor was passed."""
    name = getattr(tensor, "name", None)
    if not isinstance(name, str):
        raise TypeError("given() takes an optional tensor without its letters: given(weight)")
    return nodes.Given(word(name))


def limits(expr: Expr, parameter: Expr, *points: Expr) -> Expr:
    """The expression, with its limit in a parameter at each of the listed points."""
    result = expr
    for point in points:
        at_point = nodes.Compare("==", parameter, sp.sympify(point))
        result = nodes.Where(at_point, limit_at(expr, parameter, sp.sympify(point)), result)
    return result
