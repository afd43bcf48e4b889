"""Which samples and options the generated test tries.

In: a ``LossSpec``.  Out: one ``SampleRow`` per tensor and the ``CaseRow``s.  Every option leaves its
default, alone and together with all others; flags and choices take every value; a number that a
static condition compares with is tried; optional tensors are given and left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Letter, walk
from lossgen.oracle import size_name
from lossgen.roles import Role
from lossgen.spec import LossSpec, Parameter, TensorArg
from lossgen.testrefusals import takes_number

_POOL = (3, 5, 4, 7, 8, 9, 11)
_BELOW_ONE = (0.375, 0.625, 0.25, 0.875, 0.75, 0.5)
_ABOVE = (1.5, 2.5, 1.25, 0.75, 3.5, 0.625)

# kind of sample, range of values, and values at which naive code breaks
_FILLED: dict[str, tuple[str, float, float, tuple[float, ...]]] = {
    "Real": ("real", -3, 3, (-32.0, 32.0, 2.0**-10)),
    "Logits": ("real", -3, 3, (-90.0, -40.0, -20.0, 20.0, 40.0, 90.0)),
    "Probabilities": ("real", 0, 1, (0.0, 1.0, 2.0**-20, 1 - 2.0**-20)),
    "LogProbabilities": ("real", -3, 0, (0.0, -20.0, -40.0, -(2.0**-20))),
    "Positive": ("real", 0.25, 2.5, (2.0**-10, 64.0)),
    "NonNegative": ("real", 0, 4, (0.0, 64.0)),
    "Weight": ("real", 0.25, 2, (0.0, 16.0)),
    "Embedding": ("real", -2, 2, (-16.0, 16.0, 2.0**-7)),
    "Learnable": ("real", -1, 2, ()),
    "Binary": ("binary", 0, 1, ()),
    "Sign": ("sign", -1, 1, ()),
    "Boxes": ("boxes", 0, 4, ()),
    "ClassIndex": ("index", 0, 0, ()),
    "LabelList": ("labels", 0, 0, ()),
    "Mask": ("boolean", 0, 0, ()),
}


@dataclass(frozen=True, slots=True)
class SampleRow:
    """How one tensor is filled."""

    name: str
    kind: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    low: float = 0
    high: float = 0
    extremes: tuple[float, ...] = ()
    classes: int = 0
    marked: str = ""
    optional: bool = False
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One call: the manner of sampling, the options, and the optional tensors given."""

    name: str
    manner: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def sizes(spec: LossSpec) -> dict[str, tuple[int, ...]]:
    """A size for every axis, no two alike; axes of any dimensions get one or two of them."""
    axes = list(dict.fromkeys(axis for t in spec.tensors for axis in t.axes))
    found = {axis.name: (int(axis.name),) for axis in axes if axis.name.isdigit()}
    taken = {2, *(s for (s,) in found.values())}
    pool = (s for s in _POOL if s not in taken)
    for place, axis in enumerate(axes):
        if axis.name in found:
            continue
        if axis.name in ("e", "s"):
            found[axis.name] = (3, 4) if axis.name == "e" else (6,)
        elif place == 0:
            found[axis.name] = (4 if _paired(spec, axis) else 2,)
        else:
            found[axis.name] = (next(s for s in pool if (s,) not in found.values()),)
    return found


def _paired(spec: LossSpec, axis: Letter) -> bool:
    """Whether the loss compares positions along an axis, or takes statistics over it."""
    exprs = [spec.item, *((spec.over,) if spec.over is not None else ())]
    others = [x for x, over in spec.axes.items() if over == axis and x != axis]
    reduced = (b for n in walk(sp.Tuple(*exprs)) if isinstance(n, nodes.Reduce) for b in n.bound)
    return bool(others) or axis in reduced


def samples(spec: LossSpec) -> tuple[SampleRow, ...]:
    """How each tensor of the spec is filled."""
    return tuple(_sample(spec, tensor) for tensor in spec.tensors)


def _sample(spec: LossSpec, tensor: TensorArg) -> SampleRow:
    size = sizes(spec)
    kind, low, high, extremes = _FILLED[tensor.role.name]
    shape = tuple(s for axis in tensor.axes for s in size[axis.name])
    if tensor.broadcast and shape:
        shape = (*shape[:-1], 1)
    axes = tuple(axis.name for axis in tensor.axes)
    classes, marked = 0, ""
    if tensor.role.kind == "integer":
        classes, marked = size[_indexed(spec, tensor)][0], _marker(spec, tensor)
    return SampleRow(
        tensor.name, kind, axes, shape, low, high, extremes, classes, marked,
        tensor.optional, tensor.broadcast,
    )


