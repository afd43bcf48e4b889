"""Which samples and options the generated test tries.

In: a ``LossSpec``.  Out: the ``CaseRow``s.  Every option leaves its
default, alone and together with all others; flags and choices take every value; a number that a
static condition compares with is tried; optional tensors are given and left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lossgen import nodes
from lossgen.nodes import walk
from lossgen.spec import LossSpec, Parameter
from lossgen.testrefusals import takes_number
from lossgen.testsamples import kinked, samples

_BELOW_ONE = (0.375, 0.625, 0.25, 0.875, 0.75, 0.5)
_ABOVE = (1.5, 2.5, 1.25, 0.75, 3.5, 0.625)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One call: the manner of sampling, the options, and the optional tensors given."""

    name: str
    manner: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    start: int = 0


def alternatives(spec: LossSpec) -> dict[str, list[Any]]:
    """For every option, values other than its default, the most telling first."""
    marked = {row.marked for row in samples(spec)}
    found: dict[str, list[Any]] = {}
    pools = {True: iter(_BELOW_ONE), False: iter(_ABOVE)}
    for parameter in spec.parameters:
        if parameter.name in marked:
            found[parameter.name] = [1]
            continue
        found[parameter.name] = list(_values(parameter, pools, _compared(spec, parameter)))
    return found


def _values(
    parameter: Parameter, pools: dict[bool, Iterator[float]], compared: list[float]
) -> Iterator[Any]:
    role, default = parameter.role, parameter.default
    if role.kind == "boolean":
        yield not default
        return
    if role.choices:
        yield from (value for value in role.choices if value != default)
        return
    if role.kind == "integer":
        yield (default or 0) + 1
    else:
        small = default is not None and abs(default) < 1
        yield next(v for v in pools[small] if v != default and role.admits(v))
    if role.kind == "real" and not role.extended:
        compared = [*compared, 0.0]
    for value in dict.fromkeys(compared):
        if value != default and (role.admits(value) or value == math.inf):
            yield value


def _compared(spec: LossSpec, parameter: Parameter) -> list[float]:
    """Numbers by which a static condition tells values apart, and some on either side of them."""
    found: dict[float, None] = {}
    for node in walk(spec.item):
        if isinstance(node, nodes.Compare) and parameter.symbol in (node.left, node.right):
            other = node.right if node.left == parameter.symbol else node.left
            if other.is_number:
                number = float(other)
                found[number] = None
                if node.op not in ("==", "!="):
                    found.update(dict.fromkeys((number - 0.5, number + 0.5)))
    return list(found)


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
    rows = [*calm, *_strained(spec, calm, everything)]
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
    switches = {
        p.name: [p.default, *others[p.name]]
        for p in spec.parameters
        if p.role.kind == "boolean" or p.role.choices
    }
    if 2 <= len(switches) <= 3:
        for values in itertools.product(*switches.values()):
            chosen = dict(zip(switches, values, strict=True))
            text = ", ".join(f"{k} {v}" for k, v in chosen.items())
            yield replace(everything, name=text, options={**everything.options, **chosen})


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
    """Extreme values, and ties where the formula has kinks."""
    switches = {p.name for p in spec.parameters if p.role.kind == "boolean" or p.role.choices}
    switches |= {p.name for p in spec.parameters if _compared(spec, p)}
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
        for start in (0, 1000, 2000) if kinked(spec) else ():
            name = f"{row.name}, ties {start // 1000 + 1}"
            yield replace(row, name=name, manner="ties", start=start)
