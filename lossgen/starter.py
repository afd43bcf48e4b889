"""From a name, or a formula on the command line, to the text of a new spec.

In: a name; for ``--expr`` also the options as typed. Out: formatted Python in LossGen's language.
The words come from ``templates/spec_*.py.jinja``; a project's own template folders go first.
"""

import keyword
import math
from collections.abc import Sequence
from pathlib import Path

from lossgen.errors import LossgenError, suggest
from lossgen.formatting import format_sources
from lossgen.mathtext import FUNCTIONS, parse_formula

TENSOR_ROLES = (
    *("Real", "Logits", "Probabilities", "LogProbabilities"),
    *("Positive", "NonNegative", "Binary", "Sign"),
)
PARAMETER_ROLES = ("Real", "Positive", "NonNegative")

_TAKEN = frozenset({"e", "loss", "pi", "reduction", "size_average", "reduce", "self", *FUNCTIONS})


def starter_spec(name: str, templates: Sequence[Path] = ()) -> str:
    """Return a complete small loss called `name`, with comments on how to make it another."""
    return _rendered("spec_starter.py.jinja", templates, name)


def formula_spec(
    name: str,
    text: str,
    tensors: Sequence[str] = (),
    parameters: Sequence[str] = (),
    templates: Sequence[Path] = (),
    *,
    formatted: bool = True,
) -> str:
    """Return the spec of a formula given as text.

    Args:
        name: of the loss.
        text: of ``--expr``.
        tensors: each ``NAME:ROLE``, as of ``--tensor``.
        parameters: each ``NAME=VALUE`` or ``NAME:ROLE=VALUE``, as of ``--param``.
        templates: folders searched before the shipped one.
        formatted: whether a person will read it; formatting takes a process of its own.

    Raises:
        LossgenError: for anything that is not understood.
    """
    given = dict(map(_tensor, tensors))
    roles = {"input": "Real", "target": "Real"} | given
    options: dict[str, tuple[str, str]] = {}
    for typed in parameters:
        key, role, default = _parameter(typed)
        if key in options:
            raise LossgenError(f"--param {key} is given twice.")
        if key in roles:
            raise LossgenError(f"--param {key}: '{key}' is a tensor. Choose another name.")
        options[key] = role, default
    formula = parse_formula(text, roles, options)
    read = {tensor for tensor, _ in formula.tensors}
    for tensor in given:
        if tensor not in read:
            hint = suggest(tensor, read) or "Leave it out, or use it in --expr."
            raise LossgenError(f"--tensor {tensor}: the formula does not read it. {hint}")
    if name in {*formula.words, *roles, *options}:
        raise LossgenError(f"The formula uses '{name}', so the loss needs another name.")
    arguments = [f"{tensor}: {role}[e]" for tensor, role in formula.tensors]
    if formula.parameters:
        arguments.append("*")
        arguments += [f"{key}: {role} = {value}" for key, role, value in formula.parameters]
    return _rendered(
        "spec_formula.py.jinja",
        templates,
        name,
        title=name.replace("_", " ").capitalize(),
        arguments=arguments,
        formula=formula,
        formatted=formatted,
    )


def _tensor(text: str) -> tuple[str, str]:
    key, _, role = text.partition(":")
    return _name("--tensor", key), _role("--tensor", key, role or "Real", TENSOR_ROLES)


def _parameter(text: str) -> tuple[str, str, str]:
    head, equals, value = text.partition("=")
    key, _, role = head.partition(":")
    key, role = key.strip(), role.strip()
    if not equals:
        raise LossgenError(f"--param {text}: a default is missing. Write --param {text}=1.0")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise LossgenError(f"--param {key}: '{value}' is not a finite number, such as 1e-3.")
    if not role:
        role = "Positive" if number > 0 else "NonNegative" if number == 0 else "Real"
    role = _role("--param", key, role, PARAMETER_ROLES)
    if (role == "Positive" and number <= 0) or (role == "NonNegative" and number < 0):
        raise LossgenError(f"--param {key}: the default {value} is outside its role {role}.")
    return _name("--param", key), role, repr(number)


def _name(option: str, name: str) -> str:
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name) or name[0] == "_":
        raise LossgenError(f"{option}: {name!r} is no name. Use letters, digits and '_'.")
    if name in _TAKEN:
        raise LossgenError(f"{option}: '{name}' means something else here. Choose another name.")
    return name


def _role(option: str, name: str, role: str, allowed: Sequence[str]) -> str:
    if role in allowed:
        return role
    hint = suggest(role, allowed) or f"There are {', '.join(allowed)}."
    raise LossgenError(f"{option} {name}: there is no role '{role}'. {hint}")


def _rendered(
    template: str, folders: Sequence[Path], name: str, *, formatted: bool = True, **values: object
) -> str:
    from lossgen.render import filled

    text = filled(template, folders, name=name, **values)
    return format_sources({f"{name}.py": text})[f"{name}.py"] if formatted else text
