"""Softmax and log-sum-exp over letters, however they are spelled."""

from __future__ import annotations

import sympy as sp

from lossgen.nodes import TRUE, Along, Reduce, free_letters, substitute
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import minus, negated, peel, same, strip, without


def less_logsumexp(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``x - logsumexp(x)`` over a letter; a shift that x has in both places is part of x."""
    for term in add.args:
        under = negated(term)
        lse = None if under is None else peel(under)
        if not (
            isinstance(lse, Reduce)
            and lse.op == "logsumexp"
            and lse.where is TRUE
            and len(lse.bound) == 1
        ):
            continue
        rest = without(add.args, term)
        for letter in sorted(free_letters(sp.Add(*rest)) - free_letters(lse), key=str):
            body = substitute(strip(lse.body), {lse.bound[0]: letter})
            wanted = set(body.args) if isinstance(body, sp.Add) else {body}
            taken = [t for t in rest if strip(t) in wanted]
            if len(taken) == len(wanted):
                along = substitute(lse.body, {lse.bound[0]: letter})
                whole = Along("log_softmax", along, letter, letter)
                return sp.Add(*without(add.args, term, *taken), whole)
    return None


def shifted_logsumexp(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``m + logsumexp(x - m)``."""
    for term in add.args:
        lse = peel(term)
        if not (isinstance(lse, Reduce) and lse.op == "logsumexp"):
            continue
        body = peel(lse.body)
        if not isinstance(body, sp.Add):
            continue
        for shift in body.args:
            other = next((t for t in add.args if same(t, minus(shift))), None)
            if other is not None and not free_letters(shift) & {*lse.bound}:
                kept = sp.Add(*without(body.args, shift))
                whole = Reduce("logsumexp", kept, lse.where, lse.empty, lse.bound)
                return sp.Add(*without(add.args, term, other), whole)
    return None


def shifted_softmax(along: sp.Expr, known: Known) -> sp.Expr | None:
    """``softmax(x - m)``, m the same along the letter."""
    body = peel(along.body)
    if not isinstance(body, sp.Add):
        return None
    kept = [t for t in body.args if along.letter in free_letters(t)]
    if len(kept) == len(body.args) or not kept:
        return None
    return Along(along.op, sp.Add(*kept), along.letter, along.position)
