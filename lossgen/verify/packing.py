"""Arguments that hold tensors inside them: dictionaries, tuples, what models give back.

In: a way to a tensor, as ``--map`` says it or as the code reads it.  Out: the argument with the way
inside; and the other way round, an argument made of its tensors, as an object and as text.

    outputs.logits, batch["target"], output[0]

Refused is a way that is none, and a tensor that would have to hold another.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from lossgen.errors import LossgenError
from lossgen.verify.target import Argument, Target


@dataclass(frozen=True, slots=True)
class Attribute:
    """A step to an attribute; a step to a key is text, to a place a number."""

    name: str


_PARAMETER = re.compile(r"self\.(\w+)(?:\s*:[^=\n]+)?\s*=\s*(?:torch\.)?(?:nn\.)?Parameter\(")
Step = Attribute | str | int
_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\[(\d+)\]|\[["']?([^\[\]"']+)["']?\]""")


def within(text: str) -> tuple[str, tuple[Step, ...]]:
    """The argument that ``outputs.logits`` names, and the way inside it.

    Raises:
        LossgenError: where what follows the name is no way.
    """
    name = re.match(r"\w*", text)
    assert name is not None
    place, steps = name.end(), list[Step]()
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            raise LossgenError(
                f"'{text}' does not say where a tensor lies. Write batch[target], output[0] or "
                "outputs.logits."
            )
        attribute, index, key = found.groups()
        steps.append(Attribute(attribute) if attribute else int(index) if index else key)
        place = found.end()
    return name.group(), tuple(steps)


def inside(argument: Argument, steps: Sequence[Step]) -> Argument:
    """The part of an argument that lies at the end of a way."""
    shown = "".join(
        f".{s.name}" if isinstance(s, Attribute) else f"[{s}]" if isinstance(s, int) else f'["{s}"]'
        for s in steps
    )
    return replace(argument, name=f"{argument.name}{shown}", holder=argument.name, steps=(*steps,))


def last_name(argument: Argument) -> str:
    """What a tensor is called: the argument, or the last name on the way inside it."""
    steps = [s for s in argument.steps if not isinstance(s, int)]
    last = steps[-1] if steps else argument.holder or argument.name
    return last.name if isinstance(last, Attribute) else last


# --- what code reads ----------------------------------------------------------------------------


def opened(
    function: Any, arguments: Sequence[Argument], wanted: int, shut: frozenset[str] = frozenset()
) -> tuple[Argument, ...]:
    """The arguments, in place of which stand their parts where code reads nothing else of them.

    By place (``a, b = batch``, ``batch[0]``) only where there are fewer than ``wanted`` arguments:
    so are tensors read, too. What is ``shut`` stays.
    """
    reads = {name: ways for name, ways in _reads(function).items() if name not in shut}
    required = [a for a in arguments if a.stage == "call" and a.required]
    found: list[Argument] = []
    for argument in arguments:
        ways = reads.get(argument.name, ()) if argument in required else ()
        places = any(isinstance(way, int) for way in ways)
        if not ways or None in ways or (places and (len(required) >= wanted or len(ways) < 2)):
            found.append(argument)
        else:
            found += [inside(argument, (way,)) for way in ways if way is not None]
    return tuple(found)


def _reads(function: Any) -> dict[str, tuple[Step | None, ...]]:
    """Of each name in a function the steps that are read from it; None for the name itself."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return {}
    found: dict[str, dict[Step | None, None]] = {}
    plain = {x for x in ast.walk(tree) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Load)}
    for node in ast.walk(tree):
        for name, steps in _step(node):
            plain.discard(name)
            found.setdefault(name.id, {}).update(dict.fromkeys(steps))
    for name in plain:
        found.setdefault(name.id, {})[None] = None
    return {name: tuple(steps) for name, steps in found.items()}


def _step(node: ast.AST) -> Iterator[tuple[ast.Name, list[Step]]]:
    """A name that a node takes a step from, or several."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if not hasattr(Tensor, node.attr):
            yield node.value, [Attribute(node.attr)]
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        at = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(at, (str, int)) and not isinstance(at, bool):
            yield node.value, [at]
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
        (to,) = node.targets[:1]
        if isinstance(to, ast.Tuple) and all(isinstance(x, ast.Name) for x in to.elts):
            yield node.value, [*range(len(to.elts))]


def learnt(target: Target) -> tuple[Argument, ...]:
    """The parameters that instances of a class have, as its constructors say it."""
    names: dict[str, None] = {}
    for one in reversed(target.object.__mro__ if target.kind == "class" else ()):
        if one.__module__.split(".")[0] not in ("builtins", "torch"):
            with suppress(OSError, TypeError):
                names |= dict.fromkeys(_PARAMETER.findall(inspect.getsource(one)))
    return tuple(Argument(name, "held", False, False) for name in names)


# --- what code is given -------------------------------------------------------------------------


def whole(
    taken: Mapping[str, Argument], given: Mapping[str, Any], pack: Callable[[Any], Any]
) -> Iterator[tuple[Argument, Any]]:
    """The code's arguments with what they are given, parts joined by ``pack``."""
    parts: dict[str, dict[tuple[Step, ...], Any]] = {}
    for name, value in given.items():
        parts.setdefault(taken[name].holder, {})[taken[name].steps] = value
    for name, value in given.items():
        argument = taken[name]
        if not argument.holder:
            yield argument, value
        elif argument.holder in parts:
            whole_of = replace(argument, name=argument.holder, holder="", steps=())
            yield whole_of, pack(parts.pop(argument.holder))


def packed(parts: Mapping[tuple[Step, ...], Any]) -> Any:
    """What holds tensors at the ends of these ways.

    Raises:
        LossgenError: where one would have to hold another.
    """
    groups = _grouped(parts)
    if groups is None:
        return next(iter(parts.values()))
    made = {step: packed(rest) for step, rest in groups.items()}
    if all(isinstance(step, Attribute) for step in made):
        return SimpleNamespace(**{step.name: x for step, x in made.items()})  # type: ignore[union-attr]
    if all(isinstance(step, int) for step in made):
        return tuple(made.get(k) for k in range(1 + max(map(int, made))))  # type: ignore[arg-type]
    return {step.name if isinstance(step, Attribute) else step: x for step, x in made.items()}


def packed_text(parts: Mapping[tuple[Step, ...], str]) -> str:
    """The same as Python."""
    groups = _grouped(parts)
    if groups is None:
        return next(iter(parts.values()))
    made = {step: packed_text(rest) for step, rest in groups.items()}
    if all(isinstance(step, Attribute) for step in made):
        inner = ", ".join(f"{step.name}={x}" for step, x in made.items())  # type: ignore[union-attr]
        return f"types.SimpleNamespace({inner})"
    if all(isinstance(step, int) for step in made):
        items = [made.get(k, "None") for k in range(1 + max(map(int, made)))]  # type: ignore[arg-type]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    keys = {s.name if isinstance(s, Attribute) else s: x for s, x in made.items()}
    return f"{{{', '.join(f'{key!r}: {x}' for key, x in keys.items())}}}"


def _grouped(
    parts: Mapping[tuple[Step, ...], Any],
) -> dict[Step, dict[tuple[Step, ...], Any]] | None:
    """The parts by their first step; None for a tensor itself."""
    if () in parts:
        if len(parts) > 1:
            raise LossgenError("An argument is mapped both as a tensor and as what holds tensors.")
        return None
    groups: dict[Step, dict[tuple[Step, ...], Any]] = {}
    for way, part in parts.items():
        groups.setdefault(way[0], {})[way[1:]] = part
    return groups
