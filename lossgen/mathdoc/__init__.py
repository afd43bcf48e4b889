"""Value and gradient of a loss as LaTeX, for docstrings and ``lossgen show``.

In: a ``Compiled`` loss.  Out: ``Mathematics``: one line a statement, and what the symbols stand for
in words.  The value is printed from the spec's own expression, the gradient from the backward
program, so that both say what is computed.

    \\mathrm{overlap}_{nc} &= \\sum_{s} \\mathrm{prob}_{ncs}\\,y_{ncs} \\\\
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.parameters import distribute
from sympy.core.symbol import Str

from lossgen.compiled import Compiled, for_readers
from lossgen.mathdoc.arithmetic import bracketed, negative
from lossgen.mathdoc.choices import simpler
from lossgen.mathdoc.divisors import without_short_divisors
from lossgen.mathdoc.equations import Equation
from lossgen.mathdoc.printer import Latex
from lossgen.mathdoc.symbols import Part, Symbols, part_of, parts_of, symbols_of
from lossgen.mathdoc.vocabulary import NOTES
from lossgen.nodes import (
    TRUE,
    Along,
    And,
    Compare,
    Given,
    Junction,
    Let,
    Letter,
    Not,
    Read,
    Reduce,
    Where,
    free_letters,
    fresh,
    rebuild,
    substitute,
)
from lossgen.program import Extent, Statement, extents_of
from lossgen.schedule import with_guards
from lossgen.static import ALWAYS, Guard, condition_of, guard_of, resolve


@dataclass(frozen=True, slots=True)
class Mathematics:
    """A loss in LaTeX.

    Attributes:
        value, gradient: their equations, in an order in which each uses only earlier ones.
        symbols: for each renamed argument, its symbol and its name.
        value_notes, gradient_notes: sentences on what the symbols cannot say.
    """

    value: tuple[Equation, ...]
    gradient: tuple[Equation, ...]
    symbols: tuple[tuple[str, str], ...]
    value_notes: tuple[str, ...]
    gradient_notes: tuple[str, ...]


def mathematics(compiled: Compiled) -> Mathematics:
    """Value and gradient of a loss as LaTeX."""
    compiled = for_readers(compiled)
    symbols = symbols_of(compiled)
    with distribute(False):
        value = _Value(compiled, symbols)
        equations = tuple(value.equations())
        gradient = _Gradient(compiled, symbols)
        adjoints = tuple(gradient.equations())
    said = value.printer.notes
    named = tuple((symbol, name) for name, symbol in symbols.renamed.items())
    return Mathematics(
        equations,
        adjoints,
        named,
        (*_sentences(said), *_absences(compiled, value.printer)),
        tuple(_sentences([k for k in gradient.printer.notes if k not in said])),
    )


def _sentences(keys: Sequence[str] | Mapping[str, None]) -> list[str]:
    return [NOTES.get(k, k) for k in keys]


def _absences(compiled: Compiled, printer: Latex) -> list[str]:
    words = {"true": "Without ``{}``, every element counts."}
    usual = "Where ``{}`` is not given, it counts as {}."
    return [words.get(v, usual).format(name, v) for name, v in printer.absent.items()]


class _Value:
    """The value, from the author's expression."""

    def __init__(self, compiled: Compiled, symbols: Symbols) -> None:
        self.compiled, self.spec = compiled, compiled.spec
        self.printer = Latex(symbols)
        self.printer.extents = self.extents
        self.inputs: Mapping[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]] = {
            t.name: (t.axes, {}) for t in self.spec.tensors
        }

    def extents(self, exprs: Sequence[sp.Expr]) -> Mapping[Letter, Extent]:
        """Where the letters of expressions may run."""
        return extents_of(tuple(expanded(e) for e in exprs), self.inputs)

    def equations(self) -> list[Equation]:
        """The author's parts, then the unreduced loss, then the mean where it has a divisor."""
        spec, out = self.spec, []
        whole = spec.item
        divisor = spec.over
        if isinstance(whole, Let):
            skipped = part_of(whole)
            whole = substitute(whole.body, dict(zip(whole.params, whole.at, strict=True)))
        else:
            skipped = None
        for part in parts_of(spec):
            if part != skipped:
                name, letters, body = part
                equation = self._equation(
                    self.printer.text(Let(name, letters, body, letters)), body
                )
                out.append(replace(equation, condition=self._presence(part)))
        own = self._sorted(free_letters(whole))
        out.append(self._equation("\\ell" + self.printer.subscript(own), whole))
        if divisor is not None:
            out.append(self._mean(own, divisor))
        return out

    def _presence(self, part: Part) -> str:
        """The optional tensors without which a part means nothing."""
        name = self.printer.symbols.standing.get(part)
        guard = ALWAYS if name is None else self.compiled.forward.statement(name).guard
        given = [c for c, holds in _agreed(guard).items() if holds and isinstance(c, Given)]
        return self.printer.text(And(*sorted(given, key=str))) if given else ""

    def _equation(self, left: str, body: sp.Expr) -> Equation:
        relation = "\\iff" if _is_condition(body) else "="
        extents = self.extents((body,))
        limited = [x for x in self._sorted(free_letters(body)) if x in extents]
        terms = self.printer.terms(body)
        if limited:
            terms[-1] += f", \\quad {self.printer.range(limited, extents)}"
        return Equation(left, tuple(terms), relation)

    def _mean(self, letters: Sequence[Letter], divisor: sp.Expr) -> Equation:
        under = self._sorted(free_letters(divisor))
        below = self.printer.text(divisor, 2)
        if under:
            below = f"\\sum_{{{self.printer.range(under, {})}}} {below}"
        above = "\\ell" + self.printer.subscript(letters)
        if letters:
            above = f"\\sum_{{{self.printer.range(letters, {})}}} {above}"
        return Equation("\\mathrm{mean}", (f"\\frac{{{above}}}{{{below}}}",))

    def _sorted(self, letters: frozenset[Letter]) -> list[Letter]:
        order = {x: k for k, x in enumerate(self.compiled.forward.order)}
        return sorted(letters, key=lambda x: (order.get(x, len(order)), x.name))


