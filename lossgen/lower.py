"""Turns a loss's formula into a program of statements.

In: a ``LossSpec`` with stable expressions.  Out: a ``Program``: every reduction hoisted to a statement of its
own, equal ones shared, the author's names kept.  A value named and then read only at a gathered
position is computed there and not in full:

    log_prob = log_softmax(x[n, c], c); at(log_prob, c=label[n])   →   x[n, label[n]] - lse_x[n]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import (
    FALSE,
    ONE,
    TRUE,
    ZERO,
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
    walk,
)
from lossgen.program import (
    ALONG,
    Array,
    Extent,
    Op,
    Program,
    Statement,
    check,
    extents_of,
    kind_of,
    without_unused,
)
from lossgen.roles import Kind
from lossgen.spec import LossSpec

ITEM, DIVISOR = "loss", "divisor"


def lower(spec: LossSpec, item: sp.Expr, over: sp.Expr | None = None) -> Program:
    """The forward program of a loss: results ``loss`` and, with ``over``, ``divisor``."""
    lowering = _Lowering(spec, [x for x in (item, over) if x is not None])
    lowering.result(ITEM, item)
    if over is not None:
        lowering.result(DIVISOR, over)
    return lowering.program()


class _Lowering:
    def __init__(self, spec: LossSpec, expressions: Sequence[sp.Expr]) -> None:
        self.spec = spec
        self.order = _order(spec, expressions)
        self.inputs = tuple(Array(t.name, t.axes, t.role.kind, t.optional) for t in spec.tensors)
        self.kinds: dict[str, Kind] = {a.name: a.kind for a in self.inputs}
        self.arrays: dict[str, tuple[tuple[Letter, ...], dict[Letter, Extent]]] = {
            a.name: (a.axes, {}) for a in self.inputs
        }
        self.statements: list[Statement] = []
        self.shared: dict[object, str] = {}
        self.taken = {*self.kinds, *(p.name for p in spec.parameters), ITEM, DIVISOR}
        self.results: list[str] = []
        self.inside: list[str] = []

    def program(self) -> Program:
        statements = without_unused(tuple(self.statements), tuple(self.results))
        ordered = in_order_of_writing(statements, (*self.spec.names, *self.results))
        return check(Program(self.inputs, ordered, tuple(self.results), self.order, self.spec.axes))

    def result(self, name: str, expr: sp.Expr) -> None:
        if isinstance(expr, Let) and name == ITEM:
            # The author's name for the whole result is the result.
            expr = substitute(expr.body, dict(zip(expr.params, expr.at, strict=True)))
        if isinstance(expr, Let) and expr.params == expr.at:
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
        if isinstance(expr, Reduce) and not self._composite(expr):
            return self._reduction(name, expr, named=named)
        if isinstance(expr, Along) and expr.position == expr.letter:
            body = self(expr.body)
            free = self._sorted(free_letters(body) | {expr.letter})
            return self._add(name, free, body, expr.op, (expr.letter,), named=named)  # type: ignore[arg-type]
        return self._add(name, self._sorted(letters), self(expr), named=named)

    def _composite(self, expr: Reduce) -> bool:
        return expr.op == "mean" and expr.where is not TRUE

    def _reduction(self, name: str, expr: Reduce, *, named: bool = False) -> str:
        body, where = self(expr.body), self(expr.where)
        op: Op = expr.op  # type: ignore[assignment]
        if op in ("any", "count"):
            body, where = nd.And(body, where), TRUE
        if op == "norm" and where is not TRUE:
            body, where = Where(where, body, 0), TRUE
        if op in ("sum", "mean") and where is TRUE:
            body = self._with_named_factors(body)
        free = self._sorted(free_letters(expr) & (free_letters(body) | free_letters(where)))
        return self._add(name, free, body, op, self._sorted(expr.bound), where, named=named)

    def _with_named_factors(self, body: sp.Expr) -> sp.Expr:
        """The factors of a matrix product as statements, so that its adjoint is one too."""
        if not isinstance(body, sp.Mul):
            return body
        letters = free_letters(body)
        factors = [f for f in body.args if free_letters(f)]
        if len(factors) < 2 or any(free_letters(f) == letters for f in factors):
            return body
        named: list[sp.Expr] = [f for f in body.args if not free_letters(f)]
        for factor in factors:
            if not isinstance(factor, Read):
                stem = next(x.name for x in walk(factor) if isinstance(x, Read))
                name = self._add(f"factor_{stem}", self._sorted(free_letters(factor)), factor)
                factor = Read(Str(name), *self.arrays[name][0])
            named.append(factor)
        return sp.Mul(*named)

    def _add(
        self,
        name: str,
        free: tuple[Letter, ...],
        body: sp.Expr,
        op: Op = "map",
        bound: tuple[Letter, ...] = (),
        where: sp.Expr = TRUE,
        *,
        named: bool = False,
    ) -> str:
        key = (free, body, op, bound, where)
        if key in self.shared and not (named and name in (ITEM, DIVISOR)):
            return self.shared[key]
        if name not in (ITEM, DIVISOR):
            name = self._unique(name)
        kind: Kind = kind_of(body, self.kinds)
        kind = "integer" if op == "count" else "boolean" if op == "any" else kind
        if op in ("sum", "mean") and kind != "real":
            kind = "real"
        extents = extents_of((body, where), self.arrays)
        self.statements.append(Statement(name, free, body, op, bound, where, kind, extents=extents))
        self.shared[key] = name
        self.kinds[name] = kind
        self.arrays[name] = (free, {k: v for k, v in extents.items() if k in free})
        return name

    def _unique(self, name: str) -> str:
        outer = next((x for x in reversed(self.inside) if x != name), None)
        if name in self.taken and outer and f"{outer}_{name}" not in self.taken:
            name = f"{outer}_{name}"
        base, number = name, 2
        while name in self.taken:
            name, number = f"{base}{number}", number + 1
        self.taken.add(name)
        return name

    def _sorted(self, letters: Iterable[Letter]) -> tuple[Letter, ...]:
        wanted = set(letters)
        return tuple(x for x in self.order if x in wanted)

    # --- expressions ------------------------------------------------------------------------

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        """The expression over reads alone, its reductions hoisted."""
        if isinstance(expr, Let):
            return self._let(expr)
        if isinstance(expr, Reduce):
            return self._reduce(expr)
        if isinstance(expr, Along):
            return self._along(expr)
        if isinstance(expr, Read):
            return Read(expr.args[0], *[self._position(expr.name, x) for x in expr.subscripts])
        if isinstance(expr, Where) and not is_static(expr.args[0]):
            condition = expr.args[0]
            yes, no = (
                protect(expr.args[1], condition, True),
                protect(expr.args[2], condition, False),
            )
            return Where(self(condition), self(yes), self(no))
        return rebuild(expr, [self(a) for a in expr.args]) if expr.args else expr

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
        inside = free_letters(expr.body) | free_letters(expr.where)
        idle = [x for x in expr.bound if x not in inside]
        if idle:
            rest = [x for x in expr.bound if x in inside]
            inner = self(
                Reduce(expr.args[0], expr.body, expr.where, expr.empty, rest) if rest else expr.body
            )
            return inner * sp.Mul(*map(Size, idle)) if expr.op == "sum" else inner
        name = self._reduction(self._automatic(expr), expr)
        return Read(Str(name), *self.arrays[name][0])

    def _automatic(self, expr: Reduce | Along) -> str:
        word = {"logsumexp": "lse", "amax": "max", "amin": "min"}.get(expr.op, expr.op)
        for node in walk(expr.body):
            if isinstance(node, (Let, Read)):
                return f"{word}_{node.name}"
        return word

    def _along(self, expr: Along) -> sp.Expr:
        """Softmax at a gathered position needs one log-sum-exp, not every probability."""
        place = shifted_letter(expr.position)
        if place is None and not expr.position.is_Integer:
            lse = Reduce("logsumexp", expr.body, TRUE, sp.nan, (expr.letter,))
            log_prob = self(substitute(expr.body, {expr.letter: expr.position})) - self(lse)
            return nd.Exp(log_prob) if expr.op == "softmax" else log_prob
        whole = Along(expr.args[0], expr.body, expr.letter, expr.letter)
        name = self._define(self._automatic(whole), whole, free_letters(whole))
        return self._read(name, {expr.letter: expr.position})


def protect(expr: sp.Expr, condition: sp.Expr, holds: bool) -> sp.Expr:
    """Make safe what only a condition protects.

    A gather reads index 0, and a partial function a value inside its domain, where the condition
    fails: the branch is computed everywhere, and must give neither an index error nor a NaN gradient.
    """
    if not expr.args or isinstance(expr, (Let, nd.Compare)):
        return expr

    def safe(x: sp.Expr, instead: sp.Expr) -> sp.Expr:
        known = any(_is_guarded(part, condition) for part in (x, *x.args))
        if known or is_scalar(x):
            return x
        return Where(condition, x, instead) if holds else Where(condition, instead, x)

    if isinstance(expr, Read):
        return Read(
            expr.args[0],
            *[
                x if shifted_letter(x) is not None or _is_guarded(x, condition) else safe(x, ZERO)
                for x in expr.subscripts
            ],
        )
    children = [protect(a, condition, holds) for a in expr.args]
    if isinstance(expr, (nd.Log, nd.Sqrt, nd.Lgamma)):
        return expr.func(safe(children[0], ONE))
    if isinstance(expr, (nd.Log1p, nd.Acos)):
        return expr.func(safe(children[0], ZERO))
    if isinstance(expr, sp.Pow) and not (expr.exp.is_Integer and expr.exp > 0):
        return sp.Pow(safe(children[0], ONE), children[1])
    return rebuild(expr, children)


def _is_guarded(place: sp.Expr, condition: sp.Expr) -> bool:
    """Whether a gathered position is already made safe by the same condition."""
    body = place.body if isinstance(place, Let) else place
    if not isinstance(body, Where):
        return False
    if isinstance(place, Let):
        body = substitute(body, dict(zip(place.params, place.at, strict=True)))
    return bool(body.args[0] == condition)


def in_order_of_writing(
    statements: tuple[Statement, ...], names: Sequence[str]
) -> tuple[Statement, ...]:
    """The statements in the author's order, each preceded by the unnamed ones that it needs."""
    by_name = {x.name: x for x in statements}
    position = {name: k for k, name in enumerate(by_name)}
    placed: dict[str, Statement] = {}

    def place(name: str) -> None:
        if name in by_name and name not in placed:
            for read in sorted(by_name[name].reads() & by_name.keys(), key=position.__getitem__):
                place(read)
            placed[name] = by_name[name]

    for name in (*names, *by_name):
        place(name)
    return tuple(placed.values())


