"""Statement-level reverse mode: from a forward program to its closed-form backward.

In: a checked ``Program``.  Out: a ``Backward``: statements that turn the gradient of the results into the
gradient of each input, and what they need of the forward.  One adjoint per statement; the adjoint
of a read follows from its subscripts.

    sim[i, j]   = sum_d z[i, d]*w[j, d]
    d_z[n, d]   = sum_j d_sim[n, j]*w[j, d]
    d_w[n, d]   = sum_i d_sim[i, n]*z[i, d]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.derivatives import partials, times, total
from lossgen.keep import choose, with_forward_names
from lossgen.nodes import (
    ONE,
    TRUE,
    ZERO,
    Letter,
    Needs,
    Padded,
    Read,
    Size,
    Where,
    free_letters,
    substitute,
)
from lossgen.program import (
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
from lossgen.static import ALWAYS, condition_of


@dataclass(frozen=True, slots=True)
class Backward:
    """The backward program.

    Attributes:
        program: its results are ``d_<input>``, in the order of ``gradients``.
        gradients: the input of each result.
        seeds: the results of the forward whose gradient comes in, as ``grad_<result>``.
        saved: results of the forward's reductions that are kept for it.
    """

    program: Program
    gradients: tuple[str, ...]
    seeds: tuple[str, ...]
    saved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scatter:
    body: sp.Expr
    target: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class _At:
    body: sp.Expr
    axis: int
    position: int


_Piece = sp.Expr | _Scatter | _At


def differentiate(forward: Program) -> Backward:
    """The closed-form backward of a program."""
    return _Reverse(forward).run()


class _Reverse:
    def __init__(self, forward: Program) -> None:
        self.forward = forward
        self.order = list(forward.order)
        self.axes = dict(forward.axes)
        self.kinds: dict[str, Kind] = {a.name: a.kind for a in forward.inputs}
        self.arrays: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]] = {
            a.name: (a.axes, {}) for a in forward.inputs
        }
        for x in forward.statements:
            self.kinds[x.name] = x.kind
            self.arrays[x.name] = (x.free, {k: v for k, v in x.extents.items() if k in x.free})
        self.pieces: dict[str, list[_Piece]] = {}
        self.out: list[Statement] = []

    def run(self) -> Backward:
        varying = self._varying()
        seeds = tuple(r for r in self.forward.results if r in varying)
        for name in seeds:
            letters = self.forward.statement(name).free
            self.kinds[f"grad_{name}"], self.arrays[f"grad_{name}"] = "real", (letters, {})
            self.pieces[name] = [Read(Str(f"grad_{name}"), *letters)]
        for x in reversed(self.forward.statements):
            if x.name in self.pieces and x.name in varying:
                self._statement(x, self._adjoint(x.name), varying)
        gradients = [
            a.name for a in self.forward.inputs if a.kind == "real" and a.name in self.pieces
        ]
        for name in gradients:
            self._gradient(name)
        return self._finish(tuple(gradients), seeds)

    def _varying(self) -> set[str]:
        """The names through which a gradient flows."""
        found = {a.name for a in self.forward.inputs if a.kind == "real"}
        for x in self.forward.statements:
            if x.kind == "real" and x.op not in ("any", "count") and x.reads() & found:
                found.add(x.name)
        return found

    # --- adjoints of statements -------------------------------------------------------------

    def _statement(self, x: Statement, g: sp.Expr, varying: set[str]) -> None:
        if x.op in ("softmax", "log_softmax"):
            self._along(x, self._named(x, g), varying)
            return
        weight = self._weight(x, g)
        for read, slope in partials(x.body).items():
            if read.name in varying:
                term = times(slope, weight) if isinstance(weight, Where) else times(weight, slope)
                done = x.op == "logsumexp" or (isinstance(term, Where) and term.args[0] == x.where)
                if x.where is not TRUE and not done:
                    term = Where(x.where, term, 0)
                self._contribute(x, read, term)

    def _weight(self, x: Statement, g: sp.Expr) -> sp.Expr:
        """The adjoint of a reduction's body: what each element adds to the result, times ``g``."""
        result = Read(Str(x.name), *x.free)
        if x.op == "mean":
            return g / sp.Mul(*(self._count(x, b) for b in x.bound))
        if x.op == "logsumexp":
            if len(x.bound) == 1 and x.where is TRUE:
                letters = self._sorted({*x.free, *x.bound})
                name = self._add(f"softmax_{_stem(x)}", letters, x.body, "softmax", x.bound)
                return g * Read(Str(name), *letters)
            # Over nothing the result is -inf: the mask goes inside, or a second derivative is 0 * inf.
            return g * nd.Exp(Where(x.where, x.body - result, -sp.oo))
        if x.op in ("amax", "amin"):
            best = nd.And(x.where, nd.Compare("==", x.body, result))
            name = self._add(f"ties_{_stem(x)}", x.free, best, "count", x.bound)
            return Where(best, g / Read(Str(name), *x.free), 0)
        if x.op == "norm":
            return g * nd.Ratio(x.body, result)
        return g

    def _along(self, x: Statement, g: sp.Expr, varying: set[str]) -> None:
        here = Read(Str(x.name), *x.free)
        inner = g * here if x.op == "softmax" else g
        if set(x.bound) <= free_letters(inner):
            name = self._add(
                f"sum_{_name_of(g)}",
                self._sorted(free_letters(inner) - {*x.bound}),
                inner,
                "sum",
                x.bound,
            )
            summed: sp.Expr = Read(Str(name), *self.arrays[name][0])
        else:
            summed = inner * Size(x.bound[0])
        if x.op == "softmax":
            weight = here * (g - summed)
        else:
            soft = self._add(f"softmax_{_stem(x)}", x.free, x.body, "softmax", x.bound)
            weight = g - Read(Str(soft), *x.free) * summed
        for read, slope in partials(x.body).items():
            if read.name in varying:
                self._contribute(x, read, times(weight, slope))

    def _count(self, x: Statement, letter: Letter) -> sp.Expr:
        low, trim = x.extents.get(letter, (0, 0))
        return Size(letter) - low - trim

    # --- adjoints of reads ------------------------------------------------------------------

    def _contribute(self, x: Statement, read: Read, term: sp.Expr) -> None:
        """Add a term over the statement's letters to the adjoint of what was read."""
        letters, extents = self.arrays[read.name]
        places = [shifted_letter(s) for s in read.subscripts]
        plain = {p[0] for p in places if p is not None}
        gathers = [
            s
            for s, p in zip(read.subscripts, places, strict=True)
            if p is None and not s.is_Integer
        ]
        kept = plain.union(*map(free_letters, gathers))
        idle = {*x.free, *x.bound} - kept - free_letters(term)
        # Where nothing depends on a letter, each of its positions adds the same.
        for letter in sorted(idle & {*x.free, *x.bound}, key=str):
            term = term * self._count(x, letter)
        term = self._summed(x, read, term, free_letters(term) - kept)
        if x.guard != ALWAYS:
            # What is computed under a condition has no gradient elsewhere.
            term = Where(condition_of(x.guard), term, 0)
        if gathers:
            self._scatter(read, term, letters, places)
            return
        if any(s.is_Integer for s in read.subscripts):
            self._literal(read, term, letters, places)
            return
        if any(
            (x.extents.get(p[0], (0, 0))[0] + p[1], x.extents.get(p[0], (0, 0))[1] - p[1])
            != tuple(extents.get(letter, (0, 0)))
            for p, letter in zip(places, letters, strict=True)
            if p is not None
        ):
            self._padded(x, read, term, letters, places)
            return
        self._dense(read.name, term, letters, [p[0] for p in places if p is not None])

    def _dense(
        self, name: str, term: sp.Expr, letters: tuple[Letter, ...], at: list[Letter]
    ) -> None:
        renaming: dict[Letter, Letter] = {}
        diagonal: list[tuple[Letter, Letter]] = []
        for letter, here in zip(letters, at, strict=True):
            if here in renaming:
                diagonal.append((renaming[here], letter))
            else:
                renaming[here] = letter
        term = substitute(term, renaming)
        for first, second in diagonal:
            term = Where(nd.Compare("==", first, second), term, 0)
        self.pieces.setdefault(name, []).append(term)

    def _summed(self, x: Statement, read: Read, term: sp.Expr, extra: Iterable[Letter]) -> sp.Expr:
        bound = self._sorted(extra)
        if not bound:
            return term
        outer, inner = ONE, term
        if isinstance(term, sp.Mul):
            outer = sp.Mul(*(f for f in term.args if not free_letters(f) & {*bound}))
            inner = sp.Mul(*(f for f in term.args if free_letters(f) & {*bound}))
        free = self._sorted(free_letters(inner) - {*bound})
        extents = {k: v for k, v in x.extents.items() if k in {*free, *bound}}
        name = self._add(f"d_{read.name}_{x.name}", free, inner, "sum", bound, extents=extents)
        return outer * Read(Str(name), *free)

    def _padded(
        self,
        x: Statement,
        read: Read,
        term: sp.Expr,
        letters: tuple[Letter, ...],
        places: list[tuple[Letter, int] | None],
    ) -> None:
        free = self._sorted(p[0] for p in places if p is not None)
        extents = {k: v for k, v in x.extents.items() if k in free}
        name = self._add(f"d_{x.name}_{read.name}", free, term, extents=extents, share=True)
        position = {
            p[0]: letter - p[1] for p, letter in zip(places, letters, strict=True) if p is not None
        }
        self.pieces.setdefault(read.name, []).append(
            Padded(Str(name), *[position[y] for y in free])
        )

    def _literal(
        self,
        read: Read,
        term: sp.Expr,
        letters: tuple[Letter, ...],
        places: list[tuple[Letter, int] | None],
    ) -> None:
        renaming = {
            p[0]: letter for p, letter in zip(places, letters, strict=True) if p is not None
        }
        term = substitute(term, renaming)
        fixed = [k for k, s in enumerate(read.subscripts) if s.is_Integer]
        if len(fixed) == 1 and letters[fixed[0]].name.isdigit():
            piece: _Piece = _At(term, fixed[0], int(read.subscripts[fixed[0]]))
        else:
            for k in fixed:
                term = Where(nd.Compare("==", letters[k], read.subscripts[k]), term, 0)
            piece = term
        self.pieces.setdefault(read.name, []).append(piece)

    def _scatter(
        self,
        read: Read,
        term: sp.Expr,
        letters: tuple[Letter, ...],
        places: list[tuple[Letter, int] | None],
    ) -> None:
        renaming = {
            p[0]: letter for p, letter in zip(places, letters, strict=True) if p is not None
        }
        loose = free_letters(term).union(*map(free_letters, read.subscripts)) - renaming.keys()
        clash = {y: self._fresh(y) for y in loose if y in renaming.values()}
        mapping: dict[Letter, Letter] = {**renaming, **clash}
        target = tuple(substitute(s, mapping) for s in read.subscripts)
        self.pieces.setdefault(read.name, []).append(_Scatter(substitute(term, mapping), target))

    def _fresh(self, letter: Letter) -> Letter:
        new = nd.fresh(letter, self.order)
        self.order.insert(self.order.index(letter) + 1, new)
        self.axes[new] = self.axes[letter]
        return new

    # --- gathering pieces -------------------------------------------------------------------

    def _adjoint(self, name: str) -> sp.Expr:
        """The adjoint of a statement, as a name or as an expression short enough to repeat."""
        pieces = self.pieces[name]
        if all(isinstance(p, sp.Expr) for p in pieces):
            whole = total(pieces)
            if _trivial(whole):
                return whole
        adjoint = self._collect(name)
        return Read(Str(adjoint), *self.arrays[adjoint][0])

    def _named(self, x: Statement, g: sp.Expr) -> sp.Expr:
        """The adjoint as a read, for a rule that uses it twice."""
        if isinstance(g, Read) or _trivial(g):
            return g
        name = self._add(f"d_{x.name}", self._sorted(free_letters(g)), g)
        return Read(Str(name), *self.arrays[name][0])

    def _collect(self, name: str, *, whole_shape: bool = False) -> str:
        letters, extents = self.arrays[name]
        pieces = self.pieces[name]
        dense: sp.Expr = total(p for p in pieces if not isinstance(p, (_Scatter, _At)))
        stacked = [p for p in pieces if isinstance(p, _At)]
        scatters = [p for p in pieces if isinstance(p, _Scatter)]
        final = f"d_{name}"
        if stacked:
            axis = letters[stacked[0].axis]
            parts = [
                sp.Add(*(p.body for p in stacked if p.position == k)) for k in range(int(axis.name))
            ]
            whole = not scatters and dense == 0
            stack = self._add(
                final if whole else f"stack_{name}",
                letters,
                ZERO,
                "stack",
                (axis,),
                target=tuple(parts),
            )
            if whole:
                return stack
            dense = dense + Read(Str(stack), *letters)
        for number, piece in enumerate(scatters, 1):
            whole = number == len(scatters)
            inside = free_letters(piece.body).union(*map(free_letters, piece.target))
            bound = self._sorted(inside - {*letters})
            made = self._add(
                final if whole else f"{final}{number}",
                letters,
                piece.body,
                "scatter",
                bound,
                target=piece.target,
                base=dense,
            )
            dense = Read(Str(made), *letters)
        if scatters:
            return final
        if _is_sum(dense) and (taken := self._renamed(dense, final)):
            if not whole_shape or self.arrays[taken][0] == letters:
                return taken
            # The sum stands in another order of letters, or lacks some: lay it out as the input is.
            made = next(k for k, x in enumerate(self.out) if x.name == taken)
            inner = f"{final}_terms"
            self.out[made] = replace(self.out[made], name=inner)
            self.arrays[inner], self.kinds[inner] = self.arrays.pop(taken), self.kinds.pop(taken)
            dense = Read(Str(inner), *self.arrays[inner][0])
        free = letters if whole_shape else self._sorted(free_letters(dense))
        return self._add(
            final, free, dense, extents={k: v for k, v in extents.items() if k in free}
        )

    def _renamed(self, dense: sp.Expr, final: str) -> str | None:
        """A lone sum that was made for this adjoint simply takes its name."""
        assert isinstance(dense, Read)
        index = next((k for k, x in enumerate(self.out) if x.name == dense.name), None)
        if index is None or not dense.name.startswith(final):
            return None
        old = self.out[index]
        renaming = {a: b for a, b in zip(old.free, dense.subscripts, strict=True) if a != b}
        if any(b in old.bound for b in renaming.values()) or old.extents:
            return None
        free = self._sorted(free_letters(dense))
        new = replace(old, name=final, free=free, body=substitute(old.body, renaming))
        self.out[index] = new
        self.kinds[final], self.arrays[final] = "real", (free, {})
        return final

    def _gradient(self, name: str) -> None:
        final = self._collect(name, whole_shape=True)
        index = next(k for k, x in enumerate(self.out) if x.name == final)
        self.out.append(self.out.pop(index))

    def _add(
        self,
        name: str,
        free: tuple[Letter, ...],
        body: sp.Expr,
        op: Op = "map",
        bound: tuple[Letter, ...] = (),
        *,
        target: tuple[sp.Expr, ...] = (),
        base: sp.Expr = ZERO,
        extents: Mapping[Letter, Extent] | None = None,
        share: bool = False,
    ) -> str:
        for x in self.out:
            if (x.free, x.body, x.op, x.bound, x.target, x.base) == (
                free,
                body,
                op,
                bound,
                target,
                base,
            ):
                if share or op in ("softmax", "count"):
                    return x.name
        stem, number = name, 2
        while name in self.arrays:
            name, number = f"{stem}{number}", number + 1
        found = {**extents_of((body, base, *target), self.arrays), **(extents or {})}
        kind: Kind = "integer" if op == "count" else kind_of(body, self.kinds)
        kind = "real" if op in ("sum", "scatter", "stack") else kind
        self.out.append(
            Statement(name, free, body, op, bound, TRUE, kind, target, base, ALWAYS, found)
        )
        self.kinds[name] = kind
        self.arrays[name] = (free, {k: v for k, v in found.items() if k in free})
        return name

    def _sorted(self, letters: Iterable[Letter]) -> tuple[Letter, ...]:
        wanted = set(letters)
        return tuple(x for x in self.order if x in wanted)

    # --- what the forward must keep ---------------------------------------------------------

    def _finish(self, gradients: tuple[str, ...], seeds: tuple[str, ...]) -> Backward:
        results = tuple(f"d_{g}" for g in gradients)
        statements = _without_aliases(without_unused(tuple(self.out), results))
        statements = with_forward_names(statements, self.forward)
        kept, in_order = choose(self.forward, statements)
        available = {x.name: x for x in self.forward.statements}
        inputs = [
            *self.forward.inputs,
            *(Array(f"grad_{r}", self.forward.statement(r).free) for r in seeds),
            *(
                Array(k, available[k].free, available[k].kind, extents=self.arrays[k][1])
                for k in kept
            ),
        ]
        ordered = (*in_order, *statements)
        program = Program(tuple(inputs), ordered, results, tuple(self.order), self.axes)
        return Backward(check(program), gradients, seeds, kept)


