"""The adjoint of a read: where a term over a statement's letters goes in what was read.

In: a statement, one of its reads, and the term.  Out: a piece of the adjoint of the array.

    sim[i, j] reads z[i, d], term d_sim[i, j]*w[j, d]  →  d_z[i, d] += sum_j d_sim[i, j]*w[j, d]

It refuses nothing: letters, shifts, numbers and indices are all the subscripts there are.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.differentiate.tape import At, Piece, Scatter, Tape
from lossgen.nodes import ONE, Letter, Padded, Read, Where, free_letters, substitute
from lossgen.program import Statement
from lossgen.static import ALWAYS, condition_of


class Reads(Tape):
    """Carries terms to what was read."""

    def contribute(self, x: Statement, read: Read, term: sp.Expr) -> None:
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
            term = term * self.count(x, letter)
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
        bound = self.sorted(extra)
        if not bound:
            return term
        outer, inner = ONE, term
        if isinstance(term, sp.Mul):
            outer = sp.Mul(*(f for f in term.args if not free_letters(f) & {*bound}))
            inner = sp.Mul(*(f for f in term.args if free_letters(f) & {*bound}))
        free = self.sorted(free_letters(inner) - {*bound})
        extents = {k: v for k, v in x.extents.items() if k in {*free, *bound}}
        name = self.add(f"d_{read.name}_{x.name}", free, inner, "sum", bound, extents=extents)
        return outer * Read(Str(name), *free)

    def _padded(
        self,
        x: Statement,
        read: Read,
        term: sp.Expr,
        letters: tuple[Letter, ...],
        places: list[tuple[Letter, int] | None],
    ) -> None:
        free = self.sorted(p[0] for p in places if p is not None)
        extents = {k: v for k, v in x.extents.items() if k in free}
        number, inner = term.as_coeff_Mul()
        stands = isinstance(inner, Read) and inner.subscripts == free
        if stands and self.arrays[inner.name] == (free, extents):
            name = inner.name
        else:
            number = ONE
            name = self.add(f"d_{x.name}_{read.name}", free, term, extents=extents, share=True)
        position = {
            p[0]: letter - p[1] for p, letter in zip(places, letters, strict=True) if p is not None
        }
        self.pieces.setdefault(read.name, []).append(
            number * Padded(Str(name), *[position[y] for y in free])
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
            piece: Piece = At(term, fixed[0], int(read.subscripts[fixed[0]]))
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
        clash = {y: self.fresh(y) for y in loose if y in letters}
        mapping: dict[Letter, Letter] = {**renaming, **clash}
        target = tuple(substitute(s, mapping) for s in read.subscripts)
        self.pieces.setdefault(read.name, []).append(Scatter(substitute(term, mapping), target))
