"""Names for what is computed alike in several parts of a formula.

In: statements, and around which of the author's names each of one automatic or inner name was made.
Out: the statements, in which all of a family say which part they are of, the first as well.

    length, texts_length of images, texts     →  images_length, texts_length
    centred, unit2_centred of unit1, unit2    →  centred1, centred2

A family stays as it is where a name would be another's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes import Read, rebuild
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Member:
    """A statement of a family: its name so far, and the author's names around it, inner first."""

    name: str
    around: tuple[str, ...]


def with_family_names(
    statements: Sequence[Statement],
    families: Mapping[str, Sequence[Member]],
    taken: Collection[str],
) -> tuple[Statement, ...]:
    """The statements, those that are made alike named alike.

    Args:
        statements: a program's.
        families: by the name that each would have alone, its members in order.
        taken: names that stand for something else.
    """
    made = {x.name for x in statements}
    names: dict[str, str] = {}
    for base, members in families.items():
        there = [m for m in members if m.name in made]
        told = _told(base, [m.around for m in there])
        others = {*made.difference(m.name for m in there), *taken, *names.values()}
        if len(there) > 1 and told and others.isdisjoint(told):
            names |= {m.name: new for m, new in zip(there, told, strict=True)}

    def reading(expr: sp.Basic) -> sp.Basic:
        args = [reading(a) for a in expr.args]
        if isinstance(expr, Read) and expr.name in names:
            args[0] = Str(names[expr.name])
        return rebuild(expr, args) if args else expr

    return tuple(replace(x.mapped(reading), name=names.get(x.name, x.name)) for x in statements)


def _told(base: str, around: Sequence[Sequence[str]]) -> list[str]:
    """The names of a family's members; nothing where no level tells all of them apart."""
    for parts in zip(*around, strict=False):
        if len({*parts}) == len(parts):
            words = [re.findall(r"\d+|[^\d_]+", part) for part in parts]
            alike = len({tuple(x[:-1]) for x in words}) == 1
            ends = [x[-1] for x in words]
            if alike and all(x.isdigit() for x in ends) and not base[-1].isdigit():
                return [f"{base}{end}" for end in ends]
            if alike and all(len(x) == 1 and x.isalpha() for x in ends):
                return [f"{base}_{end}" for end in ends]
            return [f"{part}_{base}" for part in parts]
    return []