def _order(spec: LossSpec, expressions: Sequence[sp.Expr]) -> tuple[Letter, ...]:
    """All letters: axes in the order of the tensors, further letters beside the axis they run over."""
    axes = _axis_order([t.axes for t in spec.tensors])
    used: dict[Letter, None] = {}
    for node in walk(sp.Tuple(*expressions)):
        if isinstance(node, Letter):
            used.setdefault(node)
    order: list[Letter] = []
    for axis in axes:
        order += [
            axis,
            *sorted((x for x in used if spec.axes.get(x) == axis and x != axis), key=str),
        ]
    return tuple(order)


__all__ = ["ALONG", "DIVISOR", "FALSE", "ITEM", "lower", "protect"]


def _axis_order(tensors: Sequence[tuple[Letter, ...]]) -> list[Letter]:
    """The axes in an order that agrees with every tensor's, where there is one."""
    waiting = dict.fromkeys(
        axis for axes in sorted(tensors, key=len, reverse=True) for axis in axes
    )
    order: list[Letter] = []
    while waiting:
        blocked = {
            y for axes in tensors for k, x in enumerate(axes) if x in waiting for y in axes[k + 1 :]
        }
        chosen = next((x for x in waiting if x not in blocked), next(iter(waiting)))
        order.append(chosen)
        del waiting[chosen]
    return order


def item_letters(spec: LossSpec) -> tuple[Letter, ...]:
    """The letters of the unreduced loss, in the order of its dimensions."""
    inside = free_letters(spec.item)
    return tuple(x for x in _order(spec, [spec.item]) if x in inside)
