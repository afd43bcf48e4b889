"""The reverse pass: one adjoint per statement, from the last to the first.

In: a checked ``Program``.  Out: a ``Backward``.

    lse[n] = logsumexp_c x[n, c]  →  d_x[n, c] = d_lse[n]*softmax_x[n, c]

A node without a derivative raises ``NoDerivative``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.derivatives import partials
from lossgen.differentiate.chosen import with_choices_read
from lossgen.differentiate.collecting import Collecting, is_plain_read
from lossgen.differentiate.joining import joined, with_choices
from lossgen.differentiate.labels import at_labels
from lossgen.differentiate.leading import compared
from lossgen.differentiate.naming import lone_pieces, renamed, with_signs_read
from lossgen.differentiate.reads import Reads
from lossgen.factoring import factored
from lossgen.keep import choose, with_forward_names
from lossgen.masking import times, total
from lossgen.nodes import ONE, TRUE, Read, Size, Where, free_letters
from lossgen.program import Array, Program, Statement, check, without_unused
from lossgen.recording import common_parts, record
from lossgen.sharing import shared
from lossgen.static import ALWAYS, Guard, condition_of


@dataclass(frozen=True, slots=True)
class Backward:
    """The backward program.

    Attributes:
        program: its results are ``d_<input>``, in the order of ``gradients``.
        gradients: the input of each result.
        seeds: the results of the forward whose gradient comes in, as ``grad_<result>``.
        recorded: the forward, with a name for all that is kept.
        saved: what of the forward is kept for it.
    """

    program: Program
    gradients: tuple[str, ...]
    seeds: tuple[str, ...]
    recorded: Program
    saved: tuple[str, ...]


Rewrite = Callable[[Iterable[Statement]], tuple[Statement, ...]]


def differentiate(
    forward: Program,
    rewrite: Rewrite = tuple,
    usual: Mapping[sp.Basic, bool] | None = None,
    taken: Iterable[str] = (),
) -> Backward:
    """The closed-form backward of a program, its statements rewritten once they are complete.

    Args:
        forward: the program.
        rewrite: makes the statements of the backward stable.
        usual: the static conditions as they are where no option is given.
        taken: names that must not be used.
    """
    reverse = _Reverse(forward)
    gradients, seeds, statements = reverse.run(rewrite)
    recorded, kept, ordered = _kept(forward, statements, usual or {}, taken)
    seeded = (_array(replace(forward.statement(r), name=f"grad_{r}", kind="real")) for r in seeds)
    inputs = (*forward.inputs, *seeded, *map(_array, map(recorded.statement, kept)))
    results = tuple(f"d_{g}" for g in gradients)
    program = Program(inputs, ordered, results, tuple(reverse.order), reverse.axes)
    return Backward(check(program), gradients, seeds, recorded, kept)


class _Scores(NamedTuple):
    """Scores of which a softmax or its logarithm was taken, and what these add to their adjoint."""

    statement: Statement
    prob: Read
    terms: list[tuple[Guard, sp.Expr]]


class _Reverse(Reads, Collecting):
    def __init__(self, forward: Program) -> None:
        super().__init__(forward)
        self.waiting: dict[tuple[object, ...], _Scores] = {}

    def run(
        self, rewrite: Rewrite
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Statement, ...]]:
        """The inputs that get a gradient, the results that bring one, the statements between."""
        varying = self._varying()
        seeds = tuple(r for r in self.forward.results if r in varying)
        for name in seeds:
            letters, extents = self.arrays[name]
            self.kinds[f"grad_{name}"], self.arrays[f"grad_{name}"] = "real", (letters, extents)
            self.pieces[name] = [Read(Str(f"grad_{name}"), *letters)]
        for x in reversed(self.forward.statements):
            self._settle(varying, x.name)
            if x.name in self.pieces and x.name in varying:
                self._statement(x, self.adjoint(x.name), varying)
        self._settle(varying)
        gradients = [
            a.name for a in self.forward.inputs if a.kind == "real" and a.name in self.pieces
        ]
        for name in gradients:
            self.gradient(name)
        return tuple(gradients), seeds, self._finish(tuple(gradients), rewrite)

    def _varying(self) -> set[str]:
        """The names through which a gradient flows."""
        found = {a.name for a in self.forward.inputs if a.kind == "real"}
        for x in self.forward.statements:
            if x.kind == "real" and x.op not in ("any", "count", "fitting") and x.reads() & found:
                found.add(x.name)
        return found

    def _statement(self, x: Statement, g: sp.Expr, varying: set[str]) -> None:
        if x.op in ("softmax", "log_softmax"):
            self._along(x, self.named(x, g))
            return
        if x.op == "nll":
            self._likelihood(x, g, varying)
            return
        weight = self._weight(x, g)
        for read, slope in partials(x.body).items():
            if read.name in varying:
                term = times(slope, weight) if isinstance(weight, Where) else times(weight, slope)
                done = x.op == "logsumexp" or (isinstance(term, Where) and term.args[0] == x.where)
                if x.where is not TRUE and not done:
                    term = Where(x.where, term, 0)
                self.contribute(x, read, term)

    def _weight(self, x: Statement, g: sp.Expr) -> sp.Expr:
        """The adjoint of a reduction's body: what each element adds to the result, times ``g``."""
        result = Read(Str(x.name), *x.free)
        if x.op == "mean":
            return g / sp.Mul(*(self.count(x, b) for b in x.bound))
        if x.op == "logsumexp":
            if len(x.bound) == 1 and x.where is TRUE:
                letters = self.sorted({*x.free, *x.bound})
                name = self.add(f"softmax_{_stem(x)}", letters, x.body, "softmax", x.bound)
                return g * Read(Str(name), *letters)
            # Over nothing the result is -inf: with the mask outside, a second derivative would be
            # 0 * inf.
            return g * nd.Exp(Where(x.where, x.body - result, -sp.oo))
        if x.op in ("amax", "amin"):
            best = nd.And(x.where, nd.Compare("==", *compared(self, x)))
            name = self.add(f"ties_{_stem(x)}", x.free, best, "count", x.bound)
            ties: sp.Expr = Read(Str(name), *x.free)
            if x.where is not TRUE:
                ties = nd.Max(ties, ONE, ONE)  # of nothing there are none
            return Where(best, g / ties, 0)
        if x.op == "norm":
            return g * nd.Ratio(x.body, result)
        return g

    def _along(self, x: Statement, g: sp.Expr) -> None:
        """What a softmax, or its logarithm, adds to the adjoint of its scores."""
        prob = Read(Str(x.name), *x.free)
        if x.op == "softmax":
            term = prob * g
        else:
            name = self.add(f"softmax_{_stem(x)}", x.free, x.body, "softmax", x.bound)
            prob, term = Read(Str(name), *x.free), g
        key = x.body, x.free, x.bound
        self.waiting.setdefault(key, _Scores(x, prob, [])).terms.append((x.guard, term))

    def _settle(self, varying: set[str], before: str = "") -> None:
        """Hand on the adjoints of the scores that read a statement (without one: of all).

        Those of a softmax and of its logarithm are balanced together, at the price of one.
        """
        for key, (x, prob, terms) in list(self.waiting.items()):
            slopes = partials(x.body)
            if before and all(read.name != before for read in slopes):
                continue
            del self.waiting[key]
            if len({guard for guard, _ in terms}) > 1:
                x = replace(x, guard=ALWAYS)
                terms = [(g, t if g == ALWAYS else Where(condition_of(g), t, 0)) for g, t in terms]
            weight = self._balanced(x, prob, total(term for _, term in terms))
            for read, slope in slopes.items():
                if read.name in varying:
                    self.contribute(x, read, times(weight, slope))

    def _balanced(self, x: Statement, prob: Read, adjoint: sp.Expr) -> sp.Expr:
        """``adjoint - prob*sum(adjoint)``, which adds up to 0."""
        if x.bound[0] not in free_letters(adjoint):
            return adjoint - prob * adjoint * Size(x.bound[0])
        stem = x.body.name if isinstance(x.body, Read) else "scores"
        name = f"d_{stem}_{x.name}"
        balanced = self.add(name, x.free, adjoint, "balance", x.bound, target=(prob,))
        return Read(Str(balanced), *x.free)

    def _likelihood(self, x: Statement, g: sp.Expr, varying: set[str]) -> None:
        """``softmax - 1`` at the label, without cancellation, and ``softmax`` elsewhere.

        The probability p of a label that is all but certain rounds to 1; p - 1 is
        ``expm1(-nll)``, to full precision.
        """
        letters = self.sorted({*x.free, *x.bound})
        soft = self.add(f"softmax_{_stem(x)}", letters, x.body, "softmax", x.bound)
        name = self.add(
            f"d_{_stem(x)}_{x.name}",
            letters,
            g * nd.Expm1(-Read(Str(x.name), *x.free)),
            "place",
            target=tuple(x.target[0] if y == x.bound[0] else y for y in letters),
            base=g * Read(Str(soft), *letters),
        )
        weight = Read(Str(name), *letters)
        for read, slope in partials(x.body).items():
            if read.name in varying:
                whole = replace(x, free=letters, bound=())
                self.contribute(whole, read, times(weight, slope))

    def _finish(self, gradients: tuple[str, ...], rewrite: Rewrite) -> tuple[Statement, ...]:
        results = tuple(f"d_{g}" for g in gradients)
        statements = _without_aliases(without_unused(tuple(self.out), results))
        names = lone_pieces(self.pieces, self.arrays)
        for old, new in names.items():
            self.arrays[new], self.kinds[new] = self.arrays.pop(old), self.kinds.pop(old)
        statements = renamed(statements, names)
        statements = with_forward_names(at_labels(rewrite(statements), self.forward), self.forward)
        statements = with_choices(joined(_factored(x) for x in statements), results)
        statements = with_choices_read(statements, self.forward, results)
        done = shared(statements, self.arrays, self.kinds, self.order, self.arrays, results)
        return with_signs_read(done, results)


