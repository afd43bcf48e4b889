"""Names for what the author left unnamed.

In: an expression, and the names of a spec in its order. Out: a name that says what it is of.

    Sum(a[i, d] * b[j, d], d)   →  dot_a_b
    Mean((x[e] - y[e])**2, e)   →  mean_square
    logsumexp(sim[i, j], j)     →  lse_sim

It refuses nothing; the caller makes the name unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Along, Let, Read, Reduce, free_letters

_WORDS = {"logsumexp": "lse", "amax": "max", "amin": "min"}


def automatic(expr: Reduce | Along, order: Sequence[str]) -> str:
    """A name for a reduction, or for a softmax."""
    word, body = _WORDS.get(expr.op, expr.op), expr.body
    if expr.op == "sum" and len(pair := _product(body)) == 2:
        return "_".join(("dot", *sorted(dict.fromkeys(pair), key=_rank(order))))
    if isinstance(body, sp.Pow) and body.exp == 2:
        named = isinstance(body.base, (Let, Read))
        return f"{word}_square_{body.base.name}" if named else f"{word}_square"
    return f"{word}_{stem(body, order)}"


def stem(expr: sp.Basic, order: Sequence[str]) -> str:
    """What an expression is of: the largest of what it reads, the author's names before tensors."""
    found = [x for x in _operands(expr) if not isinstance(x, Let) or free_letters(x)]
    rank = _rank(order)
    best = min(
        found,
        key=lambda x: (-len(free_letters(x)), not isinstance(x, Let), rank(x.name)),
        default=None,
    )
    return str(best.name) if best is not None else "scores"


def _operands(expr: sp.Basic) -> Iterator[Let | Read]:
    """The names that an expression reads, but for those of conditions and labels."""
    if isinstance(expr, (Let, Read)):
        yield expr
        return
    for part in expr.args[1:] if isinstance(expr, nd.Where) else expr.args:
        yield from _operands(part)


def _product(expr: sp.Basic) -> tuple[str, ...]:
    """The names of two factors that each lack a letter of the other."""
    factors = [f for f in sp.Mul.make_args(expr) if free_letters(f)]
    if len(factors) != 2 or not all(isinstance(f, (Let, Read)) for f in factors):
        return ()
    first, second = map(free_letters, factors)
    return () if first <= second or second <= first else tuple(str(f.name) for f in factors)


def _rank(order: Sequence[str]) -> Callable[[str], int]:
    return lambda name: order.index(name) if name in order else len(order)
