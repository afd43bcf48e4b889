"""Softmaxes that both sides of a comparison read, which are then one array.

In: a comparison.  Out: it, with names of what is read at a label looked through, and the softmaxes.

    own = at(prob, c=label[n]); own == Amax(prob, c)   →   prob[n, label[n]] == amax_prob[n]

A probability that is computed at its label alone is rounded otherwise than the same one among all:
the largest would not be equal to itself. It refuses nothing.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Along, Let, Letter, rebuild, substitute, walk

Row = tuple[str, sp.Expr, Letter]  # of a softmax or its logarithm, wherever it is read


def row(expr: Along) -> Row:
    """What an ``Along`` is, wherever it is read."""
    return expr.op, expr.body, expr.letter


def of_one_row(expr: nd.Compare) -> tuple[nd.Compare, frozenset[Row]]:
    """A comparison, and the softmaxes that both sides read."""
    left, right = ({row(x) for x in walk(side) if isinstance(x, Along)} for side in expr.args[1:])
    rows = frozenset(left & right)
    return (rebuild(expr, [_opened(a) for a in expr.args]) if rows else expr), rows


def _opened(expr: sp.Expr) -> sp.Expr:
    """``own[n] = prob[n, label[n]]`` as what it reads."""
    if isinstance(expr, Let) and isinstance(expr.body, (Let, Along)):
        inner = expr.body
        if isinstance(inner, Let) or inner.position != inner.letter:
            return _opened(substitute(inner, dict(zip(expr.params, expr.at, strict=True))))
    if isinstance(expr, (Let, Along)):
        return expr
    return rebuild(expr, [_opened(a) for a in expr.args]) if expr.args else expr
