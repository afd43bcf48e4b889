"""What is asked: a formula, the code, and what both are taken to mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lossgen.spec import LossSpec
from lossgen.verify.adapters import Adapter
from lossgen.verify.matching import Matching
from lossgen.verify.target import Target


@dataclass(frozen=True, eq=False)
class Question:
    """One question.

    Attributes:
        adapters: per tensor of the formula, how the code takes it.
        reductions: the reductions asked about.
        passed: whether the code is told the reduction.
        result: what is taken from the code's answer: "", "first", "negative", or a key.
        seed: of everything random.
        pinned: sizes that axes have, whatever is usual.
        also: tensors whose gradient is asked for besides those that are predicted.
        about: which of the formula's inputs are asked about, after "its value differs"; empty for
            the usual ones.
        why: for axes that nobody pinned, what the code raises with other sizes of them.
    """

    spec: LossSpec
    target: Target
    matching: Matching
    reductions: tuple[str, ...]
    passed: bool
    adapters: Mapping[str, tuple[Adapter, ...]] = field(default_factory=dict)
    result: str = ""
    seed: int = 0
    pinned: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    about: str = ""
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> str:
        """The reduction that single checks use."""
        default = self.spec.default_reduction
        return default if default in self.reductions else self.reductions[0]

    @property
    def options(self) -> dict[str, Any]:
        """The formula's options at their defaults, or as they were set."""
        defaults = {p.name: p.default for p in self.spec.parameters}
        return {**defaults, **self.matching.fixed}

    @property
    def tensors(self) -> tuple[str, ...]:
        """The formula's tensors that the code takes."""
        return tuple(t.name for t in self.spec.tensors if t.name in self.matching.taken)

    @property
    def variable(self) -> tuple[str, ...]:
        """The options that can be varied: the code takes them, and nobody fixed them."""
        return tuple(
            p.name
            for p in self.spec.parameters
            if p.name in self.matching.taken and p.name not in self.matching.fixed
        )

    def known(self, option: str) -> bool:
        """Whether the code is asked about an option: it takes it, or somebody said its value."""
        matching = self.matching
        return option in matching.taken or option in matching.fixed.keys() - set(matching.absent)
