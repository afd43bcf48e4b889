"""The arguments of a loss: from the annotations of its function to roles, axes and defaults.

smooth: NonNegative = 1.0         Parameter('smooth', NonNegative, 1.0)
input: Logits[n, c, s]            TensorArg('input', Logits, (n, c, s))
weight: Weight[c] = None          TensorArg('weight', Weight, (c,), optional=True)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import sympy as sp

from lossgen.errors import suggest
from lossgen.nodes import Letter, Param, Unknown
from lossgen.roles import ROLES, Annotation, Broadcast, Real, Role
from lossgen.spec.data import Parameter, TensorArg
from lossgen.spec.reserved import RESERVED

# Called with a message, a hint, and the name on whose line the fault lies.
Complain = Callable[[str, str, str], None]

_HINT = "annotate it with a role, such as Logits[n, c] or NonNegative"
_STARRED: dict[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "behind '*'",
    inspect.Parameter.VAR_KEYWORD: "behind '**'",
    inspect.Parameter.POSITIONAL_ONLY: "before '/'",
}
_TENSORS_ONLY = frozenset(
    [
        "Logits",
        "LogProbabilities",
        "Binary",
        "ClassIndex",
        "LabelList",
        "Embedding",
        "Boxes",
        "Mask",
    ]
)


def arguments(
    function: Callable[..., Any], complain: Complain
) -> tuple[list[TensorArg], list[Parameter]]:
    """The tensors and the options of a loss; faulty ones are left out."""
    tensors: list[TensorArg] = []
    parameters: list[Parameter] = []
    for arg in inspect.signature(function).parameters.values():
        name = arg.name
        if name in RESERVED or name.startswith("_"):
            complain(f"argument '{name}' has a name the generated code uses", "rename it", name)
        if wrong := _STARRED.get(arg.kind):
            complain(f"argument '{name}' stands {wrong}", "give each argument a name", name)
            continue
        annotation = _annotation(arg, function, complain)
        if isinstance(annotation, Annotation):
            tensors += _tensor(name, annotation, arg.default, complain)
        elif isinstance(annotation, Role) and annotation.learnable:
            tensors += _tensor(name, Annotation(annotation, ()), arg.default, complain)
        elif isinstance(annotation, Role):
            if arg.kind is not arg.KEYWORD_ONLY and arg.default is arg.empty:
                hint = f"name them: {annotation.name}[n, c]; an option stands after *"
                complain(f"'{name}' has no axes", hint, name)
                continue
            parameters += _parameter(name, annotation, arg.default, complain)
    _check_together(tensors, complain)
    _check_names(tensors, parameters, complain)
    return tensors, parameters


def _annotation(
    arg: inspect.Parameter, function: Callable[..., Any], complain: Complain
) -> Annotation | Role | None:
    annotation = arg.annotation
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, function.__globals__)
            if isinstance(annotation, str):  # the author wrote it as text already
                annotation = eval(annotation, function.__globals__)
        except NameError as error:
            complain(str(error), suggest(error.name or "", ROLES), arg.name)
            return None
        except Exception as error:
            complain(f"the annotation of '{arg.name}' cannot be read: {error}", _HINT, arg.name)
            return None
    if isinstance(annotation, Unknown):
        # Its name was reported; go on as if it were some role.
        return Annotation(Real, annotation.axes) if annotation.axes else Real
    if isinstance(annotation, (Annotation, Role)):
        return annotation
    complain(f"argument '{arg.name}' has no role", _HINT, arg.name)
    return None


def _tensor(name: str, annotation: Annotation, default: Any, complain: Complain) -> list[TensorArg]:
    role = annotation.role
    letters: list[Letter] = []
    for axis in annotation.axes:
        inner = axis.letter if isinstance(axis, Broadcast) else axis
        if isinstance(inner, (int, sp.Integer)) and not isinstance(inner, bool) and inner > 0:
            inner = Letter(str(inner))
        if not isinstance(inner, Letter):
            if not isinstance(inner, Unknown):
                complain(f"'{inner}' is no axis of '{name}'", "an axis is a letter or a size", name)
            return []
        letters.append(inner)
    named = [x for x in letters if not x.name.isdigit()]
    if len(set(named)) < len(named):
        complain(f"'{name}' names an axis twice", "give each axis its own letter", name)
    if sum(x.name in "se" for x in set(named)) > 1:
        hint = "only one of s and e can stand for any number of dimensions"
        complain(f"'{name}' has both axis s and axis e", hint, name)
    if default not in (inspect.Parameter.empty, None):
        complain(f"tensor '{name}' has a default", "only None makes a tensor optional", name)
    broadcast = any(isinstance(axis, Broadcast) for axis in annotation.axes)
    return [TensorArg(name, role, tuple(letters), broadcast, default is None)]


def _parameter(name: str, role: Role, default: Any, complain: Complain) -> list[Parameter]:
    if role.name in _TENSORS_ONLY:
        complain(f"'{name}' has no axes", f"name them: {role.name}[n, c]", name)
        return []
    if default is inspect.Parameter.empty:
        default = None
    else:
        if isinstance(default, sp.Basic) and not isinstance(default, Unknown):
            default = int(default) if default.is_Integer else float(default)
        if not isinstance(default, Unknown) and not role.admits(default):
            hint = "an option without a default is one that the caller must give"
            wrong = "is no number" if isinstance(default, str) else f"is not {role.domain}"
            complain(
                f"the default {default!r} of '{name}' {wrong}",
                hint if default is None else "",
                name,
            )
        elif role.kind == "real" and type(default) is int:
            default = _as_float(name, default, complain)
    return [Parameter(name, role, default, Param(name, **role.assumptions))]


def _as_float(name: str, default: int, complain: Complain) -> float:
    try:
        return float(default)
    except OverflowError:
        complain(f"the default of '{name}' is too large for a float", "", name)
        return 0.0


def _check_names(tensors: list[TensorArg], parameters: list[Parameter], complain: Complain) -> None:
    """The generated backward calls the gradient of ``x`` ``d_x``, and asks ``need_x`` for it."""
    for name in [t.name for t in tensors] + [p.name for p in parameters]:
        if any(name in (f"d_{t.name}", f"need_{t.name}", f"grad_{t.name}") for t in tensors):
            complain(f"argument '{name}' has a name the generated code uses", "rename it", name)


def _check_together(tensors: list[TensorArg], complain: Complain) -> None:
    if not tensors:
        complain("the loss reads no tensor", "annotate an argument, such as input: Real[e]", "")
        return
    required = [t for t in tensors if not t.optional]
    if not required:
        complain("every tensor is optional", "one must always be given", tensors[0].name)
        return
    if not any(t.axes for t in required):
        say = "give one that must be given an axis, such as input: Real[e]"
        complain("no tensor has an axis", say, required[0].name)
        return
    lead = max((t for t in required if not t.broadcast), key=lambda t: len(t.axes), default=None)
    for t in tensors:
        if t.broadcast and lead is None:
            hint = "one tensor must have the whole shape"
            complain(f"'{t.name}' has no tensor to broadcast to", hint, t.name)
        elif t.broadcast and lead is not None and t.axes != lead.axes:
            theirs, mine = (", ".join(map(str, x.axes)) for x in (lead, t))
            complain(
                f"'{t.name}' broadcasts to '{lead.name}', whose axes are [{theirs}], not [{mine}]",
                "name the same axes",
                t.name,
            )
