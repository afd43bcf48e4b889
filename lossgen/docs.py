"""The docstrings of a generated module: summary, formula, arguments, conventions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lossgen.page import Argument
from lossgen.spec import LossSpec, TensorArg

if TYPE_CHECKING:
    from lossgen.compiled import Compiled


def argument_note(t: TensorArg) -> str:
    """Shape and domain of a tensor argument."""
    from lossgen.backends.torch_checks import shape_text

    shape = shape_text(t.axes) if t.axes else "0-dimensional"
    return f"{shape}, {t.role.domain}"


def module_doc(spec: LossSpec) -> tuple[str, ...]:
    """The module's docstring."""
    return (spec.summary,)


def plain_doc(spec: LossSpec, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The plain function's docstring."""
    return (spec.summary, "", "The formula itself, differentiated by autograd.")


def functional_doc(compiled: Compiled, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The functional form's docstring: value and gradient as mathematics, with shapes."""
    from lossgen.mathdoc import formula_lines, gradient_lines

    spec = compiled.spec
    out = [spec.summary, ""]
    if spec.description:
        out += [*spec.description.split("\nArgs:")[0].strip().splitlines(), ""]
    out += [".. math::", *(f"    {x}" for x in formula_lines(compiled)), ""]
    out += ["The gradient, in closed form:", "", ".. math::", *(f"    {x}" for x in gradient_lines(compiled)), ""]
    out.append("Args:")
    notes = argument_notes(spec)
    for a in arguments:
        note = notes.get(a.name, "")
        text = f"{a.note}{'; ' + note if note and a.note else note}".strip()
        out.append(f"    {a.name}: {text.rstrip('.')}.")
    if spec.reference:
        out += ["", "References:", f"    {spec.reference}"]
    return tuple(out)


def class_doc(spec: LossSpec, arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The class's docstring."""
    return (f"{spec.summary}", "", f"The arguments are those of :func:`{spec.functional_name}`.")


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
