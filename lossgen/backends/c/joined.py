"""Forward and backward as one program of plain statements: sums, extremes and elementwise bodies.

In: a ``Compiled`` loss.  Out: a ``Program`` that computes the loss and each gradient from the
inputs and ``grad_loss``.  What a kernel computes in several loops is spelled out:

    lse[n] = logsumexp_c x[n, c]  →  max_x[n]    = amax_c x[n, c]
                                     exp_x[n, c] = exp(x[n, c] - max_x[n])
                                     rest_x[n]   = sum_c (exp_x[n, c] where x[n, c] != max_x[n])
                                     ...

An operation with no such form raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.c.apart import Apart, at_place
from lossgen.backends.c.fading import faded
from lossgen.backends.c.masses import mass, mass_and_log
from lossgen.backends.c.neighbours import without_neighbours
from lossgen.backends.c.own_letters import on_axes
from lossgen.backends.c.unmoved import unmoved
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import with_c_names
from lossgen.backends.wholes import realised
from lossgen.compiled import Compiled
from lossgen.differentiate import with_choices_resolved
from lossgen.nodes import ONE, TRUE, ZERO, Letter, Read, free_letters
from lossgen.program import Array, Program, Statement, without_unused
from lossgen.roles import Kind
from lossgen.stabilize.known import Known


class NormScale(nd.Node):
    """The power of two by which numbers up to the argument are scaled before they are squared."""

    __slots__ = ()
    is_positive = True


class FittingScale(nd.Node):
    """The power of two that makes rows with elements up to the argument fit to be squared."""

    __slots__ = ()
    is_positive = True


class ExpNegative(nd.Exp):
    """The exponential of a number that is not above 0."""

    __slots__ = ()


_PLAIN, _OF_ROWS = frozenset(("stack", "sum", "amax", "amin")), frozenset(("any", "scatter"))
_REDUCED = {"sum": "sum", "amax": "max", "amin": "min"}
_OF_LOGS = ("log_softmax", "logsumexp", "nll")  # what needs the logarithm of a softmax's sum


def joined(compiled: Compiled, *, meets: bool = False) -> Program:
    """One program for the loss, the divisor of its mean, and the gradients a kernel can give.

    With `meets`, positions of a row meet: a thread has it as a whole, and may add anywhere in it.

    Raises:
        Unsupported: where an operation has no form in plain loops.
    """
    forward, backward = compiled.backward.recorded, compiled.backward.program
    # Loops follow the first input, so that is none without axes.
    forward = replace(forward, inputs=tuple(sorted(forward.inputs, key=lambda a: not a.axes)))
    known = {x.name: x for x in forward.statements}
    statements = list(forward.statements)
    for x in backward.statements:
        if x.name not in known:
            statements.append(x)
        elif replace(known[x.name], guard=x.guard) != x:
            raise Unsupported(f"'{x.name}' means one thing forward and another backward")
    wanted = (*forward.results, *backward.results)
    statements = on_axes(statements, backward.axes)
    statements = [*with_choices_resolved(statements, forward, wanted)]
    # The gradient with respect to the divisor of a mean needs the whole loss first.
    outside = {f"grad_{r}" for r in forward.results[1:]}
    tainted = set(outside)
    for x in statements:
        if x.reads() & tainted:
            tainted.add(x.name)
        # Several elements may add to one place, which threads cannot do at once.
        if x.name.startswith("d_") and x.op == "scatter" and x.bound and not meets:
            tainted.add(x.name)
    gradients = tuple(r for r in backward.results if r not in tainted)
    results = (*forward.results, *gradients)
    whole = tuple(without_neighbours(with_c_names(statements), frozenset(results)))
    used = without_unused(whole, results)
    ranges = Known({a.name: a.role for a in compiled.spec.arguments})
    plain = _PLAIN | _OF_ROWS if meets else _PLAIN
    spelled = _Spelling(forward, frozenset(results), ranges, plain).statements(used)
    item = forward.results[0]
    inputs = (
        *forward.inputs,
        Array(f"grad_{item}", next(x.free for x in statements if x.name == item)),
    )
    kinds: dict[str, Kind] = {a.name: a.kind for a in inputs} | {x.name: x.kind for x in spelled}
    counted = tuple(x.mapped(lambda e: realised(e, kinds)) for x in spelled)
    return Program(inputs, without_unused(counted, results), results, backward.order, backward.axes)


def _is_flag(x: Statement) -> bool:
    """Whether a statement is one number or another: 64-bit integers would halve the vectors."""
    return isinstance(x.body, nd.Where) and all(y.is_Integer for y in x.body.args[1:])


class _Spelling:
    """Rewrites statements into those that one loop each computes."""

    def __init__(
        self, program: Program, results: frozenset[str], known: Known, plain: frozenset[str]
    ) -> None:
        self.program, self.results, self.known, self.plain = program, results, known, plain
        self.taken = {a.name for a in program.inputs} | {x.name for x in program.statements}
        self.shared: dict[tuple[sp.Expr, ...], tuple[sp.Expr, ...]] = {}
        self.order = program.order
        self.maps: dict[str, Statement] = {}

    def statements(self, given: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """All of them, in order."""
        self.taken |= {x.name for x in given}
        given = tuple(faded(unmoved(given), self.known, self._name))
        self.order = tuple(
            dict.fromkeys((*self.order, *(y for x in given for y in (*x.free, *x.bound))))
        )
        self.maps = {x.name: x for x in given if x.op in ("map", "place")}
        self.logs = {(x.body, x.where) for x in given if x.op in _OF_LOGS}
        spelled = [y for x in given for y in self._spelled(x)]
        apart = Apart(self.program, self.order, self._name)
        return tuple(y for x in spelled for y in apart.statements(x))

    def _spelled(self, x: Statement) -> Iterator[Statement]:
        if x.op in _REDUCED and x.name in self.results:
            # A result is stored where it is complete: after the loop.
            whole = self._name(f"{_REDUCED[x.op]}_{x.name}")
            yield replace(x, name=whole)
            yield self._map(x, Read(Str(whole), *x.free))
        elif x.op == "map" and _is_flag(x):
            yield replace(x, kind="real")
        elif x.op == "map":
            yield replace(x, body=self._at(x.body))
        elif x.op in self.plain:
            yield x
        elif x.op == "mean":
            total = self._name(f"sum_{x.name}")
            yield replace(x, name=total, op="sum")
            count = sp.Mul(*(nd.Size(b) for b in x.bound))
            yield self._map(x, Read(Str(total), *x.free) / count)
        elif x.op == "count":
            yield replace(x, op="sum", body=nd.Where(x.body, ONE, ZERO), kind="real")
        elif x.op == "any":
            best = self._name(f"max_{x.name}")
            yield replace(x, name=best, op="amax", body=nd.Where(x.body, ONE, ZERO), kind="real")
            yield self._map(x, nd.Compare(">", Read(Str(best), *x.free), ZERO), "boolean")
        elif x.op == "norm":
            yield from self._norm(x)
        elif x.op == "fitting":
            yield from self._scale(x, FittingScale)
        elif x.op in ("softmax", "log_softmax", "logsumexp", "nll"):
            yield from self._exponentials(x)
        elif x.op == "balance":
            yield from self._balance(x)
        elif x.op in ("place", "scatter"):
            yield from self._at_label(x)
        else:
            raise Unsupported(f"it needs the operation '{x.op}'")

    def _norm(self, x: Statement) -> Iterator[Statement]:
        scale, scaled, squares = (
            self._name(f"{part}_{x.name}") for part in ("scale", "scaled", "squares")
        )
        yield from self._scale(replace(x, name=scale), NormScale, x.name)
        factor, whole = Read(Str(scale), *x.free), self._sorted((*x.free, *x.bound))
        # A statement of its own: the square of a product would become a product of squares.
        yield Statement(scaled, whole, x.body * factor, guard=x.guard)
        yield replace(x, name=squares, op="sum", body=Read(Str(scaled), *whole) ** 2)
        yield self._map(x, nd.Sqrt(Read(Str(squares), *x.free)) / factor)

    def _scale(self, x: Statement, of: type[nd.Node], stem: str = "") -> Iterator[Statement]:
        """What a row is multiplied by, which its largest element decides."""
        largest = self._name(f"max_{stem or x.name}")
        yield replace(x, name=largest, op="amax", body=nd.Abs(x.body))
        yield self._map(x, of(Read(Str(largest), *x.free)))

    def _exponentials(self, x: Statement) -> Iterator[Statement]:
        (letter,) = x.bound if len(x.bound) == 1 else (None,)
        if letter is None:
            raise Unsupported(f"'{x.name}' is over several axes at once")
        outer = tuple(y for y in self._sorted(x.free) if y != letter)
        key = (x.body, x.where, letter)
        if key not in self.shared:
            stem = x.body.name if isinstance(x.body, Read) else x.name
            whole = self._sorted((*outer, letter))
            largest, below, powers = (self._name(f"{p}_{stem}") for p in ("max", "below", "exp"))
            # Each difference is a statement of its own, so that nothing regroups it.
            top, down, power = (
                Read(Str(largest), *outer), Read(Str(below), *whole), Read(Str(powers), *whole)
            )  # fmt: skip
            yield Statement(largest, outer, x.body, "amax", x.bound, x.where)
            yield Statement(below, whole, x.body - top)
            yield Statement(powers, whole, ExpNegative(down))
            made = mass_and_log if (x.body, x.where) in self.logs else mass
            statements, share, log = made(x, stem, (top, power), outer, self._name)
            yield from statements
            self.shared[key] = (top, down, power, share, log)
        top, down, power, share, log = self.shared[key]
        if x.op == "softmax":
            yield self._map(x, power * share)
        elif x.op == "log_softmax":
            yield self._map(x, down - log)
        elif x.op == "logsumexp":
            yield self._map(x, top + log)
        else:
            # A statement of its own: elements are picked one by one, the rest many at once.
            picked = self._name(f"labelled_{x.name}")
            gap = self._name(f"gap_{x.name}")
            here = nd.substitute(x.body, {letter: x.target[0]})
            yield Statement(picked, outer, self._at(here))
            yield Statement(gap, outer, top - Read(Str(picked), *outer))
            yield self._map(x, log + Read(Str(gap), *outer))

    def _at(self, e: sp.Basic) -> sp.Basic:
        """An expression that reads no value at a label, but what that is computed from."""
        if isinstance(e, Read) and e.name in self.maps and at_place(e):
            x = self.maps[e.name]
            told = dict(zip(x.free, e.subscripts, strict=True))
            places = tuple(nd.substitute(t, told) for t in x.target)
            if x.op == "map" or places == e.subscripts:
                return self._at(nd.substitute(x.body, told))
        return nd.rebuild(e, [self._at(a) for a in e.args])

    def _balance(self, x: Statement) -> Iterator[Statement]:
        """What is left of the sum after the first time is rounding, and is taken off as well."""
        (prob,), outer = x.target, tuple(y for y in x.free if y not in x.bound)
        total, once, left = (self._name(f"{part}_{x.name}") for part in ("sum", "once", "left"))
        plain = replace(x, op="map", bound=(), target=())
        yield replace(x, name=total, free=outer, op="sum", target=())
        yield replace(plain, name=once, body=x.body - prob * Read(Str(total), *outer))
        here = Read(Str(once), *x.free)
        yield replace(x, name=left, free=outer, body=here, op="sum", target=())
        yield replace(plain, body=here - prob * Read(Str(left), *outer))

    def _at_label(self, x: Statement) -> Iterator[Statement]:
        places = [(y, t) for y, t in zip(x.free, x.target, strict=True) if y != t]
        if x.bound or len(places) != 1:
            raise Unsupported(f"'{x.name}' adds at places that several elements may share")
        letter, label = places[0]
        if x.where is not TRUE:
            raise Unsupported(f"'{x.name}' is masked")
        body = x.body
        if letter not in free_letters(body):  # once for each item, not for each class
            here = self._name(f"at_label_{x.name}")
            outer = tuple(y for y in self._sorted(x.free) if y != letter)
            yield Statement(here, outer, body)
            body = Read(Str(here), *outer)
        added = body if x.op == "place" else x.base + body
        yield self._map(x, nd.Where(nd.Compare("==", letter, label), added, x.base))

    def _map(self, x: Statement, body: sp.Expr, kind: Kind = "real") -> Statement:
        return Statement(x.name, x.free, body, kind=kind, guard=x.guard)

    def _name(self, wanted: str) -> str:
        name = wanted
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def _sorted(self, letters: tuple[Letter, ...]) -> tuple[Letter, ...]:
        return tuple(y for y in self.order if y in letters)


def letters_of(x: Statement) -> frozenset[Letter]:
    """The letters that a statement's loop runs over, literal axes apart."""
    used = frozenset().union(*map(free_letters, x.expressions()))
    return frozenset(y for y in (*x.free, *x.bound, *used) if not y.name.isdigit())
