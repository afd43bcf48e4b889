"""Logarithms of sums of exponentials, and of some of the shares of a softmax."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Along, Exp, Log, Reduce
from lossgen.stabilize.known import Known
from lossgen.stabilize.masks import summed
from lossgen.stabilize.matching import is_constant, peel, terms, without


def log_weight(term: sp.Expr, known: Known) -> sp.Expr | None:
    """``u`` for a term that is ``exp(u)`` or a sum of exponentials, times a positive weight."""
    term = peel(term)
    if is_constant(term):
        known.positive(term)
        return Log(term)
    if isinstance(term, Exp):
        return term.arg
    if isinstance(term, Reduce):
        return _log_of_sum(term, known)
    if isinstance(term, sp.Mul):
        for factor in term.args:
            inner = peel(factor)
            if isinstance(inner, (Exp, Reduce)):
                log = log_weight(inner, known)
                if log is not None:
                    weight = sp.Mul(*without(term.args, factor))
                    known.positive(weight)
                    return Log(weight) + log
    return None


def _log_of_sum(total: Reduce, known: Known) -> sp.Expr | None:
    """The logarithm of a sum or mean over letters of exponentials."""
    if total.op not in ("sum", "mean") or (total.op == "mean" and total.where is not TRUE):
        return None
    body, where = summed(total)
    if _softmax_of(body, total):
        inner = peel(body)
        shares = Along("log_softmax", inner.body, inner.letter, inner.position)
        return Reduce("logsumexp", shares, where, total.empty, total.bound)
    if not isinstance(body, Exp) and not (
        isinstance(body, sp.Mul) and any(isinstance(peel(f), Exp) for f in body.args)
    ):
        return None
    inner = log_weight(body, known)
    found = Reduce("logsumexp", inner, where, total.empty, total.bound)
    if total.op == "mean":
        return found - Log(sp.Mul(*map(nd.Size, total.bound)))
    return found


def _softmax_of(body: sp.Expr, total: Reduce) -> bool:
    """Whether a sum adds some of the shares of one softmax."""
    inner = peel(body)
    return (
        isinstance(inner, Along)
        and (inner.op, total.op) == ("softmax", "sum")
        and inner.position in total.bound
    )


def log_of_exponentials(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(exp(a) + exp(b))`` and the like: a logaddexp, a softplus or a logsumexp."""
    whole = terms(log.arg)
    if all(map(is_constant, whole)) or not any(map(is_exponential, whole)):
        return None
    if not all(is_exponential(t) or is_constant(t) for t in whole):
        return None
    weights = [log_weight(term, known) for term in whole]
    if any(w is None for w in weights):
        return None
    ones = [w for w in weights if w == 0]
    rest = [w for w in weights if w != 0]
    if len(ones) > 1 or not rest or (len(whole) == 1 and not isinstance(whole[0], Reduce)):
        return None
    # What varies first: a constant is the second argument of logaddexp.
    rest.sort(key=is_constant)
    result = rest[0]
    for other in rest[1:]:
        result = nd.LogAddExp(result, other)
    return nd.Softplus(result) if ones else result


def is_exponential(term: sp.Expr) -> bool:
    """Whether a term is an exponential, or a sum of some, with or without a weight."""
    term = peel(term)
    if isinstance(term, Reduce) and term.op in ("sum", "mean"):
        body, _ = summed(term)
        if _softmax_of(body, term):
            return True
        factors = body.args if isinstance(body, sp.Mul) else (body,)
        return any(isinstance(peel(f), Exp) for f in factors)
    if isinstance(term, sp.Mul):
        return any(isinstance(peel(f), (Exp, Reduce)) and is_exponential(f) for f in term.args)
    return isinstance(term, Exp)
