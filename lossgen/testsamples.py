"""With what a generated test fills the tensors of a loss.

In: a ``LossSpec``.  Out: one ``SampleRow`` per tensor: its shape, no two axes alike, the range of
its values, and the values at which naive code breaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from lossgen import nodes
from lossgen.nodes import Letter, walk
from lossgen.spec import LossSpec, TensorArg
from lossgen.testlengths import measured
from lossgen.testscores import class_dimension
from lossgen.testthresholds import beside_shifts, beside_thresholds

_POOL = (3, 5, 4, 7, 8, 9, 11)

# kind of sample, range of values, and values at which naive code breaks
_FILLED: dict[str, tuple[str, float, float, tuple[float, ...]]] = {
    "Real": ("real", -3, 3, (-32.0, 32.0, 2.0**-10)),
    "Logits": ("real", -3, 3, (-90.0, -40.0, -20.0, 20.0, 40.0, 90.0)),
    "Probabilities": ("real", 0, 1, (0.0, 1.0, 2.0**-20, 1 - 2.0**-20, 2.0**-145)),
    "LogProbabilities": ("real", -3, 0, (0.0, -20.0, -40.0, -(2.0**-20))),
    "Positive": ("real", 0.25, 2.5, (2.0**-10, 64.0)),
    "NonNegative": ("real", 0, 4, (0.0, 64.0)),
    "Weight": ("real", 0.25, 2, (0.0, 16.0)),
    "Embedding": ("rows", -2, 2, (-16.0, 16.0, 2.0**-7)),
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
    measured: bool = False
    classes_at: int | None = None


def sizes(spec: LossSpec) -> dict[str, tuple[int, ...]]:
    """A size for every axis, no two alike; axes of any dimensions get one or two of them."""
    axes = list(dict.fromkeys(axis for t in spec.tensors for axis in t.axes))
    found: dict[str, tuple[int, ...]] = {}
    found |= {axis.name: (int(axis.name),) for axis in axes if axis.name.isdigit()}
    taken = {2, *(s for (s, *_) in found.values())}
    pool = (s for s in _POOL if s not in taken)
    for place, axis in enumerate(axes):
        if axis.name in found:
            continue
        if axis.name in ("e", "s"):
            found[axis.name] = (3, 4) if axis.name == "e" else (6,)
        elif place == 0:
            found[axis.name] = (_batch(spec, axis),)
        else:
            found[axis.name] = (next(s for s in pool if (s,) not in found.values()),)
    return found


def _batch(spec: LossSpec, axis: Letter) -> int:
    """How many samples: several of small ones that take sides, so that each side is taken."""
    small = all(len(t.axes) <= 2 and t.ragged is None for t in spec.tensors)
    if paired(spec, axis):
        return 4
    return 8 if small and kinked(spec) else 2


def kinked(spec: LossSpec) -> bool:
    """Whether the loss takes sides by the values that it gets."""
    kinks = (nodes.Max, nodes.Min, nodes.Abs, nodes.Clip)
    return any(
        isinstance(x, kinks)
        or (isinstance(x, nodes.Reduce) and x.op in ("amax", "amin"))
        or (isinstance(x, nodes.Compare) and not nodes.is_static(x))
        for x in walk(spec.item)
    )


def steep(spec: LossSpec) -> bool:
    """Whether the loss has a root or the like, whose slope is infinite where like things agree."""
    return any(
        isinstance(x, (nodes.Sqrt, nodes.Acos, nodes.Hypot))
        or (isinstance(x, sp.Pow) and x.exp.is_number and 0 < x.exp < 1)
        for x in walk(spec.item)
    )


def protected_exponents(spec: LossSpec) -> frozenset[str]:
    """The tensors in an exponential in one of two branches: it may overflow where not taken."""
    return frozenset(
        read.name
        for choice in walk(spec.item)
        if isinstance(choice, nodes.Where) and not nodes.is_static(choice.args[0])
        for branch in choice.args[1:]
        for grows in walk(branch)
        if isinstance(grows, (nodes.Exp, nodes.Expm1))
        # A logarithm of a probability has no large exponential.
        if not any(isinstance(x, (nodes.Reduce, nodes.Along)) for x in walk(grows.arg))
        for read in walk(grows)
        if isinstance(read, nodes.Read)
    )


def paired(spec: LossSpec, axis: Letter) -> bool:
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
    if kind in ("real", "rows"):
        beside = beside_thresholds(spec, tensor, low, high)
        extremes = (*extremes, *beside, *beside_shifts(spec, tensor))
        if tensor.name in protected_exponents(spec):
            extremes = (*extremes, -750.0, 750.0)  # beyond the exponential's range
    shape = tuple(s for axis in tensor.axes for s in size[axis.name])
    if tensor.broadcast and shape:
        shape = (*shape[:-1], 1)
    axes = tuple(axis.name for axis in tensor.axes)
    classes, marked = 0, ""
    if tensor.role.kind == "integer":
        axis = indexed_axis(spec, tensor)
        # Labels that are only compared with one another: two kinds, so that some are shared.
        classes, marked = size[axis][0] if axis else 2, marker(spec, tensor)
        if kind == "index" and not axis and len(shape) == 1 and not marked:
            kind = "groups"
    return SampleRow(
        tensor.name,
        kind,
        axes,
        shape,
        low,
        high,
        extremes,
        classes,
        marked,
        tensor.optional,
        tensor.broadcast,
        tensor.name in measured(spec),
        class_dimension(spec, tensor),
    )


def indexed_axis(spec: LossSpec, tensor: TensorArg) -> str:
    """The axis whose positions an index tensor holds: it is read there, or compared with it."""
    exprs = sp.Tuple(spec.item, *((spec.over,) if spec.over is not None else ()))
    axes = {t.name: t.axes for t in spec.tensors}
    for node in walk(exprs):
        if isinstance(node, nodes.Read):
            for place, axis in zip(node.subscripts, axes[node.name], strict=True):
                if any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(place)):
                    return str(axis.name)
        elif isinstance(node, nodes.Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                named = any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(side))
                if named and isinstance(other, Letter):
                    return str(spec.axes[other].name)
        elif isinstance(node, nodes.Along):
            if any(
                isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(node.position)
            ):
                return str(spec.axes[node.letter].name)
        elif isinstance(node, nodes.Let):
            for param, arg in zip(node.params, node.at, strict=True):
                if any(isinstance(x, nodes.Read) and x.name == tensor.name for x in walk(arg)):
                    return str(spec.axes[param].name)
    return ""


def fewest(spec: LossSpec) -> int:
    """The fewest elements of an axis for which the formula exists: 2 for ``1/(size(c) - 1)``."""
    least = 1
    for node in walk(spec.item):
        if isinstance(node, sp.Add) and any(isinstance(x, nodes.Size) for x in node.args):
            taken = next((-x for x in node.args if x.is_Integer and x < 0), 0)
            least = max(least, int(taken) + 1)
    return least


def marker(spec: LossSpec, tensor: TensorArg) -> str:
    """The parameter that an index is compared with (``ignore_index``)."""
    for node in walk(spec.item):
        if isinstance(node, nodes.Compare) and isinstance(node.left, nodes.Read):
            name, other = node.left.name, node.right
            if name == tensor.name and isinstance(other, nodes.Param):
                return str(other.name)
    return ""


def emptied(spec: LossSpec) -> str:
    """The axis that is emptied, where it is not the batch: no label stands for one of none."""
    labels = [t for t in spec.tensors if t.role.kind == "integer"]
    held = {indexed_axis(spec, t) for t in labels}
    batch, *others = dict.fromkeys(t.axes[0].name for t in spec.tensors if t.axes)
    return next((x for x in others if x not in held), "") if batch in held else ""
