"""Softmax and log-sum-exp over letters, however they are spelled."""

from __future__ import annotations

import sympy as sp

from lossgen.axes import shifted_letter
from lossgen.nodes import TRUE, Along, Read, Reduce, free_letters, substitute, walk
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


def logsumexp_less_label(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``logsumexp(x) - x[label]``, also where other terms stand beside either, or a share of it."""
    parts = [part for term in add.args for part in _spread(term)]
    for part in parts:
        share, rest = part.as_coeff_Mul()
        lse = peel(rest)
        if not (
            share > 0
            and isinstance(lse, Reduce)
            and lse.op == "logsumexp"
            and lse.where is TRUE
            and len(lse.bound) == 1
            and {*lse.bound} <= free_letters(lse.body)
        ):
            continue
        for other in parts:
            number, chosen = other.as_coeff_Mul()
            if number > -share or other is part:
                continue
            position = _position(lse, chosen)
            if position is not None:
                log_prob = Along("log_softmax", lse.body, lse.bound[0], position)
                kept = [p for p in parts if p is not part and p is not other]
                return sp.Add(*kept, (number + share) * chosen, -share * log_prob)
    return None


def _spread(term: sp.Expr) -> list[sp.Expr]:
    """A term, or the terms of a sum that a number stands before."""
    number, rest = term.as_coeff_Mul()
    inner = peel(rest)
    if isinstance(inner, sp.Add) and any(_has_logsumexp(t) for t in inner.args):
        return [number * t for t in inner.args]
    return [term]


def _has_logsumexp(term: sp.Expr) -> bool:
    inner = peel(term.as_coeff_Mul()[1])
    return isinstance(inner, Reduce) and inner.op == "logsumexp"


def _position(lse: Reduce, chosen: sp.Expr) -> sp.Expr | None:
    """Where along the letter of a log-sum-exp its body is read, if it is one element of that."""
    body, wanted = strip(lse.body), strip(chosen)
    taken = [s for x in walk(wanted) if isinstance(x, Read) for s in x.subscripts]
    letters = sorted(free_letters(wanted) & free_letters(lse), key=str)
    for position in (*letters, *dict.fromkeys(s for s in taken if shifted_letter(s) is None)):
        if not position.is_Integer and substitute(body, {lse.bound[0]: position}) == wanted:
            return position
    return None
