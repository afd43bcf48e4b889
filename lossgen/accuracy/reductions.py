"""What runs over letters, in many digits: sums, means, extremes, log-sum-exp, norms, softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp
from mpmath import mp

from lossgen import nodes
from lossgen.accuracy.context import Context, Environment, Handler
from lossgen.accuracy.scalars import exp
from lossgen.accuracy.softmax import Softmax, difference
from lossgen.accuracy.tape import NOTHING, Num, log2, plus, scaled_log
from lossgen.nodes import Letter


def _places(ev: Context, expr: Any, bound: tuple[Letter, ...], here: Environment) -> Any:
    for place in ev.positions(expr, bound):
        yield {**here, **place}


def _reduce(ev: Context, expr: nodes.Reduce, here: Environment) -> Any:
    both = sp.Tuple(expr.body, expr.where)
    places = [p for p in _places(ev, both, expr.bound, here) if ev.value(expr.where, p)]
    if expr.op == "any":
        return any(ev.value(expr.body, p) for p in places)
    if expr.op == "count":
        return sum(1 for p in places if ev.value(expr.body, p))
    terms = [ev.number(expr.body, p) for p in places]
    match expr.op:
        case "sum":
            return _sum(ev, terms)
        case "mean":
            if not terms:
                return ev.number(expr.empty, here) if expr.empty is not sp.nan else Num(mp.nan)
            count = Num(mp.one / len(terms))
            return ev.tape.multiply(_sum(ev, terms), count)
        case "logsumexp":
            return logsumexp(ev, terms)
        case "norm":
            return norm(ev, terms)
        case "amax" | "amin":
            return _extreme(ev, terms, 1 if expr.op == "amax" else -1)
    raise NotImplementedError(expr.op)


def _sum(ev: Context, terms: Sequence[Num]) -> Num:
    return ev.tape.add(terms) if terms else Num(mp.zero, exact=True)


class _Peak(NamedTuple):
    """Numbers to be summed as exponentials: the top one, and the sum of the others beside it."""

    finite: list[Num]
    top: Num
    shares: list[Any]
    beyond: Any  # log of the sum of all, less the top


def _peak(terms: Sequence[Num]) -> _Peak | None:
    """What log-sum-exp and softmax share; without a cancellation, however far the top leads."""
    finite = [t for t in terms if t.value != -mp.inf]
    if not finite or not all(mp.isfinite(t.value) for t in finite):
        return None
    place = max(range(len(finite)), key=lambda k: finite[k].value)
    top = finite[place]
    powers = [exp(difference(t, top)) for t in finite]
    others = mp.fsum(powers[:place] + powers[place + 1 :])
    return _Peak(finite, top, [p / (1 + others) for p in powers], mp.log1p(others))


def logsumexp(ev: Context, terms: Sequence[Num]) -> Num:
    """The logarithm of the sum of exponentials; minus infinity over nothing."""
    peak = _peak(terms)
    if peak is None:
        return Num(max((t.value for t in terms), default=-mp.inf))
    value = peak.top.value + peak.beyond
    found = ev.tape.combine(value, _weighted(peak.finite, peak.shares))
    size = abs(peak.top.value) + peak.beyond
    found.noise = plus(found.noise, log2(size))
    found.excess = plus(found.excess, log2(size - abs(value)))
    return found


def _weighted(terms: Sequence[Num], shares: Sequence[Any]) -> list[Any]:
    """Sources whose slopes are shares that move against one another, as a softmax does."""
    logs = [log2(s) for s in shares]
    noise = plus(*(scaled_log(s, t.noise) for s, t in zip(logs, terms, strict=True)))
    excess = plus(*(scaled_log(s, t.excess) for s, t in zip(logs, terms, strict=True)))
    return [
        (t, s, scaled_log(log, plus(0.0, t.noise, noise)), scaled_log(log, plus(t.excess, excess)))
        for t, s, log in zip(terms, shares, logs, strict=True)
    ]


def norm(ev: Context, terms: Sequence[Num]) -> Num:
    """The Euclidean length; its slope at the zero vector is 0."""
    length = mp.sqrt(mp.fsum([t.value**2 for t in terms]))
    if length == 0:
        ev.singular = True
        zero = Num(mp.zero, all(t.exact for t in terms))
        zero.sources = tuple((t, mp.zero, NOTHING, NOTHING) for t in terms)
        return ev.tape.keep(zero)
    slopes = [t.value / length for t in terms]
    logs = [log2(s) for s in slopes]
    noise = plus(*(scaled_log(s, t.noise) for s, t in zip(logs, terms, strict=True)))
    excess = plus(*(scaled_log(s, t.excess) for s, t in zip(logs, terms, strict=True)))
    size = log2(length)
    parts = [
        (
            t,
            s,
            plus(log, t.noise - size, scaled_log(log, noise - size)),
            plus(t.excess - size, scaled_log(log, excess - size)),
        )
        for t, s, log in zip(terms, slopes, logs, strict=True)
    ]
    return ev.tape.combine(length, parts)


def _extreme(ev: Context, terms: Sequence[Num], sign: int) -> Num:
    if not terms:
        return Num(-sign * mp.inf)
    best, tied = terms[0], [terms[0]]
    for term in terms[1:]:
        side = ev.decide(term, best)
        if side == 2:
            return Num(mp.nan)
        if side == sign:
            best, tied = term, [term]
        elif side == 0:
            tied.append(term)
    if len(tied) == 1:
        return best
    share = mp.one / len(tied)
    parts = tuple((t, share, NOTHING, NOTHING) for t in tied)
    return ev.tape.keep(Num(best.value, best.exact, best.noise, best.excess, parts))


def _along(ev: Context, expr: nodes.Along, here: Environment) -> Any:
    others = tuple(here[x] for x in sorted(nodes.free_letters(expr.body) - {expr.letter}, key=str))
    key = ("softmax", expr.body, expr.letter, *others)
    if key not in ev.known:
        terms = [ev.number(expr.body, p) for p in _places(ev, expr.body, (expr.letter,), here)]
        whole = all(mp.isfinite(t.value) for t in terms)
        ev.known[key] = Softmax(ev.tape, terms) if whole else None
    found = ev.known[key]
    if found is None:  # an infinite score: what a softmax gives there is not measured
        return Num(mp.nan)
    return found.read(int(ev.value(expr.position, here)), expr.op == "log_softmax")


def _log_add_exp(ev: Context, expr: nodes.LogAddExp, here: Environment) -> Any:
    return logsumexp(ev, [ev.number(a, here) for a in expr.args])


HANDLERS: Mapping[type, Handler] = {
    nodes.Reduce: _reduce,
    nodes.Along: _along,
    nodes.LogAddExp: _log_add_exp,
}
