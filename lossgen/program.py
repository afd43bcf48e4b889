"""The intermediate representation: statements in index notation, and its grammar.

A ``Program`` is a list of statements ``name[free] = op_{bound | where} body`` over inputs and
earlier names.  Bodies are elementwise: every reduction is a statement of its own.

    lse[n]  = logsumexp_c  input[n, c]
    loss[n] =              lse[n] - input[n, target[n]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import sympy as sp

from lossgen import nodes
from lossgen.axes import shifted_letter
from lossgen.nodes import TRUE, ZERO, Letter, Read, free_letters, walk
from lossgen.roles import Kind
from lossgen.static import ALWAYS, Guard, condition_of

Op = Literal[
    "map", "sum", "mean", "amax", "amin", "any", "count", "logsumexp", "norm", "fitting",
    "nll", "nll_slope", "softmax", "log_softmax", "balance", "scatter", "place", "stack",
    "call",
]  # fmt: skip
REDUCTIONS: frozenset[str] = frozenset(
    ("sum", "mean", "amax", "amin", "any", "count", "logsumexp", "norm", "fitting", "nll")
)
ALONG: frozenset[str] = frozenset(("softmax", "log_softmax", "balance"))
Extent = tuple[int, int]  # positions left out at the start and at the end of an axis


@dataclass(frozen=True, slots=True)
class Array:
    """An input: its axes and what its elements are."""

    name: str
    axes: tuple[Letter, ...]
    kind: Kind = "real"
    optional: bool = False
    extents: Mapping[Letter, Extent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statement:
    """``name[free] = op_{bound | where} body``.

    Attributes:
        op: ``map`` for a plain elementwise body; ``softmax`` and ``log_softmax`` keep their bound
            letter free; ``nll`` is ``-log_softmax`` of ``body`` along the bound letter, read at the
            label ``target``; ``nll_slope``, its slope in ``body``, is made with it: the value is
            the second ``target``; ``balance``, the adjoint of a softmax's scores, is ``body`` less
            the softmax ``target`` times the sum of ``body`` along the bound letter, which stays
            free: it adds up to 0; ``fitting`` is what rows are multiplied by for their squares to
            be in range; ``scatter`` adds ``body`` to ``base`` at the positions
            ``target``, and ``place`` puts it there instead; ``stack`` lays the expressions
            ``target`` along the bound letter; ``call`` is what a function of the generated module
            gives, its further values in ``target``: a backend makes it of scheduled statements.
        guard: when the statement is needed at all (a static condition).
        extents: for letters that do not run over their whole axis, what is left out at the ends.
    """

    name: str
    free: tuple[Letter, ...]
    body: sp.Expr
    op: Op = "map"
    bound: tuple[Letter, ...] = ()
    where: sp.Expr = TRUE
    kind: Kind = "real"
    target: tuple[sp.Expr, ...] = ()
    base: sp.Expr = ZERO
    guard: Guard = ALWAYS
    extents: Mapping[Letter, Extent] = field(default_factory=dict)

    @property
    def window(self) -> dict[Letter, Extent]:
        """The extents of the result; what a scatter adds to is longer than what it adds."""
        return {k: v for k, v in self.extents.items() if k in self.free and self.op != "scatter"}

    def expressions(self) -> tuple[sp.Expr, ...]:
        """Everything the statement computes with."""
        return (self.body, self.where, self.base, *self.target)

    def mapped(self, by: Callable[[sp.Expr], sp.Expr]) -> Statement:
        """The statement with what ``by`` makes of each of its expressions."""
        body, where, base, *target = map(by, self.expressions())
        return replace(self, body=body, where=where, base=base, target=tuple(target))

    def reads(self) -> set[str]:
        """The names it reads."""
        return {x.name for e in self.expressions() for x in walk(e) if isinstance(x, Read)}


@dataclass(frozen=True, slots=True)
class Program:
    """Statements in an order in which each reads only inputs and earlier names.

    Attributes:
        order: all letters; statements and their reads are laid out in this order.
        axes: the axis letter of each letter.
        results: the names that the program computes.
    """

    inputs: tuple[Array, ...]
    statements: tuple[Statement, ...]
    results: tuple[str, ...]
    order: tuple[Letter, ...]
    axes: Mapping[Letter, Letter]

    def statement(self, name: str) -> Statement:
        """The statement of that name."""
        return next(x for x in self.statements if x.name == name)

    def sorted(self, letters: frozenset[Letter] | set[Letter]) -> tuple[Letter, ...]:
        """Letters in the program's order."""
        return tuple(x for x in self.order if x in letters)


class GrammarError(Exception):
    """A producer made a program that is not one: a fault of LossGen, not of a spec."""


