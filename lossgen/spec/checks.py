"""What must hold of a formula as a whole, once its function has run.

In: the arguments and the expressions. Out: findings, each a message, a hint and the name on whose
line it lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cache

import sympy as sp

from lossgen import nodes
from lossgen.errors import suggest
from lossgen.language.declaration import Averaged, Options
from lossgen.nodes import Given, Param, Read, Reduce, Unknown, Where, free_letters, walk
from lossgen.spec.data import Parameter, TensorArg
from lossgen.spec.positions import Finding, check_positions

_CONDITIONS = (nodes.Compare, nodes.Junction, nodes.Not, Given)
_STEPS = (nodes.Floor, nodes.Sign, nodes.Step, nodes.StopGradient)


def check_used(
    arguments: Sequence[TensorArg | Parameter], result: Averaged, excused: Set[str]
) -> Iterator[Finding]:
    """Arguments on which nothing depends, ``excused`` names left alone."""
    everything = walk(sp.Tuple(*expressions(result)))
    used = {x.name for x in everything if isinstance(x, (Read, Param, Given))}
    for argument in arguments:
        if argument.name not in used | excused:
            hint = "use it or remove it"
            yield f"'{argument.name}' is never used in the formula", hint, argument.name


def check_formula(
    arguments: Sequence[TensorArg | Parameter], result: Averaged
) -> Iterator[Finding]:
    """What is wrong with the expressions of a loss, but for their letters."""
    exprs = expressions(result)
    everything = list(walk(sp.Tuple(*exprs)))
    yield from _check_divisors(result)
    yield from _check_nodes(everything)
    yield from _check_absent(arguments, exprs)
    tensors = [t for t in arguments if isinstance(t, TensorArg)]
    labels = {t.name for t in tensors if t.role.kind == "integer"}
    yield from check_positions(exprs, {t.name: t.axes for t in tensors}, labels)
    real = frozenset(t.name for t in tensors if t.role.kind == "real")
    if _is_condition(result.item):
        yield "the loss returns a condition", "write where(condition, 1, 0)", ""
    elif _reads(everything) and not any(_moves(x, real) for x in exprs):
        message = "the loss has no gradient: its tensors count in conditions and steps alone"
        hint = "write a smooth form, or in a spec straight_through(steps, gradient_of=smooth)"
        yield message, hint, ""


def expressions(result: Averaged) -> list[sp.Expr]:
    """The item, what its mean divides by, and further divisors."""
    return [x for x in (result.item, result.over, *result.named.values()) if x is not None]


def _is_condition(expr: sp.Expr) -> bool:
    while isinstance(expr, nodes.Let):
        expr = expr.body
    return isinstance(expr, _CONDITIONS)


def _reads(everything: list[sp.Basic]) -> bool:
    """Whether a formula reads tensors, and all that it reads is known."""
    unknown = any(isinstance(x, Unknown) for x in everything)
    return not unknown and any(isinstance(x, Read) for x in everything)


@cache
def _moves(expr: sp.Basic, real: frozenset[str]) -> bool:
    """Whether a gradient may flow from an expression to one of the tensors."""
    if isinstance(expr, Read):
        return expr.name in real
    if isinstance(expr, (*_CONDITIONS, *_STEPS)):
        return False
    if isinstance(expr, (Where, nodes.StraightThrough)):
        return any(_moves(x, real) for x in expr.args[1:])
    if isinstance(expr, (nodes.Let, nodes.Along, Reduce)):
        return _moves(expr.body, real)
    return any(_moves(x, real) for x in expr.args)


def _check_divisors(result: Averaged) -> Iterator[Finding]:
    if result.item.has(Unknown):
        return  # its letters are not known
    have = free_letters(result.item)
    divisors = {"over": result.over, **result.named}
    for word, expr in divisors.items():
        if expr is not None and expr.is_zero:
            hint = "leave it out, and the mean divides by the number of items"
            yield f"{word}=0 divides by nothing", hint, ""
        extra = free_letters(expr) - have if expr is not None else frozenset()
        for letter in sorted(extra, key=str):
            message = f"{word}= has the letter '{letter}', which the item has not"
            yield message, "sum over it", letter.name
    counted = frozenset() if result.over is None else free_letters(result.over)
    for letter in sorted(have - counted, key=str) if counted else ():
        message = f"over= has not the item's letter '{letter}': does it count once, or for each?"
        yield message, f"return Sum(..., {letter}) or Mean(..., {letter}) as the item", letter.name


def _check_nodes(everything: list[sp.Basic]) -> Iterator[Finding]:
    for node in everything:
        if isinstance(node, (sp.Function, sp.Max, sp.Min)):
            word = type(node).__name__
            hint = "take the words of lossgen.language"
            yield f"'{word}' is SymPy's own and has no meaning here", hint, word
    if sp.I in everything:
        yield "the formula is complex, and a loss is real", "", ""
    if any(x in everything for x in (sp.zoo, sp.nan)) and not _expected_nan(everything):
        yield "the formula is undefined (it holds NaN or an unsigned infinity)", "", ""


def _expected_nan(everything: list[sp.Basic]) -> bool:
    """NaN is legitimate in one place: as the value of a mean over nothing."""
    outside = [
        x
        for x in everything
        if sp.nan in x.args and not (isinstance(x, Reduce) and x.empty is sp.nan)
    ]
    return not outside and sp.zoo not in everything


def _check_absent(
    arguments: Sequence[TensorArg | Parameter], exprs: Sequence[sp.Expr]
) -> Iterator[Finding]:
    """An optional tensor without a neutral value is read only where it is given."""
    tensors = [t for t in arguments if isinstance(t, TensorArg) and t.optional]
    bare = frozenset(t.name for t in tensors if t.role.neutral is None)
    for name in sorted(_unguarded(sp.Tuple(*exprs), bare)) if bare else ():
        hint = f"write where(given({name}), ..., ...)"
        yield f"'{name}' is read where it may be absent", hint, name


@cache
def _unguarded(expr: sp.Basic, absent: frozenset[str]) -> frozenset[str]:
    """Which of the tensors that may be absent an expression reads all the same."""
    if isinstance(expr, Read) and expr.name in absent:
        return frozenset((expr.name,))
    if isinstance(expr, Where):
        condition, yes, no = expr.args
        return (
            _unguarded(condition, absent)
            | _unguarded(yes, absent - _given(condition, True))
            | _unguarded(no, absent - _given(condition, False))
        )
    return frozenset().union(*(_unguarded(x, absent) for x in expr.args))


def _given(condition: sp.Basic, holds: bool) -> frozenset[str]:
    """The tensors that are there where a condition holds, or fails."""
    if isinstance(condition, nodes.Let):
        return _given(condition.body, holds)
    if isinstance(condition, Given):
        return frozenset((condition.name,)) if holds else frozenset()
    if isinstance(condition, nodes.Not):
        return _given(condition.args[0], not holds)
    if isinstance(condition, nodes.Junction):
        parts = [_given(x, holds) for x in condition.args]
        joined = isinstance(condition, nodes.Or) != holds
        return frozenset().union(*parts) if joined else frozenset.intersection(*parts)
    return frozenset()


def check_options(
    options: Options, tensors: Sequence[TensorArg], divisors: Sequence[str]
) -> Iterator[Finding]:
    """What ``@loss`` was told, against the loss."""
    reductions = ("mean", "sum", "none", *divisors)
    if options.default_reduction not in reductions:
        known = ", ".join(reductions)
        hint = suggest(options.default_reduction, reductions) or f"The reductions here: {known}"
        yield f"default_reduction= is '{options.default_reduction}', no reduction", hint, ""
    for name in divisors:
        if name in ("mean", "sum", "none"):
            yield f"'{name}' is a reduction already", "name the divisor otherwise", ""
    for word in ("class_name", "functional_name"):
        value = getattr(options, word)
        if value and not value.isidentifier():
            yield f"{word}= is '{value}', no name Python allows", "", ""
    names = [t.name for t in tensors]
    for name in words(options.forward):
        if name not in names:
            yield f"forward= names '{name}', which is no tensor", suggest(name, names), ""


def check_signature(text: str, arguments: Sequence[str]) -> Iterator[Finding]:
    """``signature=`` lists every argument, and each name once."""
    names = words(text)
    for name in arguments:
        if name not in names:
            yield f"signature= leaves out '{name}'", "list every argument", name
    for position, name in enumerate(names):
        if name in names[:position]:
            yield f"signature= lists '{name}' twice", "", name
        elif name != "*" and not name.isidentifier():
            yield f"signature= lists '{name}', no name Python allows", "", ""
    if "reduction" not in names:
        yield "signature= leaves out 'reduction'", "list every argument", ""


def words(text: str) -> tuple[str, ...]:
    """``("input", "*", "weight")`` for ``"input, *, weight"``."""
    return tuple(text.replace(",", " ").split())
