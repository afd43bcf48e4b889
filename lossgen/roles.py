"""What a tensor or a parameter holds: its role, told once.

Domain, sampling, validation and documentation all follow from the role.  ``Logits[n, c, s]`` is a
role applied to axes; ``NonNegative`` alone is the role of a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["real", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An axis along which an input may be of size 1 or missing; its gradient is summed back."""

    letter: Any


@dataclass(frozen=True, slots=True)
class Role:
    """A role.

    Attributes:
        name: as written in a spec.
        domain: the values, in words, for docstrings.
        kind: what the elements are to the formula.
        lower, upper: bounds of the values (None: unbounded); ``open_lower``: the bound is excluded.
        neutral: what an absent optional tensor reads as (None: may be read only under ``given``).
        learnable: an ``nn.Parameter`` in the class form.
        choices: the values a parameter may take, if they are listed.
    """

    name: str
    domain: str
    kind: Kind = "real"
    lower: float | None = None
    upper: float | None = None
    open_lower: bool = False
    neutral: float | bool | None = None
    learnable: bool = False
    choices: tuple[int | float, ...] = ()
    extended: bool = False

    def __getitem__(self, axes: Any) -> Annotation:
        return Annotation(self, axes if isinstance(axes, tuple) else (axes,))

    @property
    def assumptions(self) -> dict[str, bool]:
        """What SymPy may assume of a parameter with this role."""
        if self.kind == "boolean":
            return {}
        if self.choices and all(isinstance(x, int) and x > 0 for x in self.choices):
            return {"integer": True, "positive": True}
        if self.lower == 0:
            return {"positive": True} if self.open_lower else {"nonnegative": True}
        if self.extended:
            return {"extended_real": True}
        return {"integer": True} if self.kind == "integer" else {"real": True}

    def admits(self, value: Any) -> bool:
        """Whether a default lies in the role's domain."""
        if self.kind == "boolean":
            return isinstance(value, bool)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.choices:
            return value in self.choices
        if value != value or (abs(value) == float("inf") and not self.extended):
            return False
        if self.kind == "integer" and not isinstance(value, int):
            return False
        if self.lower is not None and (
            value < self.lower or (self.open_lower and value <= self.lower)
        ):
            return False
        return self.upper is None or value <= self.upper


@dataclass(frozen=True, slots=True)
class Annotation:
    """A role applied to axes: letters, integers (an axis of that size) or ``broadcast(letter)``."""

    role: Role
    axes: tuple[Any, ...]


Real = Role("Real", "any real number")
Logits = Role("Logits", "unnormalised scores, any real number")
Probabilities = Role("Probabilities", "in [0, 1]", lower=0.0, upper=1.0)
LogProbabilities = Role("LogProbabilities", "log-probabilities, at most 0", upper=0.0)
Positive = Role("Positive", "greater than 0", lower=0.0, open_lower=True)
NonNegative = Role("NonNegative", "at least 0", lower=0.0)
Binary = Role("Binary", "0 or 1", lower=0.0, upper=1.0)
Sign = Role("Sign", "-1 or 1", lower=-1.0, upper=1.0)
ClassIndex = Role("ClassIndex", "class indices in [0, C)", kind="integer", lower=0.0)
LabelList = Role("LabelList", "class indices, ended by the first negative one", kind="integer")
Embedding = Role("Embedding", "feature vectors, any real number")
Boxes = Role("Boxes", "corners (x1, y1, x2, y2) with x1 < x2 and y1 < y2")
Mask = Role("Mask", "true where an element counts", kind="boolean", neutral=True)
Weight = Role("Weight", "weights, at least 0", lower=0.0, neutral=1)
Learnable = Role("Learnable", "learnable, any real number", learnable=True)
Flag = Role("Flag", "True or False", kind="boolean")
Integer = Role("Integer", "an integer", kind="integer")
ExtendedReal = Role("ExtendedReal", "a real number, -inf or inf", extended=True)

ROLES = {r.name: r for r in list(globals().values()) if isinstance(r, Role)}


def choice(*values: int | float) -> Role:
    """The role of a parameter that takes one of the listed values."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"choice takes numbers, and {value!r} is none; give each a number")
    whole = all(isinstance(v, int) for v in values)
    text = ", ".join(map(repr, values[:-1])) + f" or {values[-1]!r}"
    return Role("choice", text, kind="integer" if whole else "real", choices=values)
