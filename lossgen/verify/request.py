"""A question as it is typed: text and numbers that travel from one process to another."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lossgen.errors import LossgenError


@dataclass(frozen=True, slots=True)
class Request:
    """What ``lossgen verify TARGET`` was told; see ``lossgen.verify.api.verify`` for the words."""

    target: str
    formula: str | None = None
    expr: str | None = None
    params: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    map: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    adapt: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    reduction: str | None = None
    result: str = ""
    seed: int = 0
    time_limit: float = 60.0
    skip: tuple[str, ...] = ()
    directory: str = "."


def is_target(text: str) -> bool:
    """Whether a word of the command line names code rather than a loss."""
    return ":" in text or text.endswith(".py")


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` words of an option.

    Raises:
        LossgenError: where a word is not of that form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise LossgenError(f"{option} {text}: write {option} NAME=VALUE.")
        if name.strip() in found:
            raise LossgenError(f"{option} {name.strip()} is given twice.")
        found[name.strip()] = value.strip()
    return found


def values(given: Mapping[str, str]) -> dict[str, Any]:
    """Values as Python literals; what is none stays text."""
    return {name: _literal(text) for name, text in given.items()}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"true": True, "false": False, "inf": float("inf")}.get(text.lower(), text)