def _indexed(spec: LossSpec, tensor: TensorArg) -> str:
    """The axis whose positions an index tensor holds: it is read there, or compared with it."""
    exprs = sp.Tuple(spec.item, *((spec.over,) if spec.over is not None else ()))
    axes = {t.name: t.axes for t in spec.tensors}
    for node in walk(exprs):
        if isinstance(node, nodes.Read):
            for place, axis in zip(node.subscripts, axes[node.name], strict=True):
                if any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(place)):
                    return axis.name
        elif isinstance(node, nodes.Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                named = any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(side))
                if named and isinstance(other, Letter):
                    return spec.axes[other].name
        elif isinstance(node, nodes.Let):
            for param, arg in zip(node.params, node.at, strict=True):
                if any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(arg)):
                    return spec.axes[param].name
    return "n" if any(axis.name == "n" for axis in tensor.axes) else tensor.axes[0].name


def _marker(spec: LossSpec, tensor: TensorArg) -> str:
    """The parameter that an index is compared with (``ignore_index``)."""
    for node in walk(spec.item):
        if isinstance(node, nodes.Compare) and isinstance(node.right, nodes.Param):
            if isinstance(node.left, nodes.Read) and node.left.name == tensor.name:
                return node.right.name
    return ""


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
    for value in compared:
        if value != default and (role.admits(value) or value == math.inf):
            yield value


def _compared(spec: LossSpec, parameter: Parameter) -> list[float]:
    """Numbers with which a static condition compares a parameter."""
    found = []
    for node in walk(spec.item):
        if isinstance(node, nodes.Compare) and parameter.symbol in (node.left, node.right):
            other = node.right if node.left == parameter.symbol else node.left
            if other.is_number:
                found.append(float(other))
    return sorted(set(found))


def cases(spec: LossSpec, prefix: str = "") -> tuple[CaseRow, ...]:
    """The calls that the test makes."""
    required = {p.name: v for p in spec.parameters if p.default is None
                for v in alternatives(spec)[p.name][:1]}
    others = {k: v for k, v in alternatives(spec).items()}
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
    rows += _flag_grid(spec, everything, others)
    rows += _shapes(spec, everything)
    calm = list({_key(row): row for row in reversed(rows)}.values())[::-1]
    rows = [*calm, *_strained(spec, calm)]
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


def _flag_grid(
    spec: LossSpec, everything: CaseRow, others: dict[str, list[Any]]
) -> Iterator[CaseRow]:
    """Every combination of flags and choices, with all else away from its default."""
    switches = {p.name: [p.default, *others[p.name]] for p in spec.parameters
                if p.role.kind == "boolean" or p.role.choices}
    if 2 <= len(switches) <= 3:
        for values in itertools.product(*switches.values()):
            chosen = dict(zip(switches, values, strict=True))
            text = ", ".join(f"{k} {v}" for k, v in chosen.items())
            yield replace(everything, name=text, options={**everything.options, **chosen})


def _shapes(spec: LossSpec, everything: CaseRow) -> Iterator[CaseRow]:
    """An input that may broadcast: of full shape, and with fewer dimensions."""
    for tensor, row in zip(spec.tensors, samples(spec), strict=True):
        if tensor.broadcast and row.axes == ("e",):
            given = tuple({*everything.given, *((tensor.name,) if tensor.optional else ())})
            shapes = ((3, 4), (1, 4)) if takes_number(tensor) else ((3, 4), (4,), ())
            for shape in shapes:
                shown = f"{tensor.name} of shape {list(shape)}"
                yield CaseRow(shown, options=everything.options, given=given, shapes={tensor.name: shape})


def _strained(spec: LossSpec, calm: list[CaseRow]) -> Iterator[CaseRow]:
    """Extreme values, and ties where the formula has kinks."""
    switches = {p.name for p in spec.parameters if p.role.kind == "boolean" or p.role.choices}
    switches |= {p.name for p in spec.parameters if _compared(spec, p)}
    chosen = [row for row in calm if not row.options or row.name == "all options"
              or row.options.keys() <= switches]
    kinks = (nodes.Max, nodes.Min, nodes.Abs, nodes.Clip)
    kinked = any(isinstance(x, kinks) or isinstance(x, nodes.Reduce) and x.op in ("amax", "amin")
                 or isinstance(x, nodes.Compare) and not nodes.is_static(x) for x in walk(spec.item))
    extreme = any(row.extremes for row in samples(spec))
    for row in chosen:
        if extreme:
            yield replace(row, name=f"{row.name}, extreme", manner="extreme")
        if kinked:
            yield replace(row, name=f"{row.name}, ties", manner="ties")


def role_of(spec: LossSpec, name: str) -> Role:
    return spec.tensor(name).role


__all__ = ["CaseRow", "SampleRow", "alternatives", "cases", "role_of", "samples", "size_name", "sizes"]
