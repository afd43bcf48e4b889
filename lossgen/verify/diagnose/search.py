"""Tries the mistakes, and keeps those that explain what the code gives.

A mistake is first held against one small point; what survives must agree with value and gradient at
further points of other sizes, under every reduction that the code was refuted in.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from lossgen.spec import LossSpec
from lossgen.verify.caller import CallFailed, Outcome
from lossgen.verify.diagnose.agreement import CLOSE, close_to, same_gradient
from lossgen.verify.diagnose.candidates import factors_of, of_gradients, of_values
from lossgen.verify.diagnose.causes import (
    behaviour_causes,
    broadcast_causes,
    nonfinite_causes,
    precision_causes,
    upstream_causes,
)
from lossgen.verify.diagnose.factors import factor_causes
from lossgen.verify.diagnose.frames import shape_causes
from lossgen.verify.diagnose.settings import NONE, other_conventions, other_settings
from lossgen.verify.diagnose.whole import WHATEVER, Variant, own_scales, with_item
from lossgen.verify.fitting import narrower
from lossgen.verify.point import Point
from lossgen.verify.sampling import Sizes, first_points, moved_options, resized, usual_sizes
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Undefined, evaluate

SECONDS = 4.0  # of this process: a busy machine must not change the answer
_MORE = 4.0  # for narrower questions
MOST = 1  # explanations; a second one only repeats the first in other words
# Mistakes that may be none: the code is written for probabilities, logarithms, other signs.
_FORM = re.compile("sigmoid|softmax|logarithm|exponential|sign of|1 - ")


def diagnose(session: Session, witness: Witness) -> list[str]:
    """What the code computes instead, the likeliest first; nothing where nothing fits."""
    kind = witness.difference.kind
    if kind in ("behaviour", "refusal"):
        return behaviour_causes(witness)
    if kind == "nonfinite":
        return nonfinite_causes(session, witness)
    if shaped := shape_causes(session, witness):
        return shaped
    if precise := precision_causes(session, witness):
        return precise
    start = time.process_time()
    if usual := _usual_dimensions(session, witness):
        return [usual]
    found = _Search(session, witness, start + SECONDS).run()
    if not found and _Search(session, witness, 0.0, own=True).holds():
        # It is wrong at ties, say: what is asked of other inputs holds there as this does here.
        return broadcast_causes(session, witness)
    taken = _convention(session, witness) if not found or _FORM.search(found[0]) else ""
    if found and taken:
        return [f"{found[0]}; {taken}"]
    return (
        found
        or broadcast_causes(session, witness)
        or ([taken] if taken else _restricted(session, witness, start))
    )


def _convention(session: Session, witness: Witness) -> str:
    """Whether the code computes the formula of a tensor in another form: probabilities, say."""
    for narrow in other_conventions(session.question):
        if _Search(session.about(narrow.question), witness, 0.0, own=True).holds():
            return f"{narrow.words} (then ask so: {narrow.option})"
    return ""


def _usual_dimensions(session: Session, witness: Witness) -> str:
    """Whether the code computes the formula for tensors of as many dimensions as are usual."""
    question = session.question
    first = question.spec.tensors[0]
    usual = len([x for axis in first.axes for x in usual_sizes(question.spec)[axis.name]])
    if witness.point.tensors[first.name].ndim == usual:
        return ""
    if not _Search(session, witness, 0.0, own=True).holds():
        return ""
    return f"only for tensors of {usual} dimensions"


def _restricted(session: Session, witness: Witness, start: float) -> list[str]:
    """What holds for a part of the inputs: the formula itself, or one with a mistake."""
    parts = [*other_settings(session.question), *narrower(session.question)]
    asked = [(narrow, session.about(narrow.question)) for narrow in parts]
    for narrow, inner in asked:
        if _Search(inner, witness, start, own=True).holds():
            return [f"only {narrow.words} (ask about those alone: {narrow.option})"]
    for narrow, inner in asked:
        end = max(start + SECONDS, time.process_time() + _MORE / len(asked))
        for words in _Search(inner, witness, end, own=True).run():
            return [f"{words}, {narrow.words}"]
    return []


@dataclass
class _Search:
    """One search; ``own``: at points of the session's question alone, not at the witness's."""

    session: Session
    witness: Witness
    deadline: float
    own: bool = False
    seen: list[tuple[Point, str, Outcome]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)  # of the last formula, at the first point

    def holds(self) -> bool:
        """Whether the code computes the formula as it is."""
        self._collect()
        spec = self.session.question.spec
        return bool(self.seen) and all(self._agrees(spec, s) for s in self.seen)

    def run(self) -> list[str]:
        self._collect()
        if not self.seen:
            return []
        found: list[str] = []
        value_right = all(
            self._agrees(self.session.question.spec, s, gradient=False) for s in self.seen
        )
        if value_right:
            point, reduction, outcome = self.seen[-1]
            causes = upstream_causes(self.session, point, reduction, outcome)
            causes = causes or factor_causes(self.session, self.seen)
            if causes:
                return causes
        for reduction in ("sum", "mean"):
            if self._by_rows(reduction):
                return [f"with the {reduction} divided by the length of the first axis"]
        in_value: list[str] = []
        scaled: list[tuple[str, LossSpec, float]] = []
        for words, spec in self._candidates(value_right):
            if time.process_time() > self.deadline or len(found) >= MOST:
                break
            if not all(self._agrees(spec, s, gradient=False) for s in self.seen):
                ratio = self._ratio()
                scaled += [(words, spec, ratio)] if ratio else []
                continue
            if all(self._agrees(spec, s) for s in self.seen):
                found.append(self._assumed(words))
            elif not value_right:
                in_value.append(f"{self._assumed(words)}, in value; its gradient does not follow")
        if not found and not self.own:
            found = list(self._twice(scaled))[:MOST]
        return found or in_value[:MOST]

    def _ratio(self) -> float:
        """By which factor the code's result is the last formula's at the first point, if by one."""
        got, want = self.seen[0][2].value, self.values
        ratio = got[0] / want[0] if want and want[0] else 0.0
        close = CLOSE[torch.float64]
        alike = len(got) == len(want) and close_to(got, [x * ratio for x in want], close)
        return ratio if alike else 0.0

    def _twice(self, scaled: Sequence[tuple[str, LossSpec, float]]) -> Iterator[str]:
        """A mistake together with a wrong factor of the whole."""
        question = self.session.question
        left = {
            a.name: float(a.default)
            for a in question.matching.left
            if isinstance(a.default, (int, float)) and not isinstance(a.default, bool)
        }
        factors = [*own_scales(question.spec, left), *factors_of(question.spec)]
        self._agrees(question.spec, self.seen[0], gradient=False)
        plain = self.values
        for more, factor in factors:
            item = question.spec.item * factor
            self._agrees(with_item(question.spec, item), self.seen[0], gradient=False)
            if not plain or not self.values or not plain[0]:
                continue
            size = self.values[0] / plain[0]
            for words, spec, ratio in scaled:
                if abs(ratio - size) > 1e-7 * abs(size):
                    continue
                both = with_item(spec, spec.item * factor)
                if all(self._agrees(both, s) for s in self.seen):
                    yield f"{self._assumed(words)}, and {more}"

    def _assumed(self, words: str) -> str:
        """The words, where nothing is passed: the code takes no such option."""
        if not words.endswith(WHATEVER):
            return words
        name, _, value = words.removesuffix(WHATEVER).removeprefix("with ").partition(" = ")
        question = self.session.question
        if name not in question.matching.absent:
            return words
        p = next(x for x in question.spec.parameters if x.name == name)
        told = value if value not in ("0", "1") or p.role.admits(int(value)) else str(NONE)
        return f"{words.removesuffix(WHATEVER)} (ask about it so: --set {name}={told})"

    def _collect(self) -> None:
        """What the code gives at a few points, the smallest first."""
        question, caller = self.session.question, self.session.caller
        reduction = self.witness.reduction
        small = resized(question, _small(usual_sizes(question.spec)), question.seed + 3)
        others = [*first_points(question), moved_options(question, small)]
        if self.witness.point.count < 400 and not self.own:
            others.append(self.witness.point)
        options = {**self.witness.point.options, **question.matching.fixed}
        others.append(Point(small.tensors, options, small.label))
        for point in (small, *others):
            try:
                self.seen.append((point, reduction, caller.run(point, reduction)))
            except CallFailed:
                continue
        # What is NaN is so for another reason than a formula's.
        finite = [s for s in self.seen if all(map(math.isfinite, s[2].value))]
        self.seen = finite or self.seen

    def _candidates(self, value_right: bool) -> Iterator[Variant]:
        spec = self.session.question.spec
        if value_right:
            yield from of_gradients(spec)
            return
        yield from self._reductions(spec)
        yield from of_values(spec)

    def _by_rows(self, reduction: str) -> bool:
        """Whether a sum, or a mean once more, is divided by ``len(input)``."""
        spec = self.session.question.spec
        first = spec.tensors[0]
        if self.witness.reduction != "mean" or [a.name for a in first.axes] != ["e"]:
            return False
        for point, _, outcome in self.seen:
            try:
                total = evaluate(spec, point).value(reduction)
            except Undefined:
                return False
            rows = point.tensors[first.name].shape[0]
            if not close_to(outcome.value, [x / rows for x in total], CLOSE[torch.float64]):
                return False
        return True

    def _reductions(self, spec: LossSpec) -> Iterator[Variant]:
        """Another reduction than the one it is taken for."""
        for name in ("sum", "mean", "none", *(k for k, _ in spec.divisors)):
            if name != self.witness.reduction and self._reduced(name):
                yield f"with reduction {name}, not {self.witness.reduction}", spec

    def _reduced(self, reduction: str) -> bool:
        spec = self.session.question.spec
        same = all(self._agrees(spec, (p, reduction, o)) for p, _, o in self.seen)
        if same:
            self.seen = [(p, reduction, o) for p, _, o in self.seen]
        return same

    def _agrees(
        self, spec: LossSpec, seen: tuple[Point, str, Outcome], *, gradient: bool = True
    ) -> bool:
        point, reduction, outcome = seen
        self.values = []
        try:
            exact = evaluate(spec, point)
            want = exact.value(reduction)
            self.values = [float(x) for x in want]
            if not close_to(outcome.value, want, CLOSE.get(outcome.dtype, 0.03)):
                return False
            return not gradient or same_gradient(self.session.caller, exact, reduction, outcome)
        except (
            Undefined,
            ZeroDivisionError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            OverflowError,
        ):
            return False  # a changed formula may have no value here


def _small(sizes: Sizes) -> Sizes:
    """Sizes for a first look: no two alike, and few."""
    short = {
        axis: s if axis.isdigit() else tuple(min(x, 3) for x in s) for axis, s in sizes.items()
    }
    return {a: (s[:1] if a == "s" else (2, 3) if a == "e" else s) for a, s in short.items()}
