"""Chooses among equal forms by measurement, where no rule decides.

In: an elementwise expression and the ranges of what it reads.  Out: the form with the least error
over the domain, if the gain is clear; else the expression as it stands.

    sqrt(x + 1) - sqrt(x), x >= 0   →   1/(sqrt(x + 1) + sqrt(x))

An expression that computes well in float32 at some points of its domain is not searched at all.
For one that does not, a short walk over equivalences makes candidates; each must equal the author's
form to many digits at every point, and is then measured against it in float32, value and slopes.
The points are the same every time, so the choice is, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from lossgen import nodes as nd
from lossgen.derivatives import NoDerivative, partials
from lossgen.nodes import ONE, Param, Read, Size, walk
from lossgen.stabilize.engine import Stabilizer
from lossgen.stabilize.equivalences import steps
from lossgen.stabilize.forms import Cut, Measured, bits, mean_of, size
from lossgen.stabilize.known import Known
from lossgen.stabilize.measure import Point, Unmeasurable, evaluator
from lossgen.stabilize.numbers import Double, Many, Single
from lossgen.stabilize.sampling import LARGEST, points

FIRST_LOOK, TRIAL, POINTS = 24, 20, 60
LIMIT = 40  # nodes of an expression that is searched
CANDIDATES, BEAM, KEPT = 40, 4, 6
GAIN = 1.0  # bits of mean error that a form must gain to replace the author's


@dataclass(frozen=True, slots=True)
class Choice:
    """A form that was chosen: the author's, what took its place, and the mean errors in bits."""

    name: str
    written: sp.Expr
    chosen: sp.Expr
    before: float
    after: float


def search(expr: sp.Expr, known: Known, name: str = "") -> Choice | None:
    """The better form of an expression, if one was found."""
    reads = _reads(expr, known)
    if reads is None:
        return None
    ranges = {x: known.of(x) for x in reads}
    try:
        if not _computes_badly(expr, points(reads, ranges, FIRST_LOOK)):
            return None
        return _Search(expr, known, points(reads, ranges, POINTS)).run(name)
    except Unmeasurable:
        return None


def _reads(expr: sp.Expr, known: Known) -> list[sp.Basic] | None:
    """What an expression depends on, in an order that is always the same; None: not searchable.

    The result of a reduction is not searched over: it is rounded itself, and what it can be beside
    another one is not known.
    """
    found: dict[sp.Basic, None] = {}
    stack, size = [expr], 0
    while stack:
        node = stack.pop()
        size += 1
        if isinstance(node, (Read, Param, Size)):
            if isinstance(node, Read) and not known.declares(node.name):
                return None
            found[node] = None
        elif isinstance(node, (nd.Letter, nd.Padded)) or size > LIMIT:
            return None
        else:
            stack.extend(node.args)
    reads = sorted(found, key=str)
    return reads if any(isinstance(x, Read) for x in reads) else None


def doubtful(expr: sp.Expr, known: Known) -> bool:
    """Whether a sum of computed terms, or a logarithm, may cancel: else it is not looked at.

    A difference of what is read is exact to rounding, however close the two are.
    """
    for node in walk(expr):
        if isinstance(node, sp.Add):
            ranges = [known.of(t) for t in node.args]
            one_sign = all(r.nonnegative for r in ranges) or all(r.nonpositive for r in ranges)
            if not one_sign and any(_computed(t) for t in node.args):
                return True
        if isinstance(node, nd.LogRatio) and any(map(_computed, node.args)):
            return True
        if isinstance(node, nd.Log) and _computed(node.arg):
            # A logarithm is as inexact as its argument where that is near 1.
            inside = known.of(node.arg)
            if inside.low < 1 < inside.high:
                return True
    return False


def _computed(term: sp.Expr) -> bool:
    """Whether a term is rounded before it is added."""
    _, rest = term.as_coeff_Mul()
    return not nd.is_scalar(term) and not isinstance(rest, Read)


def _computes_badly(expr: sp.Expr, where: Iterable[Point]) -> bool:
    """Whether float32 is far from Python's own floats at some of the points."""
    single, double, bad = evaluator(expr, Single()), evaluator(expr, Double()), 0
    for point in where:
        true = double(point)
        if math.isfinite(true) and abs(true) < LARGEST:
            bad += bits(single(point), true) > 6
    return bad > 1


