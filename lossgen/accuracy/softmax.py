"""Softmax and log-softmax along a letter as one step, so that their reverse pass does not cancel.

The gradient of log p[k] by the scores is (1 - p[k]) at k and -p[j] elsewhere. Summed up as 1 at k
and -p everywhere it would cancel where one class leads, and a bound made of those terms would
excuse code that loses everything there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpmath import mp

from lossgen.accuracy.scalars import exp
from lossgen.accuracy.tape import NOTHING, Num, Tape, log2, plus, scaled_log

Share = tuple[Num, Any, float, float]


class Softmax(Num):
    """The distribution over some numbers; ``read`` gives one of its probabilities or logarithms."""

    __slots__ = ("arrived", "behind", "logs", "rests", "shares", "spread", "tape", "terms")

    def __init__(self, tape: Tape, terms: Sequence[Num]) -> None:
        super().__init__(mp.zero)
        self.tape, self.terms = tape, tuple(terms)
        self.arrived: list[tuple[Port, Any, float, float]] = []
        place = max(range(len(terms)), key=lambda k: terms[k].value)
        self.behind = [difference(t, terms[place]) for t in terms]
        powers = [exp(b) for b in self.behind]
        others = mp.fsum(powers[:place] + powers[place + 1 :])
        self.shares = [p / (1 + others) for p in powers]
        # 1 - p without cancelling: of the leading one it is the share of the others.
        self.rests = [1 - s for s in self.shares]
        self.rests[place] = others / (1 + others)
        self.logs = [b - mp.log1p(others) for b in self.behind]
        # What the others' noise and excess do to the normaliser.
        self.spread = (
            plus(*(scaled_log(log2(s), t.noise) for s, t in zip(self.shares, terms, strict=True))),
            plus(*(scaled_log(log2(s), t.excess) for s, t in zip(self.shares, terms, strict=True))),
        )
        tape.keep(self)

    def read(self, place: int, logarithm: bool) -> Num:
        """The probability at a place, or its logarithm."""
        chosen = self.terms[place]
        noise = plus(chosen.noise, self.spread[0], log2(self.behind[place]))
        excess = plus(chosen.excess, self.spread[1])
        if logarithm:
            return Port(self, place, True, self.logs[place], noise, excess)
        size = log2(self.shares[place])
        noise, excess = scaled_log(size, plus(0.0, noise)), scaled_log(size, excess)
        return Port(self, place, False, self.shares[place], noise, excess)

    def backward(self, value: Any, noise: float, excess: float) -> list[Share]:
        """What the adjoints of its reads, collected before, add to those of its terms."""
        arrived, self.arrived = self.arrived, []
        weights: list[Any] = [mp.zero] * len(self.terms)
        noises, excesses = [NOTHING] * len(self.terms), [NOTHING] * len(self.terms)
        for port, seed, seed_noise, seed_excess in arrived:
            k = port.index
            scale = mp.one if port.logarithm else self.shares[k]
            weights[k] += seed * scale
            noises[k] = plus(noises[k], scaled_log(log2(scale), seed_noise), log2(weights[k]))
            excesses[k] = plus(excesses[k], scaled_log(log2(scale), seed_excess))
        total, size = mp.fsum(weights), mp.fsum([abs(w) for w in weights])
        all_noise, all_excess = plus(*noises), plus(*excesses)
        found = []
        for k, term in enumerate(self.terms):
            share, rest, weight = self.shares[k], self.rests[k], weights[k]
            slope = weight * rest - share * (total - weight)
            terms = abs(weight) * rest + share * (size - abs(weight))
            near, far, both = log2(rest), log2(share), log2(terms)
            own_noise = plus(
                both,
                scaled_log(near, noises[k]),
                scaled_log(far, all_noise),
                scaled_log(both, plus(term.noise, self.spread[0])),
            )
            own_excess = plus(
                log2(terms - abs(slope)),
                scaled_log(near, excesses[k]),
                scaled_log(far, all_excess),
                scaled_log(both, plus(term.excess, self.spread[1])),
            )
            found.append((term, slope, own_noise, own_excess))
        return found


class Port(Num):
    """One probability of a softmax, or its logarithm."""

    __slots__ = ("index", "logarithm", "whole")

    def __init__(
        self, whole: Softmax, index: int, logarithm: bool, value: Any, noise: float, excess: float
    ) -> None:
        super().__init__(value, False, plus(noise, log2(value)), excess)
        self.whole, self.index, self.logarithm = whole, index, logarithm
        whole.tape.keep(self)

    def backward(self, value: Any, noise: float, excess: float) -> list[Share]:
        """Hand the adjoint to the softmax, which waits for all of them."""
        self.whole.arrived.append((self, value, noise, excess))
        return [(self.whole, mp.one, NOTHING, NOTHING)]


def difference(a: Num, b: Num) -> Any:
    """a - b, exactly where both are exact."""
    if a.exact and b.exact:
        return mp.fsub(a.value, b.value, exact=True)
    return a.value - b.value
