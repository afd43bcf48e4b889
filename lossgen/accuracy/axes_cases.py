"""The cases of a loss over an axis: rows of many sizes, ordinary, confident, tied, extreme.

In: a spec, a setting, a format, a seed. Out: ``Case``s. Each axis in turn is long (up to 1000
positions, fewer where positions are compared in pairs), then everything is of size 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.accuracy import kinks
from lossgen.accuracy.cases import Case, Filled, present
from lossgen.accuracy.formats import FLOAT32, Format
from lossgen.accuracy.points import by_ordinal, extremes, inside, ordinary
from lossgen.accuracy.settings import Setting
from lossgen.spec import LossSpec, TensorArg
from lossgen.subscripts import result_letters
from lossgen.testsamples import indexed_axis

_LONG = (1000, 100, 10)
PATTERNS = (
    "ordinary",
    "confident",
    "ordinal",
    "tied",
    "one extreme",
    "extremes",
    "tiny",
    "large",
    "zero",
    "wide",
)


def cases(
    spec: LossSpec, setting: Setting, form: Format, seed: int, rounds: int, longest: int
) -> Iterator[Case]:
    """Every pattern at small sizes `rounds` times, some on axes up to `longest`, all of size 1."""
    random_ = random.Random(f"{seed} {spec.name} {setting} {form.name}")
    # Two that are sure of the same class: what is left of a divergence is small.
    agreed = ("agreed",) if sum(t.role.name == "Logits" for t in spec.tensors) > 1 else ()
    for _ in range(rounds):
        for pattern in (*PATTERNS, "confident", "confident", *agreed):
            yield one(spec, setting, form, random_, _small(spec, random_), pattern)
    for _ in range(2 * rounds):
        ordinary_ = one(spec, setting, form, random_, _small(spec, random_), "ordinary")
        yield from kinks.on_kinks(ordinary_, form, random_)
    for sizes in _large(spec, longest):
        for pattern in ("ordinary", "confident"):
            yield one(spec, setting, form, random_, sizes, pattern)
    for pattern in PATTERNS:
        yield one(spec, setting, form, random_, dict.fromkeys(_letters(spec), 1), pattern)
    if any(t.role.kind != "real" for t in present(spec, setting)):
        yield one(spec, setting, form, random_, _small(spec, random_), "all left out")


def empty(spec: LossSpec, setting: Setting) -> Case:
    """A case without items: the first axis of the result has no positions."""
    letters = result_letters(spec)
    none = spec.axes[letters[0]].name if letters else ""
    sizes = {name: 0 if name == none else 2 for name in _letters(spec)}
    return one(spec, setting, FLOAT32, random.Random(0), sizes, "ordinary")


def _letters(spec: LossSpec) -> list[str]:
    axes = (axis.name for t in spec.tensors for axis in t.axes)
    return [x for x in dict.fromkeys(axes) if not x.isdigit()]


def _reduced(spec: LossSpec) -> set[str]:
    """The axes that the loss reduces over or compares along."""
    found = set()
    for node in nodes.walk(sp.Tuple(spec.item)):
        if isinstance(node, nodes.Reduce):
            found |= {spec.axes[x].name for x in node.bound}
        elif isinstance(node, nodes.Along):
            found.add(spec.axes[node.letter].name)
    return found or set(_letters(spec))


def _small(spec: LossSpec, random_: random.Random) -> dict[str, int]:
    reduced, paired = _reduced(spec), _paired(spec)
    few = {x: random_.choice((2, 3, 5)) for x in _letters(spec)}
    return {
        x: (random_.choice((3, 4, 6)) if x in paired else size if x in reduced else min(size, 2))
        for x, size in few.items()
    }


def _paired(spec: LossSpec) -> set[str]:
    """The axes that several letters run over: their positions meet in pairs."""
    used = {
        x
        for node in nodes.walk(sp.Tuple(spec.item))
        if isinstance(node, nodes.Reduce)
        for x in node.bound
    }
    used |= set(result_letters(spec))
    names = [spec.axes[x].name for x in used]
    return {x for x in names if names.count(x) > 1}


def _large(spec: LossSpec, most: int) -> Iterator[dict[str, int]]:
    """Sizes with one long axis each; where positions meet in pairs the work grows as squares do."""
    paired = _paired(spec)
    for axis in sorted(_reduced(spec)):
        for length in (20,) if axis in paired else _LONG:
            sizes = {x: (3 if x in paired else 2 if x == "c" else 1) for x in _letters(spec)}
            if length <= (most // 4 if paired else most):
                yield {**sizes, axis: length}


def one(
    spec: LossSpec,
    setting: Setting,
    form: Format,
    random_: random.Random,
    sizes: dict[str, int],
    pattern: str,
) -> Case:
    """One case of a pattern."""
    tensors = {}
    for tensor in present(spec, setting):
        shape = tuple(int(a.name) if a.name.isdigit() else sizes[a.name] for a in tensor.axes)
        flat = _filled(spec, tensor, form, random_, sizes, shape, pattern)
        tensors[tensor.name] = Filled(tuple(flat), shape)
    if pattern in ("confident", "agreed"):
        seed = random_.random() if pattern == "agreed" else None
        for tensor in spec.tensors:
            draw = random_ if seed is None else random.Random(seed)
            if tensor.role.name in ("Logits", "LogProbabilities") and tensor.name in tensors:
                tensors[tensor.name] = _confident(tensor, tensors[tensor.name], form, draw)
    label = f"{pattern}, " + " ".join(f"{k.upper()}={v}" for k, v in sizes.items())
    return Case(spec, setting, tensors, sizes, (label,))


def _filled(
    spec: LossSpec,
    tensor: TensorArg,
    form: Format,
    random_: random.Random,
    sizes: Mapping[str, int],
    shape: tuple[int, ...],
    pattern: str,
) -> list[Any]:
    count, role = math.prod(shape), tensor.role
    if role.kind == "boolean":
        return [pattern != "all left out" and random_.random() < 0.7 for _ in range(count)]
    if role.kind == "integer":
        return _indices(spec, tensor, random_, sizes, shape, pattern)
    if not tensor.axes:  # a learnable number, such as a logarithm of a scale
        return [inside(random_.choice((0.0, 1.0, 2.5, -1.5)), role, form)]
    if role.name in ("Probabilities", "Binary", "Weight", "Sign") and pattern != "ordinal":
        return _targets(tensor, form, random_, shape)
    plain = partial(ordinary, role, form, random_)
    ends = extremes(role, form)
    match pattern:
        case "ordinal":
            return [by_ordinal(role, form, random_) for _ in range(count)]
        case "tied":
            number = plain()
            return [number] * count
        case "one extreme":
            found = [plain() for _ in range(count)]
            found[random_.randrange(count)] = random_.choice(ends)
            return found
        case "extremes":
            return [random_.choice(ends) for _ in range(count)]
        case "zero":
            zeros = [inside(0.0, role, form)] * count
            if random_.random() < 0.5 and count > 1:
                zeros[random_.randrange(count)] = plain()
            return zeros
        case "tiny" | "large" | "wide":
            scales = {"tiny": (1e-4, form.tiny * 8), "large": (1e4, form.largest**0.6)}
            scale = random_.choice(scales.get(pattern, (30.0,)))
            return [inside(plain() * scale, role, form) for _ in range(count)]
    return [plain() for _ in range(count)]


def _targets(
    tensor: TensorArg, form: Format, random_: random.Random, shape: tuple[int, ...]
) -> list[float]:
    """Hard, soft, all absent, all present; over classes they sum to 1 where they are soft."""
    count, role = math.prod(shape), tensor.role
    kind = random_.choice(("hard", "soft", "distribution", "any", "one-hot", "none", "all"))
    names = [axis.name for axis in tensor.axes]
    if role.name in ("Sign", "Binary", "Weight") or kind == "any":
        return [ordinary(role, form, random_) for _ in range(count)]
    if kind in ("hard", "none", "all"):
        share = {"hard": 0.5, "none": 0.0, "all": 1.0}[kind]
        return [float(random_.random() < share) for _ in range(count)]
    if kind == "soft" or "c" not in names:
        return [form.rounded(random_.random()) for _ in range(count)]
    place = names.index("c")
    classes, inner = shape[place], math.prod(shape[place + 1 :])
    found = [0.0] * count
    for start in range(0, count, classes * inner):
        for step in range(inner):
            where = [start + step + k * inner for k in range(classes)]
            parts = [random_.expovariate(1.0) for _ in where]
            if kind == "one-hot":
                parts = [0.0] * classes
                parts[random_.randrange(classes)] = 1.0
            for k, part in zip(where, parts, strict=True):
                found[k] = form.rounded(part / sum(parts))
    return found


def _indices(
    spec: LossSpec,
    tensor: TensorArg,
    random_: random.Random,
    sizes: Mapping[str, int],
    shape: tuple[int, ...],
    pattern: str,
) -> list[int]:
    count = math.prod(shape)
    if tensor.role.name == "LabelList":
        rows: list[int] = []
        for _ in range(count // shape[-1]):
            order = random_.sample(range(shape[-1]), shape[-1])
            kept = 0 if pattern == "all left out" else random_.randint(0, shape[-1])
            rows += [*order[:kept], *[-1] * (shape[-1] - kept)]
        return rows
    marks = [p.default for p in spec.parameters if p.name == "ignore_index"]
    if pattern == "all left out" and marks:
        return [int(marks[0] or 0)] * count
    axis = indexed_axis(spec, tensor)
    # Labels that are only compared with one another: few kinds, so that some are shared.
    classes = sizes[axis] if axis else 2
    return [
        int(marks[0] or 0) if marks and random_.random() < 0.1 else random_.randrange(classes)
        for _ in range(count)
    ]


def _confident(tensor: TensorArg, filled: Filled, form: Format, random_: random.Random) -> Filled:
    """Let one class of each row lead by a gap between 0 and 100."""
    names = [axis.name for axis in tensor.axes]
    place = names.index("c") if "c" in names else len(names) - 1
    classes, inner = filled.shape[place], math.prod(filled.shape[place + 1 :])
    flat = list(filled.flat)
    for start in range(0, len(flat), classes * inner):
        for step in range(inner):
            gap = random_.choice((0.0, 5.0, 10.0, 17.0, 20.0, 37.5, 60.0, 88.0, 100.0))
            lead = start + step + inner * random_.randrange(classes)
            for k in range(classes):
                spot = start + step + k * inner
                flat[spot] = inside(flat[spot] - gap * (spot != lead), tensor.role, form)
    return Filled(tuple(flat), filled.shape)