def expanded(expr: sp.Basic) -> sp.Basic:
    """An expression with what its names stand for."""
    if isinstance(expr, Let):
        return expanded(substitute(expr.body, dict(zip(expr.params, expr.at, strict=True))))
    return rebuild(expr, [expanded(a) for a in expr.args]) if expr.args else expr


def _is_condition(expr: sp.Basic) -> bool:
    anywhere = isinstance(expr, Reduce) and expr.op == "any"
    return anywhere or isinstance(expr, (Compare, Junction, Not))


class _Gradient:
    """The gradient, from the backward program and what it needs of the forward."""

    def __init__(self, compiled: Compiled, symbols: Symbols) -> None:
        self.compiled, self.symbols = compiled, symbols
        self.printer = Latex(symbols)

    def equations(self) -> list[Equation]:
        """What the value does not define already, then the adjoints."""
        backward = self.compiled.backward
        optional = {t.name for t in self.compiled.spec.tensors if t.optional}
        roots: dict[str, Guard] = {
            f"d_{g}": guard_of(Given(Str(g))) if g in optional else ALWAYS
            for g in backward.gradients
        }
        statements = without_short_divisors(with_guards(backward.program, roots))
        ours = {x.name for x in backward.recorded.statements}
        adjoints = [x for x in statements if x.name not in ours]
        return [self._equation(x) for x in (*self._forward(adjoints), *adjoints)]

    def _forward(self, adjoints: Sequence[Statement]) -> list[Statement]:
        """Statements of the forward that the gradient reads and the value has not defined."""
        forward = {x.name: x for x in self.compiled.backward.recorded.statements}
        shared = {*self.symbols.standing.values()}
        needed: set[str] = set()
        waiting = {r for x in adjoints for r in x.reads()}
        while waiting:
            name = waiting.pop()
            if name in forward and name not in needed and name not in shared:
                needed.add(name)
                waiting |= forward[name].reads()
        return [x for x in forward.values() if x.name in needed]

    def _equation(self, x: Statement) -> Equation:
        known = _agreed(x.guard)
        x = x.mapped(lambda e: simpler(resolve(e, known)))
        left = (
            self.printer.text(Read(Str(x.name), *x.free))
            if x.op != "stack"
            else self._stack_left(x)
        )
        terms = self._right(x)
        limited = [y for y in x.free if y in x.extents]
        if limited:
            terms[-1] += f", \\quad {self.printer.range(limited, x.extents)}"
        condition = "" if x.guard == ALWAYS else self.printer.text(condition_of(x.guard))
        return Equation(left, tuple(terms), "\\iff" if x.kind == "boolean" else "=", condition)

    def _stack_left(self, x: Statement) -> str:
        rest = [y for y in x.free if y not in x.bound]
        return self.symbols.arrays[x.name] + self.printer.subscript(rest)

    def _right(self, x: Statement) -> list[str]:
        if x.op == "map":
            return self.printer.terms(x.body)
        if x.op in ("softmax", "log_softmax"):
            return [self.printer.along(x.op, x.body, x.bound[0])]
        if x.op == "stack":
            first, *rest = (str(self.printer.text(t)) for t in x.target)
            return (
                [f"({first},", *(f"{t}," for t in rest[:-1]), f"{rest[-1]})"]
                if rest
                else [f"({first})"]
            )
        if x.op == "scatter":
            return self._scatter(x)
        if x.op == "balance":
            return self._balance(x)
        if x.op == "place":
            there = zip(x.target, x.free, strict=True)
            label = And(*(Compare("==", y, t) for t, y in there if t != y))
            return self.printer.terms(Where(label, x.body, x.base))
        if x.op == "nll":
            return self.printer.terms(-Along("log_softmax", x.body, x.bound[0], x.target[0]))
        if x.op == "mean" and x.where is TRUE and x.body.is_number:
            return self.printer.terms(x.body)
        return [self._reduction(x)]

    def _balance(self, x: Statement) -> list[str]:
        """``w - p*sum(w)``, or ``p*(g - sum(p*g))`` where ``w`` is ``p*g``."""
        prob, letter = x.target[0], x.bound[0]
        other = fresh(letter, self.compiled.backward.program.order)
        summed = Reduce("sum", substitute(x.body, {letter: other}), TRUE, sp.S.Zero, (other,))
        factors = sp.Mul.make_args(x.body)
        if prob not in factors:
            return self.printer.terms(x.body - prob * summed)
        rest = sp.Mul(*(f for f in factors if f != prob))
        return self.printer.terms(prob * (rest - summed))

    def _reduction(self, x: Statement) -> str:
        """A reduction; a minus stands before the sum rather than inside it."""
        where, body = x.where, x.body
        if x.op == "sum" and isinstance(body, Where) and body.args[2] == 0 and body.args[1] != 1:
            where, body = And(where, body.args[0]), body.args[1]
        minus = x.op == "sum" and negative(body)
        text = self.printer.reduction(x.op, -body if minus else body, where, x.bound, x.extents)
        return f"-{text}" if minus else text

    def _scatter(self, x: Statement) -> list[str]:
        """What is added to each position: the sum of what was read from there."""
        pairs = [(t, y) for t, y in zip(x.target, x.free, strict=True) if t != y]
        there = And(*(Compare("==", t, y) for t, y in pairs))
        base = [] if x.base == 0 else self.printer.terms(bracketed(x.base))
        if not x.bound:
            added = bracketed(Where(there, x.body, 0))
            return (
                self.printer.terms(sp.Add(bracketed(x.base), added))
                if base
                else self.printer.terms(added)
            )
        text = self._reduction(replace(x, op="sum", where=And(there, x.where)))
        if not base:
            return [text]
        return [*base, f"- {text[1:]}" if text.startswith("-") else f"+ {text}"]


def _agreed(guard: Guard) -> dict[sp.Basic, bool]:
    """What every way of needing a statement takes for granted."""
    terms = list(guard)
    return dict(frozenset.intersection(*terms)) if terms else {}


__all__ = ["Equation", "Mathematics", "mathematics"]
