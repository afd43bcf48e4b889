"""What the code gives back, and which tensor of it is the loss.

In: an answer of the code, and what ``--result`` says. Out: a tensor of floats, or in words why
there is none and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_NUMBERS = (bool, int, float, np.ndarray, np.generic)


def taken(answer: Any, how: str) -> Tensor | str:
    """The loss in an answer: all of it, "first", "negative", a place, a key, or ".attribute"."""
    whole = answer
    if how == "negative" and isinstance(answer, Tensor):
        answer = -answer
    elif how in ("", "negative"):
        pass
    elif isinstance(answer, (tuple, list)) and (how == "first" or how.isdecimal()):
        place = 0 if how == "first" else int(how)
        if place >= len(answer):
            return f"gives back {len(answer)} values, of which none is at {place}: --result {how}"
        answer = answer[place]
    elif isinstance(answer, Mapping) and how in answer:
        answer = answer[how]
    elif how.startswith(".") and hasattr(answer, how[1:]):
        answer = getattr(answer, how[1:])
    else:
        return f"gives back {_kind(answer)}, which has no '{how}': --result {how}{_ways(whole)}"
    if not isinstance(answer, Tensor):
        return f"gives back {_kind(answer)}, not a tensor{_ways(answer)}"
    if not answer.is_floating_point():
        return f"gives back a tensor of {answer.dtype}, not of floats"
    if answer.device.type != "cpu":
        return f"gives back a tensor on {answer.device}; only the CPU is asked here"
    return answer


def lines(how: str) -> tuple[str, ...]:
    """The same as lines of Python, after ``result = code(…)``."""
    if not how:
        return ()
    if how == "negative":
        return ("result = -result",)
    if how.startswith("."):
        return (f"result = result{how}",)
    key = "0" if how == "first" else how if how.isdecimal() else repr(how)
    return (f"result = result[{key}]",)


def _kind(answer: Any) -> str:
    if answer is None:
        return "None"
    name = type(answer).__name__
    return f"a{'n' if name[:1].lower() in 'aeiou' else ''} {name}"


def _ways(answer: Any) -> str:
    if answer is None:
        return ": is a return missing?"
    if isinstance(answer, _NUMBERS):
        return ": no gradient comes back from a number (.item(), float(), numpy)"
    if isinstance(answer, (tuple, list)):
        place = next((k for k, x in enumerate(answer) if isinstance(x, Tensor)), 0)
        if place == 0:
            return "; take its first element: --result first"
        return f"; take one of its elements, counted from 0: --result {place}"
    if isinstance(answer, Mapping):
        only = str(next(iter(answer))) if len(answer) == 1 else "KEY"
        return f"; take one of {', '.join(map(str, answer))}: --result {only}"
    if isinstance(answer, Tensor):
        return ""
    held = [k for k, x in getattr(answer, "__dict__", {}).items() if isinstance(x, torch.Tensor)]
    if held:
        return f"; take one of {', '.join(held)}: --result .{held[0]}"
    return ""
