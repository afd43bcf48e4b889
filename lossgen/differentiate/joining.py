"""Adjoints written into the sum that reads them, where a factor then leaves that sum.

In: the statements of a backward.  Out: the same, some of them gone.

    d_m[n] = -s[n]*ratio(1, m[n]); d_x[n, d] = d_m[n]*u[n, d] + ratio(1, m[n])*g[n, d]
    →  d_x[n, d] = (g[n, d] - s[n]*u[n, d])*ratio(1, m[n])

What cancels is subtracted before it is divided: the quotients may be infinite where their
difference is not, and each of them is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from lossgen.factoring import factored, factors
from lossgen.masking import times
from lossgen.nodes import Read, Where, free_letters, is_static, substitute
from lossgen.program import Statement


def joined(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements, those written into a sum that can be."""
    made = {x.name: x for x in statements}
    for x in reversed(tuple(made.values())):
        if x.op == "map" and isinstance(x.body, sp.Add):
            for term in x.body.args:
                source = _source(term, x, made)
                if source is not None:
                    made[x.name] = _with(made[x.name], term, source)
                    del made[source.name]
    return tuple(made.values())


def with_choices(statements: Iterable[Statement], results: Iterable[str]) -> tuple[Statement, ...]:
    """The statements, sums of what options choose written into the one sum that reads them.

    ``d_a = where(k == 0, …, 0) + where(k == 1, …, 0)`` is 0 where neither holds: there its reader,
    in which it may have factors, has a term less, rather than an array of zeros.
    """
    made = {x.name: x for x in statements}
    for x in tuple(made.values()):
        readers = [y for y in made.values() if x.name in y.reads()]
        if x.name in results or x.op != "map" or x.extents or len(readers) != 1:
            continue
        (y,) = readers
        term, others = _term_of(y, x.name)
        chosen = isinstance(x.body, sp.Add) and all(map(_is_chosen, x.body.args))
        if chosen and term is not None and y.op in ("map", "balance") and x.guard == y.guard:
            read = next(f for f in sp.Mul.make_args(term) if _reads(f, x.name))
            terms = [times(t, term / read) for t in sp.Add.make_args(_written(x, read))]
            made[y.name] = replace(y, body=sp.Add(*terms, *others))
            del made[x.name]
    return tuple(made.values())


def _term_of(y: Statement, name: str) -> tuple[sp.Expr | None, list[sp.Expr]]:
    """The term of a statement's sum that is a name, or a multiple, if it is read nowhere else."""
    terms = sp.Add.make_args(y.body)
    reads = [t for t in terms if sum(_reads(f, name) for f in sp.Mul.make_args(t)) == 1]
    others = [t for t in terms if t not in reads]
    rest = [f for t in reads for f in sp.Mul.make_args(t) if not _reads(f, name)]
    elsewhere = _names([*others, *rest, *(e for e in y.expressions() if e is not y.body)])
    return (reads[0], others) if len(reads) == 1 and name not in elsewhere else (None, others)


def _reads(factor: sp.Basic, name: str) -> bool:
    return type(factor) is Read and factor.name == name


def _is_chosen(term: sp.Expr) -> bool:
    """Whether a term is 0 unless the options say otherwise."""
    choice = term.as_coeff_Mul()[1]
    return isinstance(choice, Where) and is_static(choice.args[0]) and choice.args[2] == 0


def _source(term: sp.Expr, x: Statement, made: dict[str, Statement]) -> Statement | None:
    """The statement that a factor of a term reads, if nothing else does and it shares a factor."""
    others = [t for t in x.body.args if t is not term]
    for factor in factors(term):
        source = made.get(factor.name) if type(factor) is Read else None
        if source is None or source.op != "map" or not isinstance(source.body, sp.Mul):
            continue
        alone = [y for y in made.values() if source.name in y.reads()] == [made[x.name]]
        plain = source.guard == x.guard and not source.extents
        thin = len(source.free) < len(x.free) and not free_letters(term) - {*x.free}
        common = factors(_written(source, factor)).intersection(*map(factors, others))
        if alone and plain and thin and common and source.name not in _names(others):
            return source
    return None


def _with(x: Statement, term: sp.Expr, source: Statement) -> Statement:
    read = next(f for f in factors(term) if isinstance(f, Read) and f.name == source.name)
    terms = [t if t is not term else t / read * _written(source, read) for t in x.body.args]
    return replace(x, body=factored(sp.Add(*terms)))


def _written(source: Statement, read: Read) -> sp.Expr:
    """The body of a statement over the letters of a read."""
    return substitute(source.body, dict(zip(source.free, read.subscripts, strict=True)))


def _names(terms: Iterable[sp.Expr]) -> set[str]:
    return {r.name for t in terms for r in t.atoms(Read)}
