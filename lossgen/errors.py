"""Errors meant for the person at the terminal: what is wrong, where, and what to do.

Everything LossGen refuses is a :class:`LossgenError`; the command line prints its text and exits 2.
Any other exception that reaches the terminal is a fault of LossGen itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class LossgenError(Exception):
    """Something that cannot be done as asked; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a spec, at a line of a file."""

    path: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}: {self.message}"
        if not self.hint:
            return text
        hint = self.hint[0].upper() + self.hint[1:]
        return f"{text} {hint}" if text.endswith((".", "?", "!")) else f"{text}. {hint}"


class SpecError(LossgenError):
    """A spec with one or more faults; all of them are reported together."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``"Did you mean 'dice'?"`` for the nearest known word, or an empty string."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else ""
