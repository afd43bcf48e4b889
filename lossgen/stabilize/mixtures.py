"""The logarithm of a mixture of two, and its difference to that of one of them.

Where both are nearly equal the difference is small, as in a Jensen-Shannon divergence of confident
predictions; it loses its digits if the logarithm of the mixture is rounded first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, ZERO, Along, Exp, Log
from lossgen.stabilize.equivalences import simplified
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import (
    is_constant,
    is_number,
    opposite,
    peel,
    same,
    terms,
    without,
)


@dataclass(frozen=True, slots=True)
class _Mixture:
    """``log((1 - share)*exp(first) + share*exp(second))``, the share a number."""

    first: sp.Expr
    second: sp.Expr
    share: sp.Expr


def log_of_two_probabilities(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(u*softmax(x) + v*softmax(y))``, a number where both probabilities round to 0."""
    factors = sp.Mul.make_args(peel(log.arg))
    sums = [f for f in factors if isinstance(peel(f), sp.Add)]
    outside = without(factors, *sums)
    parts = terms(sums[0]) if len(sums) == 1 and all(map(is_constant, outside)) else ()
    logs, weights = [], []
    for part in parts:
        numbers = [f for f in sp.Mul.make_args(part) if is_constant(f)]
        log_p = _log(sp.Mul(*without(sp.Mul.make_args(part), *numbers)))
        if log_p is None:
            return None
        logs.append(log_p)
        weights.append(sp.Mul(*outside, *numbers))
    if len(logs) != 2 or not any(isinstance(x, (Along, nd.LogSigmoid)) for x in logs):
        return None
    known.positive(*weights)
    return nd.LogAddExp(*(Log(w) + x for w, x in zip(weights, logs, strict=True)))


def log_of_mixture_with_one(log: sp.Expr, known: Known) -> sp.Expr | None:
    """``log(1 - w + w*exp(x))``, near 0 where x is."""
    found = _mixture(log)
    if found is None or ZERO not in (found.first, found.second):
        return None
    if found.first == 0:
        return nd.LogMixture(found.second, found.share)
    return nd.LogMixture(found.first, 1 - found.share)


def less_log_of_mixture(add: sp.Expr, known: Known) -> sp.Expr | None:
    """``k*x - k*m`` for the logarithm m of a mixture of ``exp(x)`` with something else."""
    for taken, k, mixed in _mixtures(add):
        for x, y, share in (
            (mixed.first, mixed.second, mixed.share),
            (mixed.second, mixed.first, 1 - mixed.share),
        ):
            term = next((t for t in add.args if t not in taken and same(t, -k * x)), None)
            if term is not None:
                rest = without(add.args, term, *taken)
                return sp.Add(*rest, k * nd.LogMixture(sp.Add(y, -x), share))
    return None


def _mixtures(add: sp.Expr) -> Iterator[tuple[tuple[sp.Basic, ...], sp.Expr, _Mixture]]:
    """Terms of a sum that are k times the logarithm of a mixture, with k; a number may belong."""
    for term in add.args:
        for factor in sp.Mul.make_args(term):
            k = sp.Mul(*without(sp.Mul.make_args(term), factor))
            for constant in (ZERO, *filter(is_constant, add.args)):
                mixed = _mixture(peel(factor) + constant / k)
                if mixed is not None:
                    yield (term, constant), k, mixed


def _mixture(expr: sp.Expr) -> _Mixture | None:
    parts = terms(expr)
    sums = [t for t in parts if isinstance(t, nd.LogAddExp)]
    shift = without(parts, *sums)
    if len(sums) != 1 or not all(map(is_constant, shift)):
        return None
    weights, varying = [], []
    for side in sums[0].args:
        found = terms(side)
        numbers = [t for t in found if is_constant(t)]
        weights.append(sp.Mul(*map(_exp, (*numbers, *shift))))
        # A name stays one where nothing is taken from it.
        varying.append(sp.Add(*without(found, *numbers)) if numbers else side)
    if not is_number(simplified(sp.Add(*weights)), 1):
        return None
    return _Mixture(varying[0], varying[1], weights[1])


def _exp(constant: sp.Expr) -> sp.Expr:
    number, rest = constant.as_coeff_Mul()
    if isinstance(rest, Log):
        return rest.arg**number
    return ONE if constant == 0 else Exp(constant)


def divergence_to_mixture(add: sp.Expr, known: Known) -> sp.Expr | None:
    """Two divergences to the mixture of two, which is where their sum is least.

    So it does not change with the mixture, and the slopes of both logarithms cancel; added up,
    they would leave their rounding.
    """
    for first, second in combinations(_divergences(add), 2):
        one, other = first.log, second.log
        shares = one.args[1], other.args[1]
        matching = (
            opposite(one.args[0], other.args[0])
            and same(second.log_p - first.log_p, one.args[0])
            and is_number(simplified(sp.Add(*shares)), 1)
            and is_number(simplified(first.rest * shares[0] - second.rest * shares[1]), 0)
        )
        if matching:
            rest = without(add.args, first.term, second.term)
            return sp.Add(*rest, first.settled(), second.settled())
    return None


@dataclass(frozen=True, slots=True)
class _Divergence:
    """A term ``rest*p*log``, the logarithm one of a mixture, perhaps by a name."""

    term: sp.Expr
    rest: sp.Expr
    log_p: sp.Expr
    log: nd.LogMixture
    factor: sp.Expr

    def settled(self) -> sp.Expr:
        """The term, with a logarithm whose slope is not followed."""
        done = _with_log(self.factor, nd.SettledLogMixture(*self.log.args))
        return sp.Mul(*without(sp.Mul.make_args(self.term), self.factor), done)


def _divergences(add: sp.Expr) -> Iterator[_Divergence]:
    for term in add.args:
        factors = sp.Mul.make_args(term)
        for factor in factors:
            sign, log = peel(factor).as_coeff_Mul()
            if not isinstance(log, nd.LogMixture) or isinstance(log, nd.SettledLogMixture):
                continue
            for p in without(factors, factor):
                log_p = _log(p)
                if log_p is not None:
                    rest = sp.Mul(sign, *without(factors, factor, p))
                    yield _Divergence(term, rest, log_p, log, factor)


def _with_log(expr: sp.Expr, log: sp.Expr) -> sp.Expr:
    """The same name, or the same multiple, of another logarithm."""
    if isinstance(expr, nd.Let):
        return nd.Let(expr.name, expr.params, _with_log(expr.body, log), expr.at)
    return expr.as_coeff_Mul()[0] * log


def _log(expr: sp.Basic) -> sp.Expr | None:
    """The logarithm of what is an exponential, a sigmoid or a softmax."""
    inner = peel(expr)
    if isinstance(inner, nd.Sigmoid):
        return nd.LogSigmoid(inner.arg)
    if isinstance(inner, Along) and inner.op == "softmax":
        return Along("log_softmax", inner.body, inner.letter, inner.position)
    return inner.arg if isinstance(inner, Exp) else None
