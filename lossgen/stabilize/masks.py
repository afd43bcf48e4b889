"""Masks as factors: what a mask leaves out must not come back as infinity times 0."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Where, free_letters
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import peel, strip, without


def mask_outward(mul: sp.Expr, known: Known) -> sp.Expr | None:
    for factor in mul.args:
        chosen = peel(factor)
        if not isinstance(chosen, Where) or nd.is_static(chosen.args[0]):
            continue
        condition, yes, no = chosen.args
        rest = sp.Mul(*without(mul.args, factor))
        ours, others = free_letters(chosen), free_letters(rest)
        # Two factors that each lack a letter of the other are a matrix product, and stay apart.
        product = ours - others and others - ours
        if 0 in (yes, no) and not product and not _finite(rest, known):
            return Where(condition, rest * yes, rest * no)
    return None


def _finite(expr: sp.Expr, known: Known) -> bool:
    """Whether an expression is certainly a finite number where what it reads is."""
    return all(_sound(node, known) for node in nd.walk(strip(expr)))


def _sound(node: sp.Basic, known: Known) -> bool:
    if isinstance(node, (nd.Log, nd.Lgamma)):
        return known.of(node.arg).positive
    if isinstance(node, nd.Sqrt):
        return known.of(node.arg).nonnegative
    if isinstance(node, (nd.Exp, nd.Expm1)):
        return known.of(node.arg).high < float("inf")
    if isinstance(node, sp.Pow) and not (node.exp.is_Integer and node.exp > 0):
        return known.of(node.base).nonzero
    return not isinstance(
        node, (nd.Log1p, nd.Acos, nd.Xlogy, nd.RelEntropy, nd.Log1mExp, nd.Pow1pM1)
    )
