"""What a spec may say: letters, roles and the words of a formula.

A spec is a Python function decorated with ``loss``.  Its annotations give each tensor a role and
axes, its body is a formula in index notation.  The body is parsed before it runs (see
``lossgen.body``), so ``==``, ``and``, ``not`` and ``x if c else y`` mean mathematics here.

    from lossgen.language import Logits, Probabilities, Sum, c, loss, n, s, sigmoid

    @loss()
    def overlap(input: Logits[n, c, s], target: Probabilities[n, c, s]):
        prob = sigmoid(input[n, c, s])
        return -Sum(prob * target[n, c, s], s)
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from lossgen import nodes
from lossgen.nodes import HALF, TRUE, ZERO, Letter
from lossgen.roles import (
    Broadcast,
)

n, c, s, e, d = (Letter(name) for name in "ncsed")
i, j, k, m, t, h, w = (Letter(name) for name in "ijkmthw")

Expr = typing.Any  # a SymPy expression; specs are read as mathematics, not type-checked


def axes(names: str) -> tuple[Letter, ...]:
    """More letters: ``t, h, w = axes("t h w")``."""
    return tuple(Letter(name) for name in names.split())


def broadcast(letter: Letter) -> Broadcast:
    """Permit an input to be of size 1, or missing, along this axis."""
    return Broadcast(letter)


def size(letter: Letter) -> Expr:
    """The number of positions along the axis a letter runs over."""
    return nodes.Size(letter)


# --- elementwise ------------------------------------------------------------------------------


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


def lgamma(x: Expr) -> Expr:
    return nodes.Lgamma(x)


def sign(x: Expr) -> Expr:
    return nodes.Sign(x)


def Abs(x: Expr) -> Expr:
    """Absolute value; slope 0 at 0."""
    return nodes.Abs(x)


def xlogy(x: Expr, y: Expr) -> Expr:
    """``x * log(y)``, and 0 where x = 0."""
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
        # A constant takes no gradient, so the share belongs to the tensor whichever side it is on.
        constant = [nodes.is_scalar(v) for v in (result, value)]
        share = sp.nsimplify(tie) if tie is not None else ZERO if any(constant) else HALF
        result = node(result, value, 1 - share if constant[0] and not constant[1] else share)
    return result


def clip(x: Expr, low: Expr, high: Expr) -> Expr:
    """``x`` held within [low, high]; slope 1 at both ends, as ``torch.clamp``."""
    return nodes.Clip(x, low, high)


def stop_gradient(x: Expr) -> Expr:
    """The value, with derivative zero."""
    return nodes.StopGradient(x)


def straight_through(value: Expr, *, gradient_of: Expr) -> Expr:
    """The value of one expression with the gradient of another."""
    return nodes.StraightThrough(value, gradient_of)


def given(tensor: Expr) -> Expr:
    """Whether an optional tensor was passed."""
    return nodes.Given(sp.core.symbol.Str(tensor.name))


def limits(expr: Expr, parameter: Expr, *points: Expr) -> Expr:
    """The expression, with its limit in a parameter at each of the listed points."""
    from lossgen.limits import limit_at

    result = expr
    for point in points:
        at_point = nodes.Compare("==", parameter, sp.sympify(point))
        result = nodes.Where(at_point, limit_at(expr, parameter, sp.sympify(point)), result)
    return result


# --- over letters -----------------------------------------------------------------------------


def _reduce(
    op: str, body: Expr, letters: tuple[Letter, ...], where: Expr, empty: Expr = sp.nan
) -> Expr:
    if not letters or not all(isinstance(x, Letter) for x in letters):
        raise TypeError("a reduction needs the letters it runs over: Sum(body, s)")
    return nodes.Reduce(op, body, where, empty, letters)


def Sum(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("sum", body, letters, where)


def Mean(body: Expr, *letters: Letter, where: Expr = TRUE, empty: Expr = sp.nan) -> Expr:
    """The mean over the letters (where a condition holds); over nothing it is ``empty``."""
    return _reduce("mean", body, letters, where, empty)


def Amax(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """The largest; the gradient is shared evenly at a tie, as ``torch.amax``."""
    return _reduce("amax", body, letters, where)


def Amin(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("amin", body, letters, where)


def Any(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("any", nodes.And(condition, where), letters, TRUE)


def All(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return nodes.Not(_reduce("any", nodes.And(nodes.Not(condition), where), letters, TRUE))


def Count(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """How many positions satisfy a condition."""
    return _reduce("count", nodes.And(condition, where), letters, TRUE)


def logsumexp(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("logsumexp", body, letters, where)


def norm(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """Euclidean norm; slope 0 at the zero vector."""
    return _reduce("norm", body, letters, where)


def softmax(body: Expr, letter: Letter) -> Expr:
    return nodes.Along("softmax", body, letter, letter)


def log_softmax(body: Expr, letter: Letter) -> Expr:
    return nodes.Along("log_softmax", body, letter, letter)


def at(expr: Expr, **positions: Expr) -> Expr:
    """The same expression read elsewhere: ``at(prob, c=target[n])``, ``at(sim, i=j, j=i)``."""
    letters = {letter.name: letter for letter in nodes.free_letters(expr)}
    unknown = [name for name in positions if name not in letters]
    if unknown:
        have = ", ".join(sorted(letters)) or "none"
        raise TypeError(
            f"at(): the expression does not depend on {unknown[0]!r}; its letters: {have}"
        )
    return nodes.substitute(expr, {letters[k]: sp.sympify(v) for k, v in positions.items()})


@dataclass(frozen=True, slots=True)
class Averaged:
    """An item with what its mean divides by, and further divisors by name."""

    item: Expr
    over: Expr | None
    named: dict[str, Expr] = field(default_factory=dict)


def averaged(item: Expr, *, over: Expr = None, **named: Expr) -> Averaged:
    """Say what the mean divides by when that is not the count; ``batchmean=size(n)`` adds a name."""
    return Averaged(item, over, named)


@dataclass(frozen=True, slots=True)
class LossFunction:
    """A spec's function with what ``@loss`` was told; calling it gives its expression."""

    function: Callable[..., Expr]
    options: dict[str, Expr]

    def __call__(self, *args: Expr, **kwargs: Expr) -> Expr:
        result = self.function(*args, **kwargs)
        return result.item if isinstance(result, Averaged) else result


def loss(
    *,
    reference: str = "",
    unbatched: bool = False,
    family: str = "",
    class_name: str = "",
    functional_name: str = "",
    default_reduction: str = "mean",
    signature: str = "",
    class_signature: str = "",
    forward: str = "",
    floating_target: LossFunction | None = None,
) -> Callable[[Callable[..., Expr]], LossFunction]:
    """Declare a loss.

    Args:
        reference: authors, title, venue and year of the formula's source.
        unbatched: the least rank means that the first axis (the sample) is absent.
        family: where the catalogue lists it.
        class_name, functional_name: when they are not the usual ones.
        default_reduction: ``mean``, ``sum`` or ``none``.
        signature: the functional form's arguments in order, ``*`` allowed; names that the spec does
            not have are arguments of old that are refused.
        class_signature: the same for the class's constructor.
        forward: Weight tensors that go to ``forward`` rather than to the constructor.
        floating_target: the formula for a floating-point ``target`` (class probabilities).
    """
    options = dict(
        reference=reference,
        unbatched=unbatched,
        family=family,
        class_name=class_name,
        functional_name=functional_name,
        default_reduction=default_reduction,
        signature=signature,
        class_signature=class_signature,
        forward=forward,
        floating_target=floating_target,
    )
    return lambda function: LossFunction(function, options)
