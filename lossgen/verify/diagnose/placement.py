"""Right steps in the wrong place: a mean taken too early, a weight or a mask that reaches further.

In: a ``LossSpec``. Out: (words, the formula with that mistake).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, free_letters, walk
from lossgen.spec import LossSpec
from lossgen.verify.diagnose.parts import replaced, short

Variant = tuple[str, LossSpec]


def placements(spec: LossSpec) -> Iterator[Variant]:
    """The formula with one step elsewhere."""
    yield from _early_means(spec)
    yield from _spread_factors(spec)
    yield from _own_left_out(spec)
    yield from _pixels(spec)


def _early_means(spec: LossSpec) -> Iterator[Variant]:
    """The mean of a part taken before what is done with it: a root, a focusing factor."""
    letters = sorted(free_letters(spec.item), key=str)
    if not letters:
        return
    over = ", ".join(map(str, letters))
    for part in dict.fromkeys(_inner(spec.item)):
        if free_letters(part) == set(letters):
            changed: Any = replaced(spec.item, part, _mean(spec, part, letters))
            yield (
                f"with {short(part)} averaged over {over} before the rest is computed",
                replace(spec, item=changed),
            )


def _inner(item: sp.Basic) -> Iterator[sp.Basic]:
    """What functions and powers are taken of, and what has a name."""
    for node in walk(item):
        if isinstance(node, nd.Unary):
            yield node.arg
        elif isinstance(node, sp.Pow):
            yield node.base
        elif isinstance(node, nd.Let):
            yield node


def _mean(spec: LossSpec, part: sp.Basic, letters: list[Letter]) -> Any:
    """The mean of a part over all items, or over what the loss' own mean counts."""
    if spec.over is None:
        return nd.Reduce("mean", part, sp.true, sp.nan, letters)
    above = nd.Reduce("sum", sp.Mul(spec.over, part), sp.true, sp.nan, letters)
    return above / nd.Reduce("sum", spec.over, sp.true, sp.nan, letters)


def _spread_factors(spec: LossSpec) -> Iterator[Variant]:
    """A weight of a product, multiplied into one of its parts wherever that is used."""
    for node in walk(spec.item):
        if not isinstance(node, sp.Mul):
            continue
        for factor in node.args:
            if not _weighs(spec, factor):
                continue
            rest = sp.Mul(*(x for x in node.args if x != factor))
            for part in (x for x in node.args if isinstance(x, nd.Let)):
                bare: Any = replaced(spec.item, node, rest)
                yield (
                    f"with {short(factor)} multiplied into {short(part)} wherever that is used",
                    replace(spec, item=replaced(bare, part, factor * part)),
                )


def _weighs(spec: LossSpec, factor: sp.Basic) -> bool:
    """Whether a factor is a weight: a tensor of weights, an option that scales."""
    reads = [x for x in walk(factor) if isinstance(x, nd.Read)]
    return any(spec.tensor(x.name).role.name == "Weight" for x in reads)


def _own_left_out(spec: LossSpec) -> Iterator[Variant]:
    """The pair of a row with its own, left out of reductions over all pairs."""
    found: dict[tuple[Letter, Letter], list[nd.Reduce]] = {}
    for node in walk(spec.item):
        if isinstance(node, nd.Reduce) and node.where is sp.true and len(node.bound) == 1:
            (bound,) = node.bound
            for letter in sorted(free_letters(node.body) - {bound}, key=str):
                if spec.axes[letter] == spec.axes[bound]:
                    found.setdefault((letter, bound), []).append(node)
    for (letter, bound), nodes in found.items():
        mask = nd.Compare("!=", letter, bound)
        changed: Any = spec.item
        for node in dict.fromkeys(nodes):
            kept = nd.Reduce(node.op, node.body, mask, node.empty, node.bound)
            changed = replaced(changed, node, kept)
        words = f"with the pairs of {letter} = {bound} left out of the {nodes[0].op} over {bound}"
        yield words, replace(spec, item=changed)


def _pixels(spec: LossSpec) -> Iterator[Variant]:
    """Corners taken for pixels, so that a box ends one further."""
    boxes = {t.name for t in spec.tensors if t.role.name == "Boxes"}

    def edge(x: Any) -> bool:
        x = x.body if isinstance(x, nd.Let) else x
        if isinstance(x, nd.Max):
            return all(map(edge, x.args[:2]))
        return isinstance(x, nd.Read) and x.name in boxes

    changed: Any = spec.item
    for node in walk(spec.item) if boxes else ():
        terms = [x.as_coeff_Mul() for x in node.args] if isinstance(node, sp.Add) else []
        if sorted(c for c, _ in terms) == [-1, 1] and all(edge(x) for _, x in terms):
            changed = replaced(changed, node, node + 1)
    if changed != spec.item:
        yield "with 1 added to every width and height, as of pixels", replace(spec, item=changed)
