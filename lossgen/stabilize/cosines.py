"""Cosines whose squared lengths have something added: their rows are brought into range."""

from __future__ import annotations

from typing import NamedTuple

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Let, Reduce, free_letters
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import inverse, is_constant, peel, root_of, same, without
from lossgen.stabilize.roots import radicand

# A row that is made shorter is longer than 1e14 even then: its square swallows what is added.
_MOST = 1


class _Length(NamedTuple):
    """A factor ``1/sqrt(Sum(x**2) + c)``: itself, ``x``, the sum, and ``c``."""

    factor: sp.Expr
    row: sp.Expr
    square: Reduce
    added: sp.Expr


def rows_in_range(mul: sp.Expr, known: Known) -> sp.Expr | None:
    """``Sum(x*y)/(sqrt(Sum(x**2) + c)*sqrt(Sum(y**2) + c))``, rows too long made shorter."""
    lengths = [length for f in mul.args if (length := _length(f)) is not None]
    for product in mul.args:
        inner = peel(product)
        if not isinstance(inner, Reduce) or inner.op != "sum" or inner.where is not TRUE:
            continue
        if len(inner.bound) != 1:
            continue
        rows = peel(inner.body).args if isinstance(peel(inner.body), sp.Mul) else ()
        found = [next((x for x in lengths if same(x.row, row)), None) for row in rows]
        if len(rows) != 2 or None in found or found[0] is found[1]:
            continue
        pair = [x for x in found if x is not None]
        if any(x.square.bound != inner.bound for x in pair):
            continue
        known.nonnegative(*(x.added for x in pair))
        known.nonnegative(*(_MOST - x.added for x in pair))
        fitted = [_fitted(x) for x in pair]
        dot = Reduce("sum", sp.Mul(*fitted), TRUE, inner.empty, inner.bound)
        roots = [
            nd.Sqrt(
                _named(x.factor, Reduce("sum", f**2, TRUE, x.square.empty, inner.bound) + x.added)
            )
            for x, f in zip(pair, fitted, strict=True)
        ]
        rest = without(mul.args, product, *(x.factor for x in pair))
        return sp.Mul(*rest, _like(product, dot), *(r**-1 for r in roots))
    return None


def _length(factor: sp.Expr) -> _Length | None:
    below = inverse(factor)
    under = None if below is None else radicand(below)
    if under is None:
        return None
    inner = peel(under)
    parts = inner.args if isinstance(inner, sp.Add) else ()
    added = [p for p in parts if is_constant(p)]
    squares = [p for p in map(peel, parts) if isinstance(p, Reduce)]
    if len(squares) != 1 or not added or len(squares) + len(added) != len(parts):
        return None
    square = squares[0]
    row = root_of(square.body) if square.op == "sum" and square.where is TRUE else None
    if row is None or isinstance(peel(row), nd.Fitted):
        return None
    return _Length(factor, row, square, sp.Add(*added))


def _fitted(x: _Length) -> sp.Expr:
    """The row, named, with what it is brought into range by."""
    stem = x.row.name if isinstance(x.row, (nd.Read, Let)) else "row"
    letters = sorted(free_letters(x.square), key=str)
    fits = Reduce("fitting", x.row, TRUE, x.square.empty, x.square.bound)
    fitting = Let(f"{stem}_fitting", letters, fits, letters)
    whole = sorted(free_letters(x.row), key=str)
    return Let(f"fitted_{stem}", whole, nd.Fitted(x.row, fitting), whole)


def _named(factor: sp.Expr, body: sp.Expr) -> sp.Expr:
    """What stands under a root, under the name that it had."""
    below = inverse(factor)
    assert below is not None
    return _like(radicand(below), body)


def _like(before: sp.Expr | None, body: sp.Expr) -> sp.Expr:
    """An expression under the name that another had, if it had one."""
    if not isinstance(before, Let):
        return body
    letters = sorted(free_letters(body), key=str)
    return Let(before.name, letters, body, letters)
