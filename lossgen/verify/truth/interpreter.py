"""Walks a spec's expression at concrete positions.

In: an expression, the elements of the tensors, the options, the sizes of the axes. Out: a number on
the tape, an integer or a truth value. Only the chosen branch of a condition is looked at, and a
named part is worked out once for each of its positions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Letter, free_letters
from lossgen.subscripts import extent
from lossgen.verify.truth.functions import Functions, Point
from lossgen.verify.truth.tape import ONE, ZERO, Algebra, Num, Tape, mp, value

Places = Mapping[Letter, int]


@dataclass
class Interpreter:
    """One evaluation: ``tensors`` maps a name to its elements by position (None: not given)."""

    tensors: Mapping[str, Mapping[tuple[int, ...], Any] | None]
    options: Mapping[str, Any]
    sizes: Mapping[Letter, int]
    axes: Mapping[Letter, Letter]
    algebra: Algebra = mp
    tape: Tape = field(default_factory=Tape)
    known: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.functions = Functions(self.algebra)

    def real(self, x: Any) -> Any:
        """A plain number as the algebra has it; a Python int, bool or float is exact."""
        return self.algebra.mpf(x) if isinstance(x, (int, float)) else x

    def at(self, expr: sp.Basic, places: Places) -> Any:
        """The expression with letters at positions."""
        if isinstance(expr, _REMEMBERED):
            letters = sorted(free_letters(expr), key=str)
            key = (expr, *(places[x] for x in letters))
            if key not in self.known:
                self.known[key] = self._work_out(expr, places)
            return self.known[key]
        return self._work_out(expr, places)

    def positions(self, expr: sp.Basic, letters: tuple[Letter, ...]) -> Iterator[dict[Letter, int]]:
        """All positions of the letters; fewer where subscripts reach beyond them."""
        ranges = []
        for letter in letters:
            below, above = extent(expr, letter)
            ranges.append(range(below, self.sizes[self.axes[letter]] - above))
        for chosen in itertools.product(*ranges):
            yield dict(zip(letters, chosen, strict=True))

    def _work_out(self, expr: sp.Basic, places: Places) -> Any:
        for kind in type(expr).__mro__:
            rule = _RULES.get(kind)
            if rule is not None:
                return rule(self, expr, places)
        raise TypeError(f"{type(expr).__name__} has no value here")

    def _apply(self, compute: Callable[..., Point], *args: Any) -> Any:
        result, slopes = compute(*(self.real(value(x)) for x in args))
        return self.tape.make(result, *zip(args, slopes, strict=True))

    def _add(self, expr: sp.Add, places: Places) -> Any:
        return self.total([self.at(x, places) for x in expr.args])

    def total(self, terms: list[Any]) -> Any:
        """The sum; an integer where all terms are."""
        whole = sum((value(x) for x in terms), start=0)
        return self.tape.make(whole, *((x, ONE) for x in terms))

    def _mul(self, expr: sp.Mul, places: Places) -> Any:
        result: Any = 1
        for arg in expr.args:
            factor = self.at(arg, places)
            a, b = value(result), value(factor)
            result = self.tape.make(a * b, (result, b), (factor, a))
        return result

    def _power(self, expr: sp.Pow, places: Places) -> Any:
        base, exponent = (self.at(x, places) for x in expr.args)
        rootless = nodes.without_root(expr)
        if rootless is not None and value(base) >= 0:
            return self.at(rootless, places)
        varies = isinstance(exponent, Num)
        return self._apply(lambda x, p: self.functions.power(x, p, varies=varies), base, exponent)

    def _read(self, expr: nodes.Read, places: Places) -> Any:
        elements = self.tensors[expr.name]
        if elements is None:
            raise TypeError(f"'{expr.name}' is read though it is not given")
        return elements[tuple(int(value(self.at(x, places))) for x in expr.subscripts)]

    def _let(self, expr: nodes.Let, places: Places) -> Any:
        at = [int(value(self.at(x, places))) for x in expr.at]
        inner = dict(zip(expr.params, at, strict=True))
        key = (expr.body, *inner.items())
        if key not in self.known:
            self.known[key] = self.at(expr.body, inner)
        return self.known[key]

    def _where(self, expr: nodes.Where, places: Places) -> Any:
        condition, yes, no = expr.args
        return self.at(yes if value(self.at(condition, places)) else no, places)

    def _compare(self, expr: nodes.Compare, places: Places) -> bool:
        left, right = value(self.at(expr.left, places)), value(self.at(expr.right, places))
        return bool(_COMPARE[expr.op](left, right))

    def _reduce(self, expr: nodes.Reduce, places: Places) -> Any:
        both = sp.Tuple(expr.body, expr.where)
        chosen = [{**places, **p} for p in self.positions(both, expr.bound)]
        kept = [p for p in chosen if expr.where is sp.true or value(self.at(expr.where, p))]
        if expr.op == "any":
            return any(bool(value(self.at(expr.body, p))) for p in kept)
        if expr.op == "count":
            return sum(1 for p in kept if value(self.at(expr.body, p)))
        terms = [self.at(expr.body, p) for p in kept]
        if expr.op == "sum":
            return self.total(terms)
        if expr.op == "mean":
            if not terms:
                return self.at(expr.empty, places)
            share = self.algebra.mpf(1) / len(terms)
            return self.tape.make(
                sum(value(x) for x in terms) * share, *((x, share) for x in terms)
            )
        return self.fold(expr.op, terms)

    def fold(self, op: str, terms: list[Any]) -> Any:
        """amax, amin, logsumexp or norm of the terms."""
        numbers = [self.real(value(x)) for x in terms]
        if op in ("amax", "amin"):
            if not numbers:
                return self.algebra.nan
            best = max(numbers) if op == "amax" else min(numbers)
            tied = [x for x, v in zip(terms, numbers, strict=True) if v == best]
            return self.tape.make(best, *((x, self.algebra.mpf(1) / len(tied)) for x in tied))
        if op == "norm":
            length = self.algebra.sqrt(sum((v * v for v in numbers), start=ZERO))
            slopes = [v / length if length != 0 else ZERO for v in numbers]
            return self.tape.make(length, *zip(terms, slopes, strict=True))
        if op == "logsumexp":
            if not numbers:
                return -self.algebra.inf
            top = max(numbers)
            if self.algebra.isinf(top):
                return top
            parts = [self.algebra.exp(v - top) for v in numbers]
            mass = sum(parts, start=ZERO)
            slopes = [p / mass for p in parts]
            return self.tape.make(top + self.algebra.log(mass), *zip(terms, slopes, strict=True))
        raise TypeError(f"{op} has no value here")

    def _along(self, expr: nodes.Along, places: Places) -> Any:
        outer = tuple(sorted(free_letters(expr.body) - {expr.letter}, key=str))
        key = (expr.op, expr.body, expr.letter, *(places[x] for x in outer))
        if key not in self.known:
            rows = [p[expr.letter] for p in self.positions(expr.body, (expr.letter,))]
            terms = [self.at(expr.body, {**places, expr.letter: k}) for k in rows]
            self.known[key] = dict(zip(rows, self._normalised(expr.op, terms), strict=True))
        return self.known[key][int(value(self.at(expr.position, places)))]

    def _normalised(self, op: str, terms: list[Any]) -> list[Any]:
        """softmax or log_softmax of the terms, each with its slope towards all of them."""
        numbers = [self.real(value(x)) for x in terms]
        top = max(numbers)
        parts = [self.algebra.exp(v - top) for v in numbers]
        mass = sum(parts, start=ZERO)
        shares = [p / mass for p in parts]
        results = []
        for k, share in enumerate(shares):
            if op == "softmax":
                slopes = [share * ((j == k) - other) for j, other in enumerate(shares)]
                result = share
            else:
                slopes = [(j == k) - other for j, other in enumerate(shares)]
                result = numbers[k] - top - self.algebra.log(mass)
            results.append(self.tape.make(result, *zip(terms, slopes, strict=True)))
        return results

    def _unary(self, expr: nodes.Unary, places: Places) -> Any:
        return self._apply(self.functions.unary[type(expr).__name__], self.at(expr.arg, places))

    def _binary(self, expr: nodes.Node, places: Places) -> Any:
        args = [self.at(x, places) for x in expr.args]
        return self._apply(getattr(self.functions, _BINARY[type(expr)]), *args)

    def _extreme(self, expr: nodes.Max, places: Places) -> Any:
        a, b, share = (self.at(x, places) for x in expr.args)
        sign, part = (-1 if isinstance(expr, nodes.Min) else 1), self.real(value(share))
        return self._apply(lambda x, y: self.functions.extreme(x, y, part, sign), a, b)

    def _straight_through(self, expr: nodes.StraightThrough, places: Places) -> Any:
        shown, carried = (self.at(x, places) for x in expr.args)
        return self.tape.make(self.real(value(shown)), (carried, ONE))


_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_BINARY: Mapping[type[Any], str] = {
    nodes.Xlogy: "xlogy",
    nodes.LogAddExp: "logaddexp",
    nodes.Ratio: "ratio",
    nodes.Clip: "clip",
}
_REMEMBERED = (nodes.Reduce, nodes.Unary, sp.Pow)

# In the order of the classes' inheritance: ``Min`` is a ``Max``.
_RULES: Mapping[type[Any], Callable[[Interpreter, Any, Places], Any]] = {
    Letter: lambda self, expr, places: places[expr],
    nodes.Param: lambda self, expr, places: self.options[expr.name],
    nodes.Size: lambda self, expr, places: self.sizes[self.axes[expr.letter]],
    nodes.Given: lambda self, expr, places: self.tensors[expr.name] is not None,
    nodes.Or: lambda self, expr, places: any(value(self.at(x, places)) for x in expr.args),
    nodes.And: lambda self, expr, places: all(value(self.at(x, places)) for x in expr.args),
    nodes.Not: lambda self, expr, places: not value(self.at(expr.args[0], places)),
    nodes.Compare: Interpreter._compare,
    nodes.Where: Interpreter._where,
    nodes.Let: Interpreter._let,
    nodes.Read: Interpreter._read,
    nodes.Reduce: Interpreter._reduce,
    nodes.Along: Interpreter._along,
    nodes.Max: Interpreter._extreme,
    nodes.StraightThrough: Interpreter._straight_through,
    nodes.Xlogy: Interpreter._binary,
    nodes.LogAddExp: Interpreter._binary,
    nodes.Ratio: Interpreter._binary,
    nodes.Clip: Interpreter._binary,
    nodes.Unary: Interpreter._unary,
    sp.Add: Interpreter._add,
    sp.Mul: Interpreter._mul,
    sp.Pow: Interpreter._power,
    sp.Integer: lambda self, expr, places: int(expr),
    sp.Rational: lambda self, expr, places: self.algebra.mpf(int(expr.p)) / int(expr.q),
    sp.Float: lambda self, expr, places: self.algebra.mpf(float(expr)),
    sp.core.numbers.Infinity: lambda self, expr, places: self.algebra.inf,
    sp.core.numbers.NegativeInfinity: lambda self, expr, places: -self.algebra.inf,
    sp.core.numbers.NaN: lambda self, expr, places: self.algebra.nan,
    sp.core.numbers.Pi: lambda self, expr, places: self.algebra.pi + 0,
    sp.core.numbers.Exp1: lambda self, expr, places: self.algebra.e + 0,
    sp.logic.boolalg.BooleanTrue: lambda self, expr, places: True,
    sp.logic.boolalg.BooleanFalse: lambda self, expr, places: False,
}


def leaves(tape: Tape, numbers: Mapping[tuple[int, ...], Any]) -> dict[tuple[int, ...], Num]:
    """Put the elements of a tensor on a tape."""
    return {place: tape.leaf(number) for place, number in numbers.items()}
