"""What a generated function must refuse, for its test.

In: a ``LossSpec``.  Out: option settings outside their domain and at its ends, the dtypes that a
tensor does not take, and the dimensions that must fit another tensor's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lossgen.spec import LossSpec, Parameter, TensorArg

# Roles that counts, flags and labels are often stored for: integers and booleans are accepted.
_COUNTED = frozenset(("Binary", "Probabilities", "Sign", "NonNegative", "Weight"))


def outside(parameter: Parameter) -> Iterator[tuple[str, Any]]:
    """Settings that a parameter does not take: just beyond each end of its domain."""
    role = parameter.role
    if role.choices:
        yield parameter.name, max(role.choices) + 1
        return
    if role.kind != "real":
        return
    if role.lower is not None:
        yield parameter.name, role.lower - 0.25
        if role.open_lower:
            yield parameter.name, role.lower
    if role.upper is not None:
        yield parameter.name, role.upper + 0.25


def inside(parameter: Parameter) -> Iterator[tuple[str, Any]]:
    """The ends of its domain, where they belong to it, and the choices."""
    role = parameter.role
    for setting in role.choices:
        yield parameter.name, setting
    if role.kind == "real" and not role.choices:
        if role.lower is not None:
            yield parameter.name, 2.0**-10 if role.open_lower else role.lower
        if role.upper is not None:
            yield parameter.name, role.upper


def leading(spec: LossSpec) -> TensorArg:
    """The tensor whose shape the others follow: the first of the highest rank."""
    required = [t for t in spec.tensors if not t.optional and not t.broadcast]
    return max(required, key=lambda t: len(t.axes))


def counted(spec: LossSpec) -> frozenset[str]:
    """The tensors of floats that may also come as integers.

    One is never among them: it says what the result is.  That is the leading one, unless it holds
    labels or a mask.
    """
    real = [t for t in spec.tensors if t.role.kind == "real"]
    given = [t for t in real if not t.optional]
    first = leading(spec)
    if first not in given and given:
        first = max(given, key=lambda t: (t.role.name not in _COUNTED, len(t.axes)))
    named = [t for t in real if t.role.name in _COUNTED]
    named += [t for t in real if t.role.name == "Real" and t.name == "target"]
    return frozenset(t.name for t in named if t != first)


def takes_number(tensor: TensorArg) -> bool:
    """Whether a Python number is accepted in place of a tensor."""
    return tensor.broadcast and not tensor.optional and tensor.role.name == "Positive"


def refused_numbers(tensor: TensorArg) -> tuple[float, ...]:
    """Numbers outside the domain of such a tensor."""
    return (-1.0, 0.0) if tensor.role.open_lower else (-1.0,)


def rigid(spec: LossSpec, *, optional: bool) -> Iterator[tuple[str, int | None]]:
    """Dimensions whose size another tensor or the spec fixes, and (name, None) for a fixed rank.

    Dimensions behind an axis of any dimensions count from the end.  ``optional`` says whether the
    optional tensors are given.
    """
    present = [t for t in spec.tensors if optional or not t.optional]
    for tensor in present:
        others = {a for t in present if t.name != tensor.name and not t.broadcast for a in t.axes}
        if tensor.broadcast:
            yield tensor.name, 0
            yield tensor.name, None
            continue
        tied = False
        for place, axis in enumerate(tensor.axes):
            fixed = axis.name.isdigit() or axis in others
            tied |= axis in others and axis.name in "se"
            if fixed and not (place == tensor.ragged and axis.name == "e"):
                behind = tensor.ragged is not None and place > tensor.ragged
                yield tensor.name, place - len(tensor.axes) if behind else place
            elif fixed:
                yield tensor.name, 0
        if tensor.ragged is None or tied:
            yield tensor.name, None


def labels_of_rows(spec: LossSpec) -> TensorArg | None:
    """The labels of a loss over rows of scores: a lone row's label may be of shape [1]."""
    if not spec.unbatched or leading(spec).ragged is not None:
        return None
    return next((t for t in spec.tensors if t.role.kind == "integer"), None)
