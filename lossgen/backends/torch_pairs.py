"""Gradients of a matrix product of something with itself: one product in place of two.

In: a backward program.  Out: the same, where the gradients that reach both sides of such a product
are made together.

    d_left[i, d] = sum_j g[i, j]*x[j, d]; d_right[j, d] = sum_i g[i, j]*x[i, d]; both added up
    →  g_both_ways[i, j] = g[i, j] + g[j, i]; d_x[i, d] = sum_j g_both_ways[i, j]*x[j, d]

What is added up has a row and a column for each row of ``x``; the product that it saves does that
much work for each of ``x``'s features.  Sides that anything else reads are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import TRUE, Letter, Read, walk
from lossgen.program import Program, Statement


def with_pairs_joined(program: Program) -> Program:
    """The program with each pair of such products as one."""
    sides = [side for x in program.statements if (side := _side(x, program)) is not None]
    for left, right in combinations(sides, 2):
        if left.mirrors(right) and (joined := _joined(program, left, right)) is not None:
            return with_pairs_joined(joined)
    return program


@dataclass(frozen=True, slots=True)
class _Side:
    """``made[kept, …] = sum_{bound} pairs[…]*rows[bound, …]``."""

    made: Statement
    pairs: Read
    rows: Read
    kept: Letter
    bound: Letter

    def mirrors(self, other: _Side) -> bool:
        """Whether the other sums the same products over the other letter of the pairs."""
        return (
            self.pairs == other.pairs
            and self.rows.name == other.rows.name
            and (self.kept, self.bound) == (other.bound, other.kept)
            and _at(self.rows.subscripts, self.bound, self.kept) == other.rows.subscripts
        )


def _side(x: Statement, program: Program) -> _Side | None:
    if x.op != "sum" or x.where is not TRUE or len(x.bound) != 1 or x.extents:
        return None
    factors: tuple[sp.Basic, ...] = x.body.args if isinstance(x.body, sp.Mul) else ()
    if len(factors) != 2 or not all(type(f) is Read for f in factors):
        return None
    bound = x.bound[0]
    for pairs, rows in (factors, factors[::-1]):
        kept = next((y for y in pairs.subscripts if y != bound), bound)
        if (
            {*pairs.subscripts} == {kept, bound}
            and len(pairs.subscripts) == 2
            and program.axes.get(kept) == program.axes.get(bound)
            and sorted(_at(rows.subscripts, bound, kept), key=str) == sorted(x.free, key=str)
        ):
            return _Side(x, pairs, rows, kept, bound)
    return None


def _at(letters: tuple[sp.Basic, ...], old: Letter, new: Letter) -> tuple[sp.Basic, ...]:
    return tuple(new if x == old else x for x in letters)


def _joined(program: Program, left: _Side, right: _Side) -> Program | None:
    """The program without the second of two sides that one sum adds up."""
    first, second = left.made.name, right.made.name
    readers = [x for x in program.statements if {first, second} & x.reads()]
    if len(readers) != 1 or {first, second} & {*program.results}:
        return None
    (total,) = readers
    reads = [r for e in total.expressions() for r in walk(e) if isinstance(r, Read)]
    terms = {t.name: t for t in sp.Add.make_args(total.body) if isinstance(t, Read)}
    once = sum(r.name in (first, second) for r in reads) == 2
    if total.op != "map" or not once or not {first, second} <= terms.keys():
        return None
    as_left = _at(right.made.free, right.kept, left.kept)
    if terms[first].subscripts != terms[second].subscripts or as_left != left.made.free:
        return None
    both, product = _product(left)
    rest = total.body - terms[second]
    changed = {first: [both, product], second: [], total.name: [replace(total, body=rest)]}
    if rest == terms[first] and terms[first].subscripts == total.free:
        changed[first] = [both]
        changed[total.name] = [replace(product, name=total.name, guard=total.guard)]
    out = [y for x in program.statements for y in changed.get(x.name, [x])]
    return replace(program, statements=tuple(out))


def _product(side: _Side) -> tuple[Statement, Statement]:
    """The pairs read both ways, added up, and what a side is with them."""
    pairs, made = side.pairs, side.made
    turned = Read(pairs.args[0], *reversed(pairs.subscripts))
    both = replace(
        made,
        name=f"{pairs.name}_both_ways",
        free=pairs.subscripts,
        body=pairs + turned,
        op="map",
        bound=(),
    )
    # It is equal to its transpose, so it is read as it is laid out.
    last = side.rows.subscripts[-1] == side.bound
    letters = (side.bound, side.kept) if last else (side.kept, side.bound)
    return both, replace(made, body=Read(Str(both.name), *letters) * side.rows)
