"""Which samples and options the generated test tries.

In: a ``LossSpec``.  Out: the ``CaseRow``s.  Every option leaves its
default, alone and together with all others; optional tensors are given and left out; extremes,
ties, vectors of unusual length, scores of which one class leads, and logarithms near 0 come last.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lossgen.spec import LossSpec, Parameter
from lossgen.testlengths import at_any_length
from lossgen.testoptions import alternatives, compared
from lossgen.testrefusals import takes_number
from lossgen.testsamples import kinked, samples, steep
from lossgen.testthresholds import shifts


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One call: the manner of sampling, the options, and the optional tensors given."""

    name: str
    manner: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    start: int = 0


def cases(spec: LossSpec, prefix: str = "") -> tuple[CaseRow, ...]:
    """The calls that the test makes."""
    required = {
        p.name: v
        for p in spec.parameters
        if p.default is None
        for v in alternatives(spec)[p.name][:1]
    }
    others = alternatives(spec)
    optional = tuple(t.name for t in spec.tensors if t.optional)
    ones: list[CaseRow] = [CaseRow("defaults", options=required)]
    for name, values in others.items():
        for value in values[1:] if name in required else values:
            ones.append(CaseRow(f"{name} {value}", options={**required, name: value}))
    for name in optional:
        ones.append(CaseRow(f"with {name}", options=required, given=(name,)))
    everything = CaseRow(
        "all options", options={k: v[0] for k, v in others.items()}, given=optional
    )
    rows = [*ones, everything] if len(ones) > 2 else ones
    if len(ones) > 3:
        rows += _all_but_one(everything, others, required)
        rows += _special(everything, others)
    rows += _flag_grid(spec, everything, others)
    rows += _shapes(spec, everything)
    calm = list({_key(row): row for row in reversed(rows)}.values())[::-1]
    rows = [*calm, *_strained(spec, calm, everything), *_confident(spec, calm, everything)]
    rows += _near_one(spec, others, required)
    return tuple(replace(row, name=f"{prefix}{row.name}") for row in rows)


def _key(row: CaseRow) -> str:
    return repr((sorted(row.options.items()), row.given, row.manner, row.shapes))


def _all_but_one(
    everything: CaseRow, others: dict[str, list[Any]], required: dict[str, Any]
) -> Iterator[CaseRow]:
    for name in others:
        if name not in required:
            options = {k: v for k, v in everything.options.items() if k != name}
            yield replace(everything, name=f"all options but {name}", options=options)
    for name in everything.given:
        given = tuple(x for x in everything.given if x != name)
        yield replace(everything, name=f"all options without {name}", given=given)


def _special(everything: CaseRow, others: dict[str, list[Any]]) -> Iterator[CaseRow]:
    """Every further value of an option, with all others away from their defaults."""
    for name, values in others.items():
        for value in values[1:]:
            options = {**everything.options, name: value}
            yield replace(everything, name=f"all options, {name} {value}", options=options)


def _flag_grid(
    spec: LossSpec, everything: CaseRow, others: dict[str, list[Any]]
) -> Iterator[CaseRow]:
    """Every combination of flags and choices, with all else away from its default."""
    count = sum(_is_switch(p) for p in spec.parameters)
    for chosen in _switched(spec, others) if 2 <= count <= 3 else ():
        text = ", ".join(f"{k} {v}" for k, v in chosen.items())
        yield replace(everything, name=text, options={**everything.options, **chosen})


def _is_switch(parameter: Parameter) -> bool:
    return parameter.role.kind == "boolean" or bool(parameter.role.choices)


def _switched(spec: LossSpec, others: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of flags and choices."""
    found = {p.name: [p.default, *others[p.name]] for p in spec.parameters if _is_switch(p)}
    for values in itertools.product(*found.values()):
        yield dict(zip(found, values, strict=True))


def _shapes(spec: LossSpec, everything: CaseRow) -> Iterator[CaseRow]:
    """An input that may broadcast: of full shape, and with fewer dimensions."""
    for tensor, row in zip(spec.tensors, samples(spec), strict=True):
        if tensor.broadcast and row.axes == ("e",):
            more = (tensor.name,) if tensor.optional else ()
            given = tuple(dict.fromkeys((*everything.given, *more)))
            shapes = ((3, 4), (1, 4)) if takes_number(tensor) else ((3, 4), (4,), ())
            for shape in shapes:
                shown = f"{tensor.name} of shape {list(shape)}"
                yield CaseRow(
                    shown, options=everything.options, given=given, shapes={tensor.name: shape}
                )


def _strained(spec: LossSpec, calm: list[CaseRow], everything: CaseRow) -> Iterator[CaseRow]:
    """Extreme values, and ties where the formula has kinks or infinite slopes."""
    starts = (0, 1000, 2000) if kinked(spec) else (0,) if steep(spec) else ()
    switches = {p.name for p in spec.parameters if _is_switch(p)}
    switches |= {p.name for p in spec.parameters if compared(spec, p)}
    chosen = [
        row
        for row in calm
        if not row.options
        or row.name.startswith(("all options,", "with "))
        or (row.options == everything.options and not row.shapes)
        or row.options.keys() <= switches
    ]
    extreme = any(row.extremes for row in samples(spec))
    for row in chosen:
        if extreme:
            yield replace(row, name=f"{row.name}, extreme", manner="extreme")
        for start in starts:
            name = f"{row.name}, ties {start // 1000 + 1}"
            yield replace(row, name=name, manner="ties", start=start)
        usual = row is calm[0] or row.options == everything.options
        if usual and at_any_length(spec, row.options):
            for manner in ("long", "short"):
                yield replace(row, name=f"{row.name}, {manner}", manner=manner)


def _confident(spec: LossSpec, calm: list[CaseRow], everything: CaseRow) -> Iterator[CaseRow]:
    """Scores of which one class leads, which shows what becomes of the little that others have.

    With each of the numbers by which a condition chooses the formula, and between them.
    """
    if all(row.classes_at is None for row in samples(spec)):
        return
    special = {p.name for p in spec.parameters if compared(spec, p)}
    for row in calm:
        plain = row.options.keys() <= special | calm[0].options.keys()
        if plain or row.options == everything.options:
            yield replace(row, name=f"{row.name}, confident", manner="confident")


def _near_one(
    spec: LossSpec, others: dict[str, list[Any]], required: dict[str, Any]
) -> Iterator[CaseRow]:
    """An option that is added within a logarithm is 1: beside a small number, that is near 0.

    Every flag is tried with it: what else a loss has may hide a small number.
    """
    added = {option for option, _ in shifts(spec.item)}
    for parameter in spec.parameters:
        if parameter.symbol not in added or not parameter.role.admits(1.0):
            continue
        for chosen in _switched(spec, others):
            options = {**required, **chosen, parameter.name: 1.0}
            text = ", ".join(f"{k} {v}" for k, v in options.items())
            yield CaseRow(f"{text}, extreme", "extreme", options)
