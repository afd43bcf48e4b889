"""What a rule is: a row of the table, and what became of it in one formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from lossgen.stabilize.known import Known

# Gives what an expression becomes, or None where it is not the rule's; asks ``Known`` for the
# rule's condition, which raises ``Refused`` where it cannot be shown.
Rewrite = Callable[[sp.Expr, Known], "sp.Expr | None"]


# Where a rule needs no condition.
EVERY = "every x"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what is matched, what it becomes, where that is valid, and the rewrite itself.

    Attributes:
        node: the type, or types, of expression that the rewrite looks at.
        everywhere: whether it is for derived backwards, too, and not only for formulas.
        told: whether formulas told a reader have it, too: it is no mere matter of range.
    """

    pattern: str
    becomes: str
    valid: str
    node: type[sp.Basic] | tuple[type[sp.Basic], ...]
    rewrite: Rewrite
    everywhere: bool = True
    told: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that matched but whose condition could not be shown."""

    rule: Rule
    reason: str
