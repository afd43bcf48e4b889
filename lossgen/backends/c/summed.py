"""A loss that is one number, as a sum over rows of a matrix of scores.

In: a forward program.  Out: one whose item has a letter, that of the rows, and what is added to the
sum of its items once.

    corr[d, k] = sum_n a[n, d]*b[n, k]
    on = sum_d (1 - corr[d, d])**2               →  on_row[d] = (1 - corr[d, d])**2
    off = sum_{d, k | d != k} corr[d, k]**2         off_row[d] = sum_{k | d != k} corr[d, k]**2
    loss = lambd*off + on + f(a)                    loss_row[d] = lambd*off_row[d] + on_row[d]; f(a)

What is not of this form raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.unsupported import Unsupported
from lossgen.nodes import ONE, TRUE, ZERO, Letter, Read, word
from lossgen.program import Program, Statement, check, without_unused


def summed(forward: Program) -> tuple[Program, str | None]:
    """The program whose item goes with the rows, and the name of what is added, if anything is.

    Raises:
        Unsupported: where it is of another form.
    """
    return _Summed(forward).program()


def multiplies(x: Statement) -> bool:
    """Whether a statement multiplies the vectors of two rows, or of two columns."""
    if x.op not in ("sum", "mean") or len(x.bound) != 1 or len(x.free) != 2 or x.where is not TRUE:
        return False
    reads = [r for r in x.body.args if isinstance(r, Read)] if isinstance(x.body, sp.Mul) else []
    (d,), pairs = x.bound, [{*r.subscripts} for r in reads]
    places = {r.subscripts.index(d) for r in reads if d in r.subscripts}
    return len(reads) == 2 and len(places) == 1 and all({y, d} in pairs for y in x.free)


class _Summed:
    def __init__(self, forward: Program) -> None:
        self.given = forward
        self.taken = {a.name for a in forward.inputs} | {x.name for x in forward.statements}
        self.forward = replace(forward, statements=tuple(self._without_means()))
        self.statements = {x.name: x for x in self.forward.statements}
        products = [x for x in self.forward.statements if multiplies(x)]
        if not products or len(forward.results) > 1:
            raise Unsupported("a loss over pairs has not one value for each row")
        self.row: Letter = products[0].free[0]
        self.known = {x.name for x in products}  # what is computed of scores
        for x in self.forward.statements:
            if x.reads() & self.known:
                self.known.add(x.name)

    def program(self) -> tuple[Program, str | None]:
        """The new program."""
        (item,) = self.forward.results
        terms: dict[str, sp.Expr] = {}
        rest = self._linear(Read(word(item)), ONE, terms)
        if not terms:
            raise Unsupported("its one number is not a sum over the rows of scores")
        made = [self._of_row(self.statements[name]) for name in terms]
        told = {name: Read(word(x.name), self.row) for name, x in zip(terms, made, strict=True)}
        body = sp.Add(*(factor * told[name] for name, factor in terms.items()))
        rows = Statement(self._unused(f"{item}_row"), (self.row,), body)
        statements = [*self.forward.statements, *made, rows]
        results = [rows.name]
        if rest != ZERO:
            statements.append(Statement(self._unused(f"{item}_beside"), (), rest))
            results.append(statements[-1].name)
        used = without_unused(tuple(statements), tuple(results))
        # What is added is no divisor: it is a result of the vectors alone.
        program = check(replace(self.forward, statements=used, results=(rows.name,)))
        return program, results[1] if len(results) > 1 else None

    def _without_means(self) -> Iterator[Statement]:
        """The statements, a mean of products as their sum and a quotient."""
        for x in self.given.statements:
            if x.op == "mean" and multiplies(x):
                total = self._unused(f"dot_{x.name}")
                yield replace(x, name=total, op="sum")
                body = Read(word(total), *x.free) / nd.Size(x.bound[0])
                yield replace(x, op="map", body=body, bound=())
            elif x.op == "mean" and not x.free and x.where is TRUE:
                total = self._unused(f"sum_{x.name}")
                yield replace(x, name=total, op="sum")
                body = Read(word(total)) / sp.Mul(*(nd.Size(y) for y in x.bound))
                yield replace(x, op="map", body=body, bound=())
            else:
                yield x

    def _linear(self, e: sp.Expr, factor: sp.Expr, terms: dict[str, sp.Expr]) -> sp.Expr:
        """What is left of an expression without the multiples of sums over scores in it."""
        names = {r.name for r in e.atoms(Read)} & self.known
        if not names:
            return factor * e
        if isinstance(e, sp.Add):
            return sp.Add(*(self._linear(t, factor, terms) for t in e.args))
        if isinstance(e, sp.Mul):
            (of, *more) = [t for t in e.args if {r.name for r in t.atoms(Read)} & self.known]
            others = sp.Mul(*(t for t in e.args if t != of))
            if not more and not others.atoms(Read):
                return self._linear(of, factor * others, terms)
        if isinstance(e, Read) and not e.subscripts:
            x = self.statements[e.name]
            if x.op == "map":
                return self._linear(x.body, factor, terms)
            if x.op == "sum" and self.row in x.bound:
                terms[x.name] = terms.get(x.name, ZERO) + factor
                return ZERO
        raise Unsupported("its one number is not a sum over the rows of scores")

    def _of_row(self, x: Statement) -> Statement:
        """A sum over rows and columns, of one row alone."""
        name, bound = self._unused(f"{x.name}_row"), tuple(y for y in x.bound if y != self.row)
        if bound:
            return replace(x, name=name, free=(self.row,), bound=bound)
        body = x.body if x.where is TRUE else nd.Where(x.where, x.body, ZERO)
        return replace(x, name=name, free=(self.row,), bound=(), op="map", body=body, where=TRUE)

    def _unused(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name
