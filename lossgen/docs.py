"""The docstrings of a generated module: summary, formula, arguments, conventions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lossgen.page import Argument
from lossgen.spec import LossSpec, TensorArg

if TYPE_CHECKING:
    from lossgen.compiled import Compiled
    from lossgen.mathdoc import Mathematics

WIDTH = 84  # of prose, inside the four columns that a docstring is indented by
MATH_WIDTH = 92  # LaTeX cannot be broken as freely as prose

_COMPILE = "Under ``torch.compile`` there are first derivatives only."


def argument_note(t: TensorArg) -> str:
    """Shape and domain of a tensor argument."""
    from lossgen.backends.layout import shape_text

    shape = shape_text(t.axes) if t.axes else "0-dimensional"
    return f"{shape}, {t.role.domain}"


def module_doc(spec: LossSpec) -> tuple[str, ...]:
    """The module's docstring: what it is, and its three forms."""
    forms = {
        spec.function_name: "the formula in a few lines, differentiated by autograd.",
        spec.functional_name: "every option and reduction, with a closed-form backward.",
        spec.class_name: "the same as a module.",
    }
    lines = [x for name, text in forms.items() for x in _prose(f"- ``{name}``: {text}", "  ")]
    return (spec.summary, "", *lines)


def plain_doc(spec: LossSpec, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The plain function's docstring."""
    result = {
        "sum": "the sum over all items",
        "none": "one value for each item",
        "mean": "the mean over all items",
    }[spec.default_reduction]
    if spec.over is not None and spec.default_reduction == "mean":
        result = "the sum over all items, divided by the sum of their weights"
    return (
        spec.summary,
        "",
        *_prose(f"The formula itself, differentiated by autograd. Returns {result}."),
    )


def functional_doc(compiled: Compiled, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The functional form's docstring: value and gradient as mathematics, with shapes."""
    from lossgen.mathdoc import mathematics
    from lossgen.mathdoc.kinks import singular_points

    spec, other = compiled.spec, compiled.floating
    out = [spec.summary, *_description(spec), "", *_mathematics(mathematics(compiled))]
    if other is not None:
        out += ["", "For a floating-point ``target``:", "", *_mathematics(mathematics(other))]
    out += ["", "Args:", *_arguments(spec, arguments), "", "Returns:", *_indented(_returns(spec))]
    old = "".join(f", or ``{x}`` is given" for x in spec.refused)
    out += ["", "Raises:", *_indented(f"TypeError: a dtype is not accepted{old}.", "    ")]
    out += _indented("ValueError: a shape, a device or an option is not accepted.")
    said = [*singular_points(compiled), *_conventions(spec), _COMPILE]
    out += ["", "Note:", *_indented(" ".join(said))]
    if spec.reference:
        out += ["", "References:", *_indented(f"{spec.reference}.")]
    return tuple(out)


def class_doc(spec: LossSpec, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The class's docstring: what it is built with, and the shapes it takes."""
    out = [
        spec.summary,
        "",
        *_prose(f"The formula and its gradient are at :func:`{spec.functional_name}`."),
    ]
    out += ["", "Args:", *_arguments(spec, arguments)]
    built = {a.name for a in arguments}
    shapes = [f"- {t.name}: {_shape(t)}" for t in spec.tensors if t.name not in built]
    scalar = "" if spec.default_reduction == "none" else "a scalar; "
    whole = f'- output: {scalar}with ``reduction="none"`` {_tuple(_item_axes(spec))}.'
    out += ["", "Shape:", *(line for text in (*shapes, whole) for line in _indented(text, "  "))]
    return tuple(out)


# --- mathematics --------------------------------------------------------------------------------


def _mathematics(maths: Mathematics) -> list[str]:
    """Value, gradient and what their symbols stand for."""
    from lossgen.mathdoc.equations import layout

    out = [".. math::", *(f"    {x}" for x in layout(maths.value, MATH_WIDTH))]
    named = _listing(f":math:`{symbol}` is ``{name}``" for symbol, name in maths.symbols)
    said = [f"Here {named}."] if named else []
    if said or maths.value_notes:
        out += ["", *_prose(" ".join((*said, *maths.value_notes)))]
    out += ["", *_prose(gradient_intro(maths)), ""]
    out += [".. math::", *(f"    {x}" for x in layout(maths.gradient, MATH_WIDTH))]
    if maths.gradient_notes:
        out += ["", *_prose(" ".join(maths.gradient_notes))]
    return out


def gradient_intro(maths: Mathematics) -> str:
    """What the bars of the gradient's equations stand for."""
    text = "".join(e.text for e in maths.gradient)
    out = (
        "The gradient in closed form, where a bar marks the derivative of the reduced loss "
        ":math:`L`, as in :math:`\\bar{\\ell} = \\partial L / \\partial \\ell`"
    )
    if "\\bar{D}" in text:
        out += ", and :math:`\\bar{D}` is that with respect to the terms of the mean's divisor"
    if "^{(" in text:
        out += "; a superscript names the part that a share of it comes through"
    return f"{out}."


# --- arguments ----------------------------------------------------------------------------------


def _arguments(spec: LossSpec, arguments: Sequence[Argument]) -> list[str]:
    notes = argument_notes(spec)
    tensors = {t.name: t for t in spec.tensors}
    out: list[str] = []
    for a in arguments:
        sentences = [a.note]
        note = notes.get(a.name, "")
        if a.name in tensors:
            sentences += _tensor_sentences(spec, tensors[a.name])
        elif a.note and note.rstrip(".").endswith(a.note):
            # The spec's own words already say the domain.
            sentences = []
        text = " ".join(map(_sentence, filter(None, (*sentences, note))))
        if a.default and a.default != "None":
            text += (
                f" Default: {f'``{a.default}``' if a.default.startswith(chr(34)) else a.default}."
            )
        out += _indented(f"{a.name}: {text}", "    ")
    return out


def _tensor_sentences(spec: LossSpec, t: TensorArg) -> list[str]:
    out: list[str] = []
    if t.broadcast:
        out.append("it broadcasts to the shape of the loss")
    sample = max(
        (x.axes for x in spec.tensors if not x.optional and not x.broadcast), key=len, default=()
    )[:1]
    if spec.unbatched and not t.broadcast and t.axes[:1] == sample:
        out.append("the first axis may be missing")
    if t.optional:
        without = {"real": "it counts as 1", "boolean": "every element counts"}.get(t.role.kind)
        neutral = t.role.neutral is not None and without
        out.append(f"without it, {without}" if neutral else "may be left out")
    return out


def argument_notes(spec: LossSpec) -> dict[str, str]:
    """What the spec's own ``Args:`` section says of each argument."""
    _, _, section = spec.description.partition("Args:")
    notes: dict[str, str] = {}
    current = ""
    for line in section.splitlines():
        name, colon, text = line.strip().partition(": ")
        if colon and name.isidentifier():
            current, notes[name] = name, text
        elif current and line.strip():
            notes[current] += f" {line.strip()}"
    return notes


# --- results and conventions --------------------------------------------------------------------


def _item_axes(spec: LossSpec) -> list[str]:
    from lossgen.lower import item_letters

    return [spec.axes[x].name for x in item_letters(spec)]


def _returns(spec: LossSpec) -> str:
    letters = _item_axes(spec)
    shape = (
        "a scalar, as there is one item"
        if not letters
        else f"shape [{', '.join(map(_axis, letters))}]"
    )
    shape = (
        "the shape of ``input``"
        if letters == ["e"] and any(t.name == "input" for t in spec.tensors)
        else shape
    )
    dtype = "Its dtype is that of the inputs, promoted; under autocast, float32."
    return f'A scalar; with ``reduction="none"`` {shape}. {dtype}'


def _axis(name: str) -> str:
    return "*" if name == "e" else f"*{name.upper()}" if name == "s" else name.upper()


def _conventions(spec: LossSpec) -> list[str]:
    out: list[str] = []
    ragged = [t for t in spec.tensors if t.ragged is not None and t.axes[t.ragged].name == "s"]
    if ragged:
        out.append("``*S`` stands for any number of dimensions, also none.")
    out.append(
        "No values are read to check them: outside their domain the result is NaN or meaningless."
    )
    return out


def _shape(t: TensorArg) -> str:
    missing = ", may be missing" if t.optional else ""
    return f"{_tuple(a.name for a in t.axes)}{missing}."


def _tuple(axes: Iterable[str]) -> str:
    """Axes in torch's words: ``(N, C, *)``, the star for any number of dimensions."""
    names = ["*" if x in ("s", "e") else x.upper() for x in axes]
    if not names:
        return "a scalar"
    body = ", ".join(names) + ("," if len(names) == 1 and names[0] != "*" else "")
    return f":math:`({body})`"


# --- prose --------------------------------------------------------------------------------------


def _description(spec: LossSpec) -> list[str]:
    paragraphs = spec.description.split("Args:")[0].strip().split("\n\n")
    return [
        line
        for text in paragraphs
        if text.strip()
        for line in ("", *_prose(" ".join(text.split())))
    ]


def _prose(text: str, hang: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )


def _indented(text: str, hang: str = "") -> list[str]:
    """A paragraph four columns in, its further lines by ``hang`` more."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="    ",
        subsequent_indent=f"    {hang}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sentence(text: str) -> str:
    """A note as a sentence: its first letter large, one period at its end."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _listing(parts: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last
