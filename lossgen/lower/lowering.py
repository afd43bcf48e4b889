"""From expressions to statements: every reduction hoisted to one of its own, equal ones shared.

A value named and then read only at a gathered position is computed there and not in full:

    log_prob = log_softmax(x[n, c], c); at(log_prob, c=label[n])   →   x[n, label[n]] - lse_x[n]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.lower.compared import Row, of_one_row, row
from lossgen.lower.families import with_family_names
from lossgen.lower.forks import forked, idle
from lossgen.lower.masked import mask_inward
from lossgen.lower.naming import automatic, stem
from lossgen.lower.order import in_order_of_writing
from lossgen.lower.protection import protect
from lossgen.lower.recording import DIVISOR, ITEM, Recording
from lossgen.nodes import (
    ONE,
    TRUE,
    Along,
    Let,
    Letter,
    Read,
    Reduce,
    Size,
    Where,
    free_letters,
    is_scalar,
    is_static,
    rebuild,
    substitute,
)
from lossgen.program import (
    Op,
    Program,
    check,
    without_unused,
)
from lossgen.spec import LossSpec
from lossgen.stabilize import Known


def lower(
    spec: LossSpec, item: sp.Expr, over: sp.Expr | None = None, known: Known | None = None
) -> Program:
    """The forward program of a loss: results ``loss`` and, with ``over``, ``divisor``."""
    lowering = _Lowering(spec, [x for x in (item, over) if x is not None], known or Known())
    lowering.result(ITEM, item)
    if over is not None:
        lowering.result(DIVISOR, over)
    return lowering.program()


class _Lowering(Recording):
    def __init__(self, spec: LossSpec, expressions: Sequence[sp.Expr], known: Known) -> None:
        super().__init__(spec, expressions)
        self.known = known
        self.alike: frozenset[Row] = frozenset()  # what is compared, to be read from one array
        self.written = (*spec.names, *(t.name for t in spec.tensors))

    def program(self) -> Program:
        statements = without_unused(tuple(self.statements), tuple(self.results))
        given = {*self.kinds, *self.taken}.difference(x.name for x in self.statements)
        statements = with_family_names(statements, self.families, given)
        # What a function of the author's computes stands where it is called, in the same order
        # each time.
        inner = {name for f in self.spec.functions for name in f.names}
        names = (x for x in self.spec.names if x not in inner)
        ordered = in_order_of_writing(statements, (*names, *self.results))
        return check(Program(self.inputs, ordered, tuple(self.results), self.order, self.axes))

    def result(self, name: str, expr: sp.Expr) -> None:
        if isinstance(expr, Let) and name == ITEM:
            # The author's name for the whole result is the result.
            expr = substitute(expr.body, dict(zip(expr.params, expr.at, strict=True)))
        if isinstance(expr, Let) and expr.params == expr.at and not self.spans(expr.params):
            read = self(expr)
            if isinstance(read, Read) and read.subscripts == self.arrays[read.name][0]:
                self.results.append(read.name)
                return
        self._define(name, expr, free_letters(expr), named=True)
        self.results.append(name)

    # --- statements -------------------------------------------------------------------------

    def _define(
        self, name: str, expr: sp.Expr, letters: Iterable[Letter], *, named: bool = False
    ) -> str:
        """Make a statement of an expression; equal unnamed ones are shared."""
        if isinstance(expr, Reduce) and self._is_one(expr):
            return self._reduction(name, expr, named=named)
        if isinstance(expr, Along) and expr.position == expr.letter:
            body = self(expr.body)
            free = self.ordered(free_letters(body) | {expr.letter})
            return self.add(name, free, body, cast(Op, expr.op), (expr.letter,), named=named)
        return self.add(name, self.ordered(letters), self(expr), named=named)

    def _is_one(self, expr: Reduce) -> bool:
        """Whether a reduction is one statement."""
        return not self._composite(expr) and not idle(expr) and forked(expr) is None

    def _composite(self, expr: Reduce) -> bool:
        return expr.op == "mean" and expr.where is not TRUE

    def _reduction(self, name: str, expr: Reduce, *, named: bool = False) -> str:
        inner = expr.body
        if expr.op in ("sum", "mean"):
            inner = mask_inward(inner, expr.where, self.known)
        body, where = self(inner), self(expr.where)
        op = cast(Op, expr.op)
        if op in ("any", "count"):
            body, where = nd.And(body, where), TRUE
        if op == "norm" and where is not TRUE:
            body, where = Where(where, body, 0), TRUE
        if op in ("sum", "mean") and where is TRUE:
            body = self._with_named_factors(body)
        free = self.ordered(free_letters(expr) & (free_letters(body) | free_letters(where)))
        return self.add(name, free, body, op, self.ordered(expr.bound), where, named=named)

    def _with_named_factors(self, body: sp.Expr) -> sp.Expr:
        """The factors of a matrix product as statements, so that its adjoint is one too."""
        if not isinstance(body, sp.Mul):
            return body
        letters = free_letters(body)
        factors = [f for f in body.args if free_letters(f)]
        if len(factors) < 2 or any(free_letters(f) == letters for f in factors):
            return body
        named: list[sp.Expr] = [f for f in body.args if not free_letters(f)]
        groups: list[sp.Expr] = []
        for factor in sorted(factors, key=lambda f: -len(free_letters(f))):
            over = free_letters(factor)
            host = next((k for k, g in enumerate(groups) if free_letters(g) >= over), None)
            if host is None:
                groups.append(factor)
            else:
                groups[host] *= factor
        for factor in groups:
            if not isinstance(factor, Read):
                factor = self._factor(factor)
            named.append(factor)
        return sp.Mul(*named)

    def _factor(self, factor: sp.Expr) -> sp.Expr:
        """A factor by a name of its own, along the axes that its letters stand for."""
        own, places = self._along_axes(factor)
        name = self.add(f"factor_{stem(own, self.written)}", self.ordered(free_letters(own)), own)
        return self._read(name, places)

    def _along_axes(
        self, expr: sp.Expr, bound: Iterable[Letter] = ()
    ) -> tuple[sp.Expr, dict[Letter, sp.Expr]]:
        """An expression with the letters of its axes, and what stood for each.

        What is written for ``i`` and for ``j`` is then one value, read at both. What compares the
        two, and what adds up along one of them, keeps the author's letters.
        """
        axes = {y: self.axes[y] for y in self.ordered(free_letters(expr))}
        others = {self.axes[y] for y in self.ordered(bound)}
        if len({*axes.values()}) < len(axes) or not others.isdisjoint(axes.values()):
            return expr, {}
        return substitute(expr, axes), {axis: y for y, axis in axes.items()}

    # --- expressions ------------------------------------------------------------------------

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        """The expression over reads alone, its reductions hoisted."""
        if isinstance(expr, Let):
            return self._let(expr)
        if isinstance(expr, Reduce):
            return self._reduce(expr)
        if isinstance(expr, Along):
            return self._along(expr)
        if isinstance(expr, nd.Compare):
            return self._compare(expr)
        if isinstance(expr, Read):
            return Read(expr.args[0], *[self._position(expr.name, x) for x in expr.subscripts])
        if isinstance(expr, Where) and not is_static(expr.args[0]):
            condition = expr.args[0]
            yes = protect(expr.args[1], condition, True, self.known)
            no = protect(expr.args[2], condition, False, self.known)
            return Where(self(condition), self(yes), self(no))
        return rebuild(expr, [self(a) for a in expr.args]) if expr.args else expr

    def _compare(self, expr: nd.Compare) -> sp.Expr:
        outer = self.alike
        expr, rows = of_one_row(expr)
        self.alike = outer | rows
        compared = rebuild(expr, [self(a) for a in expr.args])
        self.alike = outer
        return compared

    def _position(self, tensor: str, place: sp.Expr) -> sp.Expr:
        """A subscript; a gathered position is an array of its own."""
        if shifted_letter(place) is not None or place.is_Integer:
            return place
        position = self(place)
        if isinstance(position, Read):
            return position
        name = self._define(f"index_{tensor}", place, free_letters(place))
        return Read(Str(name), *self.arrays[name][0])

    def _let(self, expr: Let) -> sp.Expr:
        places = dict(zip(expr.params, expr.at, strict=True))
        gathered = [p for p, a in places.items() if shifted_letter(a) is None and not a.is_Integer]
        body = expr.body
        if gathered and isinstance(body, Along) and body.letter in gathered:
            if row(body) in self.alike:
                return self._read(self._define(expr.name, body, expr.params), places)
            return self(substitute(body, places))
        if gathered and not isinstance(body, Reduce):
            return self(substitute(body, places))
        if is_scalar(body) or isinstance(body, Letter):
            return self(body)
        self.inside.append(expr.name)
        name = self._define(expr.name, body, expr.params)
        self.inside.pop()
        return self._read(name, places)

    def _read(self, name: str, places: dict[Letter, sp.Expr]) -> sp.Expr:
        at = [places.get(x, x) for x in self.arrays[name][0]]
        return Read(Str(name), *[self._position(name, x) for x in at])

    def _reduce(self, expr: Reduce) -> sp.Expr:
        if self._composite(expr):
            total = Reduce("sum", expr.body, expr.where, sp.nan, expr.bound)
            count = Reduce("count", expr.where, TRUE, sp.nan, expr.bound)
            if expr.empty is sp.nan:
                return self(total) / self(count)
            number = self(count)
            some = nd.Compare(">", number, 0)
            return Where(some, self(total) / nd.Max(number, 1, ONE), self(expr.empty))
        if (fork := forked(expr)) is not None:
            return self(fork)
        if still := idle(expr):
            rest = [x for x in expr.bound if x not in still]
            inner = self(
                Reduce(expr.args[0], expr.body, expr.where, expr.empty, rest) if rest else expr.body
            )
            many = sp.Mul(*map(Size, still))
            if expr.op == "logsumexp":
                return inner + nd.Log(many)
            if expr.op == "norm":
                return (inner if rest else nd.Abs(inner)) * nd.Sqrt(many)
            if expr.op == "count" and not rest:
                inner = Where(inner, 1, 0)
            return inner * many if expr.op in ("sum", "count") else inner
        own, places = self._along_axes(expr, expr.bound)
        name = self._reduction(automatic(own, self.written), own)
        return self._read(name, places)

    def _along(self, expr: Along) -> sp.Expr:
        """Softmax at a label, which needs one number for each row and not every probability."""
        place = shifted_letter(expr.position)
        body = self(expr.body)
        rest = free_letters(body) - {expr.letter}
        whole_rows = free_letters(expr.position) and free_letters(expr.position) <= rest
        whole_rows = whole_rows and row(expr) not in self.alike
        if whole_rows and place != (expr.letter, 0) and (place is None or not place[1]):
            label = expr.position if place else self._position("label", expr.position)
            scores = stem(body, self.written)
            given = isinstance(body, Read) and any(scores == a.name for a in self.inputs)
            own = "nll" if given else f"nll_{scores}"
            name = self.add(own, self.ordered(rest), body, "nll", (expr.letter,), target=(label,))
            log_prob = -Read(Str(name), *self.arrays[name][0])
            return nd.Exp(log_prob) if expr.op == "softmax" else log_prob
        if place is None and not expr.position.is_Integer and row(expr) not in self.alike:
            lse = Reduce("logsumexp", expr.body, TRUE, sp.nan, (expr.letter,))
            log_prob = self(substitute(expr.body, {expr.letter: expr.position})) - self(lse)
            return nd.Exp(log_prob) if expr.op == "softmax" else log_prob
        whole = Along(expr.args[0], expr.body, expr.letter, expr.letter)
        name = self._define(automatic(whole, self.written), whole, free_letters(whole))
        return self._read(name, {expr.letter: expr.position})