def _without_aliases(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """``d_a = …; d_b = d_a`` as ``d_b = …``, where nothing else reads ``d_a``."""
    made = {x.name: x for x in statements}
    for x in statements:
        if x.op != "map" or not _is_sum(x.body) or x.body.name not in made:
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


def _trivial(expr: sp.Expr) -> bool:
    """Whether repeating an expression costs nothing: a read, or one with a scalar factor."""
    if isinstance(expr, Read) and not isinstance(expr, Padded):
        return True
    if isinstance(expr, sp.Mul):
        reads = [f for f in expr.args if not nd.is_scalar(f)]
        return (
            len(reads) == 1
            and isinstance(reads[0], Read)
            and all(f == -1 for f in expr.args if f not in reads)
        )
    return False


def _is_sum(expr: sp.Expr) -> bool:
    return isinstance(expr, Read) and not isinstance(expr, Padded)


def _stem(x: Statement) -> str:
    """What a reduction's result is of: ``sim`` for ``lse_sim``."""
    return (
        x.name.removeprefix("lse_")
        .removeprefix("log_softmax_")
        .removeprefix("max_")
        .removeprefix("min_")
    )


def _name_of(expr: sp.Expr) -> str:
    read = next((x for x in nd.walk(expr) if isinstance(x, Read)), None)
    return read.name if read is not None else "adjoint"


__all__ = ["Backward", "Needs", "differentiate"]