def _kept(
    forward: Program,
    statements: tuple[Statement, ...],
    usual: Mapping[sp.Basic, bool],
    taken: Iterable[str],
) -> tuple[Program, tuple[str, ...], tuple[Statement, ...]]:
    """The forward as it is recorded, what is kept of it, and the backward's statements."""
    parts = common_parts(forward, statements, taken)
    while True:
        recorded, rest = record(forward, statements, parts)
        kept, again = choose(forward, recorded, rest, usual)
        # A part that is not kept needs no name.
        named = {part: name for part, name in parts.items() if name in kept}
        if named == parts:
            return recorded, kept, (*again, *rest)
        parts = named


def _array(x: Statement) -> Array:
    return Array(x.name, x.free, x.kind, extents=x.window)


def _factored(x: Statement) -> Statement:
    if x.op not in ("map", "sum", "mean", "scatter", "place", "balance"):
        return x
    return replace(x, body=factored(x.body), base=factored(x.base))


def _without_aliases(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """``d_a = …; d_b = d_a`` as ``d_b = …``, where nothing else reads ``d_a``."""
    made = {x.name: x for x in statements}
    for x in statements:
        if x.op != "map" or not is_plain_read(x.body) or x.body.name not in made:
            continue
        source = made[x.body.name]
        users = [y for y in made.values() if source.name in y.reads()]
        if x.body.subscripts == source.free == x.free and users == [x]:
            made = {
                (x.name if y is source else y.name): (replace(y, name=x.name) if y is source else y)
                for y in made.values()
                if y is not x
            }
    return tuple(made.values())


def _stem(x: Statement) -> str:
    """What a reduction's result is of: ``sim`` for ``lse_sim``."""
    if x.name == x.op and isinstance(x.body, Read):
        return str(x.body.name)
    stem = x.name
    for word in ("lse_", "log_softmax_", "max_", "min_", "nll_"):
        stem = stem.removeprefix(word)
    return stem
