"""What an answer is made of: differences, checks, evidence, a verdict, a report."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# formula: another formula. nonfinite: NaN or infinite where the truth is not. rounding: the same
# formula with too few digits. behaviour: it raises, mutates, answers at random, gives no gradient.
# refusal: it raises on purpose, as a check of arguments does.
Kind = Literal["formula", "nonfinite", "rounding", "behaviour", "refusal"]
Verdict = Literal["holds", "holds, inaccurate", "does not hold", "cannot be asked"]
# warns: right wherever the formula has a value, and silent where it has none; or right but in
# forward mode, as much code is.
Status = Literal["holds", "fails", "inaccurate", "warns", "skipped"]


@dataclass(frozen=True, eq=False)
class Difference:
    """One place where the code and the formula differ.

    Attributes:
        what: "value", or "gradient of input".
        place: index into the flat result or gradient.
        got, want: numbers as text with as many digits as help; for behaviour a sentence in ``got``.
        size: how large the difference is, relative to what is expected.
    """

    kind: Kind
    what: str
    place: int
    got: float | str
    want: float | str
    size: float = 0.0
    label: str = ""
    reduction: str = ""
    dtype: str = "float64"


@dataclass(frozen=True, eq=False)
class Check:
    """One check: what was looked at, and what was found."""

    name: str
    status: Status
    detail: str = ""
    seconds: float = 0.0
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, eq=False)
class CounterExample:
    """The smallest input found on which the code is wrong.

    Attributes:
        tensors: nested lists by the formula's names.
        got, want: the result or gradient in question.
        derivation: lines that lead from the input to what is expected.
        call: lines of Python that make the tensors and call ``code`` with them.
        proof: lines of Python that fail while the code is wrong, where ``call`` does not do.
    """

    tensors: Mapping[str, Any]
    options: Mapping[str, Any]
    reduction: str
    dtype: str
    what: str
    got: tuple[float | str, ...]
    want: tuple[float | str, ...]
    count: int
    derivation: tuple[str, ...] = ()
    call: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()

    @property
    def behaves(self) -> bool:
        """Whether it is about how the code behaves: ``got`` is a sentence then."""
        return self.want == ("",)


@dataclass(frozen=True, eq=False)
class Report:
    """The answer.

    Attributes:
        assumed: what was assumed, in words.
        evidence: how equality was shown: "exact", "50 digits", "numbers", with a sentence.
        diagnoses: what the code computes instead, the most likely first.
    """

    target: str
    formula: str
    verdict: Verdict
    reason: str
    seed: int
    assumed: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    evidence: tuple[str, ...] = ()
    counterexample: CounterExample | None = None
    diagnoses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether the code computes the formula (perhaps with too few digits)."""
        return self.verdict in ("holds", "holds, inaccurate")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the code does beside its numbers that nobody may expect: shapes taken, say."""
        return tuple(c.detail for c in self.checks if c.status == "warns")

    def exit_code(self, *, strict: bool = False) -> int:
        """0 holds, 1 does not hold (``strict``: also inaccurate or warned), 2 cannot be asked."""
        if self.verdict == "cannot be asked":
            return 2
        careless = self.verdict != "holds" or bool(self.warnings)
        return 1 if not self.holds or (strict and careless) else 0

    def __str__(self) -> str:
        lines = [f"{self.target}: {self.verdict}. {self.reason}".strip()]
        if self.counterexample is not None:
            lines += counterexample_lines(self.counterexample)
        lines += [f"It equals the formula {d}." for d in self.diagnoses]
        return "\n".join(lines)


def number(x: float | str) -> str:
    """A number as a person writes it."""
    if isinstance(x, str):
        return x
    if x != x or abs(x) == float("inf"):
        return str(x)
    return repr(int(x)) if x == int(x) and abs(x) < 1e15 else f"{x:.10g}"


def counterexample_lines(example: CounterExample) -> list[str]:
    """A counter-example as text."""
    lines = [f"{name} = {_cropped(values)}" for name, values in example.tensors.items()]
    lines += [f"{name} = {value}" for name, value in example.options.items()]
    lines.append(f"reduction = {example.reduction}, {example.dtype}")
    lines += example.derivation
    if example.behaves:
        lines.append(f"the code {example.got[0]}")
    else:
        lines.append(
            f"{example.what}: expected {_shown(example.want)}, the code gives {_shown(example.got)}"
        )
    return lines


def _shown(values: tuple[float | str, ...]) -> str:
    text = ", ".join(map(number, values[:8])) + (", …" if len(values) > 8 else "")
    return text if len(values) == 1 else f"[{text}]"


_WIDE = 600  # characters of a tensor that a person looks at


def _cropped(values: Any) -> str:
    text, shape = nested(values), []
    while isinstance(values, list) and values:
        shape.append(len(values))
        values = values[0]
    return text if len(text) <= _WIDE else f"{text[:_WIDE]} … (shape {shape})"


_REPEATED = 5  # alike in a row, beyond which they are counted


def _runs(shown: list[str]) -> Iterator[str]:
    """The texts, many alike in a row as one with their number."""
    for text, group in itertools.groupby(shown):
        count = len(list(group))
        yield from [f"{count} times {text}"] if count >= _REPEATED else [text] * count


def nested(values: Any) -> str:
    """Nested lists as text, numbers short."""
    if isinstance(values, list):
        return "[" + ", ".join(_runs(list(map(nested, values)))) + "]"
    return str(values) if isinstance(values, bool) else number(values)
