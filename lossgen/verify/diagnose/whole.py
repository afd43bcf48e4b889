"""Mistakes about the formula as a whole: its options, its tensors, its reduction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, walk
from lossgen.spec import LossSpec
from lossgen.verify.diagnose.parts import replaced
from lossgen.verify.words import in_words

Variant = tuple[str, LossSpec]


WHATEVER = ", whatever is passed"


def variants(spec: LossSpec) -> Iterator[Variant]:
    """The formula with one mistake about its arguments."""
    yield "with the score itself in place of one minus it", with_item(spec, 1 - spec.item)
    yield from _options(spec)
    yield from _tensors(spec)
    yield from _divisors(spec)
    yield from _means(spec)


def with_item(spec: LossSpec, item: Any) -> LossSpec:
    """The loss with another unreduced value."""
    return replace(spec, item=item)


def _options(spec: LossSpec) -> Iterator[Variant]:
    real = [p for p in spec.parameters if p.role.kind == "real"]
    for a, b in itertools.combinations(real, 2):
        held = sp.Dummy("held")
        item = replaced(replaced(spec.item, a.symbol, held), b.symbol, a.symbol)
        yield (
            f"if {a.name} and {b.name} are swapped",
            with_item(spec, replaced(item, held, b.symbol)),
        )
    for p in real:
        # First: a square of 1e-6 is as good as 0.
        for value in dict.fromkeys((p.default, 0, 1)):
            if value is not None:
                item = replaced(spec.item, p.symbol, sp.nsimplify(value))
                yield f"with {p.name} = {value}{WHATEVER}", with_item(spec, item)
        for words, other in (
            (f"with 1 - {p.name} in place of {p.name}", 1 - p.symbol),
            (f"with 1/{p.name} in place of {p.name}", 1 / p.symbol),
            (f"with {p.name} squared", p.symbol**2),
            (f"with 2*{p.name} in place of {p.name}", 2 * p.symbol),
            (f"with {p.name}/2 in place of {p.name}", p.symbol / 2),
            (f"with -{p.name} in place of {p.name}", -p.symbol),
            (f"with {p.name} + 1 in place of {p.name}", p.symbol + 1),
            (f"with {p.name} - 1 in place of {p.name}", p.symbol - 1),
        ):
            yield words, with_item(spec, replaced(spec.item, p.symbol, other))
        for size in _classes(spec) if p.role.upper == 1 else ():
            wider = p.symbol * size / (size - 1)
            yield (
                f"with {p.name} spread over the size({size.letter}) - 1 others",
                with_item(spec, replaced(spec.item, p.symbol, wider)),
            )
    for p in spec.parameters:
        if p.role.kind == "boolean":
            flipped = {nd.TRUE: False, nd.FALSE: True}
            for value in flipped.values():
                changed = replaced(spec.item, p.symbol, sp.true if value else sp.false)
                yield f"with {p.name} = {value}{WHATEVER}", with_item(spec, changed)


def _classes(spec: LossSpec) -> list[nd.Size]:
    axes = dict.fromkeys(axis for t in spec.tensors for axis in t.axes)
    return [nd.Size(axis) for axis in axes if axis.name == "c"]


def _tensors(spec: LossSpec) -> Iterator[Variant]:
    for a, b in itertools.combinations(spec.tensors, 2):
        if a.axes == b.axes and "integer" not in (a.role.kind, b.role.kind):
            item = _exchanged(spec.item, a.name, b.name)
            yield f"with {a.name} and {b.name} exchanged", with_item(spec, item)
    for t in spec.tensors:
        reads = [x for x in walk(spec.item) if isinstance(x, nd.Read) and x.name == t.name]
        if not reads or t.role.kind != "real":
            continue
        for words, change in (
            (f"with the sigmoid of {t.name}: it is applied twice", nd.Sigmoid),
            (f"with the logarithm of {t.name}", nd.Log),
            (f"with the exponential of {t.name}", nd.Exp),
            (f"with {t.name} squared", lambda x: x**2),
            (f"with the sign of {t.name} turned", lambda x: -x),
            (f"with 1 - {t.name} in place of {t.name}", lambda x: 1 - x),
        ):
            yield words, with_item(spec, _mapped(spec.item, reads, change))


def _mapped(item: Any, reads: list[nd.Read], change: Any) -> Any:
    for read in reads:
        held = sp.Dummy("held")
        item = replaced(replaced(item, read, held), held, change(read))
    return item


def _exchanged(item: sp.Basic, a: str, b: str) -> Any:
    other = {a: b, b: a}

    def change(node: sp.Basic) -> Any:
        if isinstance(node, nd.Read) and node.name in other:
            return nd.Read(nd.word(other[node.name]), *map(change, node.subscripts))
        return nd.rebuild(node, map(change, node.args)) if node.args else node

    return change(item)


def special_cases(spec: LossSpec) -> Iterator[Variant]:
    """The general formula where a special case has one of its own."""
    item: Any = spec.item
    cases = [x for x in walk(item) if isinstance(x, nd.Where) and nd.is_static(x.args[0])]
    cases = [x for x in cases if not isinstance(x.args[0], nd.Given)]
    for node in cases:
        item = replaced(item, node, node.args[2])
    for inner in cases[1:]:  # what was nested lies deeper now
        item = replaced(item, inner, inner.args[2])
    if len(cases) > 1:
        shown = ", ".join(dict.fromkeys(in_words(x.args[0]) for x in cases))
        yield f"without its special cases ({shown})", with_item(spec, item)


def _means(spec: LossSpec) -> Iterator[Variant]:
    """A mean of means: what lies in a short row counts more."""
    letters = sorted(nd.free_letters(spec.item), key=str)
    if spec.over is None or len(letters) < 2:
        return
    for kept in letters:
        inner = [x for x in letters if x != kept]
        below = nd.Reduce("sum", spec.over, sp.true, sp.nan, inner)
        above = nd.Reduce("sum", spec.item, sp.true, sp.nan, inner)
        item = nd.Where(nd.Compare(">", below, 0), above / below, 0)
        over = ", ".join(map(str, inner))
        yield (
            f"with the mean over {kept} of the means over {over}",
            replace(spec, item=item, over=None),
        )


def _divisors(spec: LossSpec) -> Iterator[Variant]:
    if spec.over is None:
        above = nd.Where(nd.Compare(">", spec.item, sp.S.Zero), sp.S.One, sp.S.Zero)
        yield "with the mean over the items above 0 alone", replace(spec, over=above)
    else:
        reads = [x for x in nd.walk(spec.over) if isinstance(x, nd.Read)]
        weighed = any(spec.tensor(x.name).role.name == "Weight" for x in reads)
        number = "over all positions" + (", not over their weights" if weighed else "")
        yield (
            f"with the mean {number}: what is left out is counted",
            replace(spec, over=None),
        )
        for node in [x for x in walk(spec.over) if isinstance(x, nd.Where)]:
            if isinstance(node.args[0], nd.Given) and isinstance(node.args[1], nd.Read):
                yield (
                    f"with a mean that leaves {node.args[1].name} out of its divisor",
                    replace(spec, over=replaced(spec.over, node, sp.S.One)),
                )
    weights = [t for t in spec.tensors if t.role.name in ("Weight", "Mask") and t.optional]
    for t in weights:
        read = nd.Where(
            nd.Given(nd.word(t.name)), nd.Read(nd.word(t.name), *t.axes), t.role.neutral
        )
        if t.role.name == "Weight":
            yield f"with a mean that divides by the sum of {t.name}", replace(spec, over=read)
    if any(t.role.name == "Weight" for t in weights):
        yield (
            "with a mean that divides by the sum of the weights of its terms",
            replace(spec, over=_coefficients(spec.item)),
        )


def _coefficients(item: Any) -> Any:
    """What weighs the logarithms of a formula: each of them is taken for 1."""
    ones = {nd.Softplus: sp.S.One, nd.LogSigmoid: sp.S.NegativeOne, nd.Log: sp.S.NegativeOne}
    for node in walk(item):
        if type(node) in ones:
            item = replaced(item, node, ones[type(node)])
    return item


def own_scales(spec: LossSpec, left: Mapping[str, float]) -> Iterator[tuple[str, sp.Expr]]:
    """Factors of options that the code alone has, at their defaults."""
    for name, default in left.items():
        if default in (0, 1):
            continue
        own, shown = sp.Rational(str(default)), f"{name}, an option of the code alone"
        yield f"times {shown}", own
        yield f"divided by {shown}", 1 / own
        for p in spec.parameters:
            if p.role.kind == "real":
                yield f"times {p.name}/{shown}", p.symbol / own
                yield f"times {p.name}*{shown}", p.symbol * own


def scales(spec: LossSpec, letters: tuple[Letter, ...]) -> Iterator[tuple[str, sp.Expr]]:
    """Factors by which the whole may be wrong."""
    yield "with its sign turned", sp.Integer(-1)
    yield from (
        ("doubled", sp.Integer(2)),
        ("halved", sp.Rational(1, 2)),
        ("times 4", sp.Integer(4)),
        ("times 100", sp.Integer(100)),
        ("divided by 100", sp.Rational(1, 100)),
        ("times log 2", nd.Log(sp.Integer(2))),
        ("with logarithms to base 2", 1 / nd.Log(sp.Integer(2))),
        ("with logarithms to base 10", 1 / nd.Log(sp.Integer(10))),
    )
    sizes = [nd.Size(x) for x in letters]
    for size in sizes:
        yield f"times size({size.letter}): summed over {size.letter}, not averaged", size
        yield f"divided by size({size.letter}): averaged over {size.letter}, not summed", 1 / size
    for a, b in itertools.combinations(sizes, 2):
        yield f"times size({a.letter})*size({b.letter})", a * b
        yield f"divided by size({a.letter})*size({b.letter})", 1 / (a * b)
        yield f"times size({a.letter})/size({b.letter})", a / b
        yield f"times size({b.letter})/size({a.letter})", b / a
    for p in spec.parameters:
        if p.role.kind == "real":
            yield f"times {p.name}", p.symbol
            yield f"divided by {p.name}", 1 / p.symbol
            yield f"times {p.name}**2", p.symbol**2
            yield f"divided by {p.name}**2", 1 / p.symbol**2
