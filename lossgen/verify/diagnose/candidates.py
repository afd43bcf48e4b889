"""All mistakes that are tried, the likely ones first.

In: a ``LossSpec``. Out: (words, the formula with that mistake).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from lossgen.spec import LossSpec
from lossgen.verify.diagnose.edits import (
    alike_edits,
    clamped,
    detached,
    edits,
    released,
    unmasked,
)
from lossgen.verify.diagnose.placement import placements
from lossgen.verify.diagnose.whole import Variant, scales, special_cases, variants, with_item


def of_gradients(spec: LossSpec) -> Iterator[Variant]:
    """Mistakes that leave the value as it is."""
    for words, item in (*detached(spec.item), *released(spec.item)):
        yield words, with_item(spec, item)


def of_values(spec: LossSpec) -> Iterator[Variant]:
    """Mistakes about the whole, then about each part."""
    yield from special_cases(spec)
    yield from variants(spec)
    yield from placements(spec)
    for words, item in unmasked(spec.item):
        yield words, with_item(spec, item)
    for words, factor in factors_of(spec):
        yield words, with_item(spec, spec.item * factor)
    named = tuple(sorted(spec.axes, key=str))
    for words, item in itertools.chain(edits(spec.item, named), alike_edits(spec.item, named)):
        yield words, with_item(spec, item)
    for words, item in clamped(spec.item):
        yield words, with_item(spec, item)


def factors_of(spec: LossSpec) -> Iterator[tuple[str, sp.Expr]]:
    """Factors by which the whole may be wrong, sizes of its axes among them."""
    letters = sorted(set(spec.axes.values()), key=str)
    yield from scales(spec, tuple(x for x in letters if not x.name.isdigit()))