def check(program: Program) -> Program:
    """The program itself, if it keeps the grammar.

    Raises:
        GrammarError: naming the statement and what is wrong with it.
    """
    known: dict[str, tuple[Letter, ...]] = {a.name: a.axes for a in program.inputs}
    for x in program.statements:
        for read in (r for e in x.expressions() for r in walk(e) if isinstance(r, Read)):
            if read.name not in known:
                raise GrammarError(f"{x.name} reads {read.name}, which is not computed before it")
            if len(read.subscripts) != len(known[read.name]):
                raise GrammarError(f"{x.name} reads {read} with the wrong number of subscripts")
        for e in x.expressions():
            if any(isinstance(y, (nodes.Let, nodes.Reduce, nodes.Along)) for y in walk(e)):
                raise GrammarError(f"{x.name} has a body that is not elementwise: {e}")
        loose = frozenset().union(*map(free_letters, x.expressions())) - {*x.free, *x.bound}
        if loose:
            raise GrammarError(
                f"{x.name} depends on {sorted(map(str, loose))}, which it does not bind"
            )
        if x.name in known:
            raise GrammarError(f"{x.name} is computed twice")
        if x.op in REDUCTIONS and (not x.bound or {*x.bound} & {*x.free}):
            raise GrammarError(f"{x.name}: {x.op} over {x.bound} with result {x.free}")
        known[x.name] = x.free
    missing = [r for r in program.results if r not in known]
    if missing:
        raise GrammarError(f"results {missing} are not computed")
    return program


def extents_of(
    exprs: tuple[sp.Expr, ...],
    arrays: Mapping[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]],
) -> dict[Letter, Extent]:
    """Where each letter may run so that every subscript is inside."""
    found: dict[Letter, Extent] = {}
    for read in (
        r for e in exprs for r in walk(e) if isinstance(r, Read) and not isinstance(r, nodes.Padded)
    ):
        letters, extents = arrays[read.name]
        for subscript, letter in zip(read.subscripts, letters, strict=True):
            place = shifted_letter(subscript)
            low, trim = extents.get(letter, (0, 0))
            if place is not None and (place[1] or low or trim):
                have = found.get(place[0], (0, 0))
                found[place[0]] = (
                    max(have[0], low - place[1], 0),
                    max(have[1], trim + place[1], 0),
                )
    return {k: v for k, v in found.items() if v != (0, 0)}


def kind_of(expr: sp.Expr, kinds: Mapping[str, Kind]) -> Kind:
    """What the elements of an expression are: real, integer or boolean."""
    if isinstance(expr, (nodes.Compare, nodes.Junction, nodes.Not, nodes.Given)) or expr in (
        sp.true,
        sp.false,
    ):
        return "boolean"
    if isinstance(expr, Read):
        return kinds[expr.name]
    if isinstance(expr, nodes.Where):
        branches = {kind_of(e, kinds) for e in expr.args[1:]}
        return "real" if "real" in branches else "integer" if "integer" in branches else "boolean"
    if isinstance(expr, (sp.Integer, Letter, nodes.Size)):
        return "integer"
    extreme = isinstance(expr, nodes.Max)  # its last argument is a share
    if isinstance(expr, (sp.Add, sp.Mul, nodes.Max, nodes.Clip, nodes.Abs)) and all(
        kind_of(a, kinds) == "integer" for a in expr.args[: 2 if extreme else None]
    ):
        return "integer"
    return "real"


def without_unused(
    statements: tuple[Statement, ...], results: tuple[str, ...]
) -> tuple[Statement, ...]:
    """The statements that the results need."""
    needed = set(results)
    kept: list[Statement] = []
    for x in reversed(statements):
        if x.name in needed:
            kept.append(x)
            needed |= x.reads()
    return tuple(reversed(kept))


def show(program: Program) -> str:
    """The program as text: one statement a line, then the condition under which it is computed."""
    return "\n".join(_shown(x) for x in program.statements)


def _shown(x: Statement) -> str:
    from lossgen.notation import plain

    left = f"{x.name}[{', '.join(map(str, x.free))}]" if x.free else x.name
    bound = ", ".join(map(str, x.bound))
    mask = f" | {plain(x.where)}" if x.where is not TRUE else ""
    if x.op == "map":
        right = plain(x.body)
    elif x.op == "stack":
        right = f"stack({', '.join(map(plain, x.target))})"
    elif x.op == "nll":
        right = f"nll_{{{bound}}} {plain(x.body, operand=True)} at {plain(x.target[0])}"
    elif x.op == "balance":
        right = f"balance_{{{bound}}} {plain(x.body, operand=True)} by {plain(x.target[0])}"
    elif x.op == "place":
        to = ", ".join(map(plain, x.target))
        right = f"{plain(x.base)}, but {plain(x.body)} at [{to}]"
    elif x.op == "scatter":
        to = ", ".join(map(plain, x.target))
        over = f"sum_{{{bound}}} " if bound else ""
        base = "" if x.base == 0 else f"{plain(x.base)} + "
        right = f"{base}{over}{plain(x.body, operand=True)} at [{to}]"
    else:
        right = f"{x.op}_{{{bound}{mask}}} {plain(x.body, operand=True)}"
    when = "" if x.guard == ALWAYS else f"    if {plain(condition_of(x.guard))}"
    return f"{left} = {right}{when}"
