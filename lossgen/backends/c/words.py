"""Names that mean something else in C.

c_name("union")  →  "union_"
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, rebuild
from lossgen.program import Statement

_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while"
)
_OURS = (
    "real scalar load store stream turn populate chunk task run begin end ahead start lanes width "
    "blocks runs chunks tasks splits memory most first last status failure seed team upstream "
    "total loss_out call scale weigh weights behind left"
)
SHORT = "SHORT"  # whether what is left of a row beside whole vectors is most of it
ROWS = "ROWS"  # whether vectors run along the inner letter, where they may run along either
RESERVED = frozenset((*_KEYWORDS.split(), *_OURS.split()))


def c_name(name: str) -> str:
    """A name as the kernel has it."""
    return f"{name}_" if name in RESERVED else name


def with_c_names(statements: Iterable[Statement]) -> list[Statement]:
    """The statements, those renamed whose names mean something else in C."""

    def told(e: sp.Basic) -> sp.Basic:
        if isinstance(e, Read) and e.name in renamed:
            return Read(Str(renamed[e.name]), *map(told, e.subscripts))
        return rebuild(e, [told(a) for a in e.args])

    given = list(statements)
    renamed = {x.name: c_name(x.name) for x in given if c_name(x.name) != x.name}
    if not renamed:
        return given
    return [replace(x.mapped(told), name=renamed.get(x.name, x.name)) for x in given]


def extent(letter: object) -> str:
    """The number of positions of a letter: ``N`` for ``n``."""
    return str(letter).upper()
