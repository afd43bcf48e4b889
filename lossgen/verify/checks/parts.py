"""A probe: the loss of a batch is that of its two parts, put together by the formula's divisors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossgen.nodes import Read, walk
from lossgen.verify.caller import Outcome
from lossgen.verify.calling import call_lines
from lossgen.verify.checks.itself import (
    Found,
    differs,
    pairs,
    reductions,
    result_frame,
    under,
    words,
)
from lossgen.verify.point import Array, Point
from lossgen.verify.session import Session
from lossgen.verify.slicing import dims, extents, taken
from lossgen.verify.truth.exact import divisors
from lossgen.verify.verdict import number

Shares = tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """A batch and its two parts do not agree."""

    label: str

    def __call__(self, session: Session, point: Point) -> str:
        found = self._find(session, point)
        return found.text if found else ""

    def _find(self, session: Session, point: Point) -> Found | None:
        spec = session.question.spec
        size = extents(spec, point).get(self.label, 0)
        for at in dict.fromkeys((2 * size // 5, 1, size // 2)):
            if not 0 < at < size:
                continue
            spans = (range(at), range(at, size))
            parts = tuple(taken(spec, point, self.label, span) for span in spans)
            shares = _shares(session, point, parts)
            for reduction in reductions(session):
                found = self._compare(session, point, parts, shares[reduction], reduction)
                if found is not None:
                    return found
        return None

    def _compare(
        self,
        session: Session,
        point: Point,
        parts: tuple[Point, ...],
        shares: Shares | None,
        reduction: str,
    ) -> Found | None:
        here = session.caller.run(point, reduction)
        shape = result_frame(session, point, here, reduction)
        if shares is None or shape is None:
            return None
        places = [k for k, (label, _) in enumerate(shape) if label == self.label]
        every = np.array(session.caller.weights(len(here.value)))
        pieces = self._weights(session, parts, every, shape, places, reduction)
        outcomes = [
            session.caller.run(p, reduction, weights=w) for p, w in zip(parts, pieces, strict=True)
        ]
        want = self._together(outcomes, shares, parts, session, places, reduction)
        if want is None:
            return None
        for what, got, expected in pairs(here, want[0], want[1]):
            place = differs(got, expected)
            if place is not None:
                spans = " and ".join(
                    str(extents(session.question.spec, p)[self.label]) for p in parts
                )
                text = (
                    f"gives another {what} for the whole batch than for its parts of {spans} "
                    f"{words(self.label)}{under(session, reduction)}: {number(got[place])}, "
                    f"together {number(expected[place])}"
                )
                return Found(text, reduction, what, parts, shares)
        return None

    def _weights(
        self,
        session: Session,
        parts: tuple[Point, ...],
        every: Array,
        shape: list[tuple[str, int]],
        places: list[int],
        reduction: str,
    ) -> list[list[float]]:
        if reduction != "none":
            return [every.tolist()] * len(parts)
        whole = every.reshape([size for _, size in shape])
        sizes = [extents(session.question.spec, p)[self.label] for p in parts]
        cuts = np.cumsum(sizes)[:-1].tolist()
        return [x.flatten().tolist() for x in np.split(whole, cuts, axis=places[0])]

    def _together(
        self,
        outcomes: list[Outcome],
        shares: Shares,
        parts: tuple[Point, ...],
        session: Session,
        places: list[int],
        reduction: str,
    ) -> tuple[list[float], dict[str, Sequence[float]]] | None:
        """Value and gradients of the parts, put together."""
        spec = session.question.spec
        if reduction == "none":
            arrays = []
            for outcome, part in zip(outcomes, parts, strict=True):
                shape = result_frame(session, part, outcome, reduction)
                if shape is None:
                    return None
                arrays.append(np.array(outcome.value).reshape([size for _, size in shape]))
            value = np.concatenate(arrays, axis=places[0]).flatten().tolist()
        else:
            value = [sum(s * o.value[0] for s, o in zip(shares, outcomes, strict=True))]
        gradients: dict[str, Sequence[float]] = {}
        for name in outcomes[0].gradients if _constant_divisor(session, reduction) else ():
            found = [o.gradients[name] for o in outcomes]
            if any(g is None for g in found):
                continue
            scaled = [
                s * np.array(g).reshape(p.tensors[name].shape)
                for s, g, p in zip(shares, found, parts, strict=True)
            ]
            axes = dims(spec, parts[0], spec.tensor(name), self.label)
            joined = np.concatenate(scaled, axis=axes[0]) if axes else sum(scaled)
            gradients[name] = np.asarray(joined).flatten().tolist()
        return value, gradients

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        found = self._find(session, point)
        if found is None or found.what != "value" or found.reduction == "none":
            return ()
        calls = [
            call_lines(session.caller, p, found.reduction, "float64")
            for p in (point, *found.points)
        ]
        if not all(calls):
            return ()
        lines = [*calls[0], "whole = result.detach()", "parts = 0.0"]
        for share, call in zip(found.shares, calls[1:], strict=True):
            lines += [*call, f"parts = parts + {share!r} * result.detach()"]
        lines.append("torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-6)")
        return tuple(lines)


def _shares(session: Session, point: Point, parts: tuple[Point, ...]) -> dict[str, Shares | None]:
    """Under each reduction the weight of each part in the whole; None where a part has none."""
    spec = session.question.spec
    found: dict[str, Shares | None] = dict.fromkeys(("none", "sum"), (1.0,) * len(parts))
    if set(session.question.reductions) <= set(found):
        return found
    below, whole = [divisors(spec, p) for p in parts], divisors(spec, point)
    for name in whole:
        each = [d[name] for d in below]
        found[name] = tuple(float(d / whole[name]) for d in each) if all(each) else None
    return found


def _constant_divisor(session: Session, reduction: str) -> bool:
    """Whether nothing that is differentiated by changes what the reduction divides by."""
    spec = session.question.spec
    divisor: Any = spec.over if reduction == "mean" else dict(spec.divisors).get(reduction)
    if divisor is None:
        return True
    reads = {x.name for x in walk(divisor) if isinstance(x, Read)}
    return not reads & session.caller.asked