class _Search:
    """One search: the author's form, the points, and what is true there."""

    def __init__(self, expr: sp.Expr, known: Known, where: list[Point]) -> None:
        self.expr, self.known = expr, known
        self.many, self.more, self.single = Many(80), Many(160), Single()
        self.points = self._truths(expr, where)

    def _truths(self, expr: sp.Expr, where: Iterable[Point]) -> list[tuple[Point, float]]:
        """The value at each point, but where there is none or it takes too many digits to tell."""
        first, second = evaluator(expr, self.many), evaluator(expr, self.more)
        found = []
        for point in where:
            value, true = first(point), second(point)
            if not (self.many.mp.isfinite(value) and self.more.mp.isfinite(true)):
                continue
            if abs(value - true) <= 1e-30 * abs(true) and abs(true) <= LARGEST:
                found.append((point, float(true)))
        return found

    def run(self, name: str) -> Choice | None:
        if len(self.points) < POINTS // 4:
            return None
        written = self._measured(0, self.expr, self.points)
        kept = [self._measured(m.number, m.expr, self.points) for m in self._promising()]
        plain = self._best(kept, written)
        split = self._best(self._split([written, *kept]), written)
        if plain is None or (split is not None and split.mean < plain.mean - GAIN / 2):
            plain = split
        if plain is None:
            return None
        # The form with the better value may have the worse slopes.
        form = plain.expr
        form = form if self._slopes_hold(form) else nd.Rewritten(form, self.expr)
        return Choice(name, self.expr, form, written.mean, plain.mean)

    def _promising(self) -> list[Measured]:
        """The best forms by a first look at some of the points, overall and on each side of a cut.

        A walk from the author's form goes on from the best found so far, while it finds better.
        """
        trial = self.points[:: max(1, len(self.points) // TRIAL)]
        above = [[c.above(p) for p, _ in trial] for c in self._cuts()]
        sides = [[True] * len(trial), *above, *([not up for up in side] for side in above)]
        stabilizer = Stabilizer(known=self.known)
        written = self._measured(0, self.expr, trial)
        most = 2 * size(self.expr) + 8
        found: dict[sp.Expr, Measured] = {self.expr: written}
        tried: set[sp.Expr] = set()
        front = dict.fromkeys((self.expr, as_written(self.expr)))
        while front and len(found) < CANDIDATES:
            before = [min(m.on(s)[0] for m in found.values()) for s in sides]
            for made in (m for expr in front for m in steps(expr)):
                for form in () if made in found else dict.fromkeys((made, stabilizer(made))):
                    if form in found or size(form) > most or len(found) >= CANDIDATES:
                        continue
                    with suppress(Unmeasurable):
                        found[form] = self._measured(len(found), form, trial)
            tried |= front.keys()
            best = [min(found.values(), key=lambda m: m.on(s)) for s in sides]
            better = any(m.on(s)[0] < b for m, s, b in zip(best, sides, before, strict=True))
            ranked = sorted(found.values(), key=lambda m: m.key)[:BEAM]
            front = dict.fromkeys(
                m.expr for m in (*ranked, *best) if better and m.expr not in tried
            )
        ranked = sorted(found.values(), key=lambda m: m.key)[:KEPT]
        kept = dict.fromkeys(m.expr for m in (*ranked, *best))
        return [found[expr] for expr in kept if expr != self.expr]

    def _measured(self, number: int, expr: sp.Expr, points: list[tuple[Point, float]]) -> Measured:
        return Measured(number, expr, self._errors(expr, points))

    def _best(self, forms: Iterable[Measured], written: Measured) -> Measured | None:
        """The best of those that gain clearly, are nowhere worse, and are equal."""
        better = [m for m in forms if m.mean < written.mean - GAIN and m.worst <= written.worst]
        better.sort(key=lambda m: m.key)
        return next((m for m in better[:8] if self._equal(m.expr)), None)

    def _cuts(self) -> list[Cut]:
        """Where a form may change: at 0 and 1 of what is read, or where two reads are equal."""
        reads = [x for x in self.points[0][0] if isinstance(x, Read)]
        if len(reads) > 2:
            return []
        cuts = [Cut(x, sp.Integer(b)) for x in reads for b in (0, 1)]
        cuts += [Cut(x, ONE, size=True) for x in reads]
        return [*cuts, *(Cut(a, b) for a, b in combinations(reads, 2))]

    def _split(self, forms: list[Measured]) -> Iterable[Measured]:
        """One form above a cut, and another elsewhere."""
        for cut in self._cuts():
            above = [cut.above(p) for p, _ in self.points]
            first = min(forms, key=lambda m: m.on(above))
            second = min(forms, key=lambda m: m.on([not up for up in above]))
            if first is second:
                continue
            errors = [
                a if up else b for up, a, b in zip(above, first.errors, second.errors, strict=True)
            ]
            yield Measured(len(forms), cut.joined(first.expr, second.expr), errors)

    def _errors(self, expr: sp.Expr, points: Iterable[tuple[Point, float]]) -> list[float]:
        found = evaluator(expr, self.single)
        return [bits(found(p), true) for p, true in points]

    def _equal(self, candidate: sp.Expr) -> bool:
        """Whether a candidate is the author's form, to many digits, wherever that has a value."""
        ours, theirs = evaluator(candidate, self.more), evaluator(self.expr, self.more)
        for point, _ in self.points:
            a, b = theirs(point), ours(point)
            if not self.more.mp.isfinite(b) or abs(a - b) > abs(a) * self.more.mp.mpf(10) ** -50:
                return False
        return True

    # --- slopes -----------------------------------------------------------------------------

    def _slopes_hold(self, candidate: sp.Expr) -> bool:
        """Whether the slopes of a candidate are computed as well as those of the author's form."""
        try:
            ours, theirs = self._slopes_of(candidate), self._slopes_of(self.expr)
            for read, slope in theirs.items():
                where = self._truths(slope, [p for p, _ in self.points[:TRIAL]])
                written = self._errors(slope, where)
                mine = self._errors(ours.get(read, sp.S.Zero), where)
                if where and (
                    mean_of(mine) > mean_of(written) + GAIN / 2 or max(mine) > max(written) + 2
                ):
                    return False
        except (NoDerivative, Unmeasurable):
            return False
        return True

    def _slopes_of(self, expr: sp.Expr) -> Mapping[Read, sp.Expr]:
        stabilizer = Stabilizer(known=self.known)
        return {read: stabilizer(slope) for read, slope in partials(expr).items()}


def as_written(expr: sp.Expr) -> sp.Expr:
    """An expression with its formulas as they were before rules gave them other forms."""
    if isinstance(expr, nd.Rewritten):
        return as_written(expr.formula)
    return nd.rebuild(expr, [as_written(a) for a in expr.args]) if expr.args else expr
