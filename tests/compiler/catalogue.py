"""The catalogue compiled once for all tests here, and random data for its losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from lossgen import nodes as nd
from lossgen.compiled import Compiled, compile_loss
from lossgen.spec import LossSpec, TensorArg, load_spec, read_spec
from tests.compiler.interpret import REAL, Array

SPECS = Path(__file__).resolve().parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.py") if not path.stem.startswith("_"))
# Pairwise different, so that no axis can stand in for another.
SIZES = {"n": 3, "c": 4, "s": 2, "d": 5, "e": 6, "t": 7, "h": 3, "w": 4}


@cache
def compiled(name: str) -> Compiled:
    """A loss of the catalogue."""
    return compile_loss(load_spec(SPECS / f"{name}.py"))


def formulas(name: str) -> list[Compiled]:
    """A loss and, where it has one, its formula for a floating-point target."""
    loss = compiled(name)
    return [loss, *([loss.floating] if loss.floating else [])]


def written(body: str, arguments: str = "x: Real[n, d]", name: str = "loss_") -> Compiled:
    """A loss compiled from its arguments and body, as a spec would have them."""
    return compile_loss(spec_of(body, arguments, name))


def spec_of(body: str, arguments: str = "x: Real[n, d]", name: str = "loss_") -> LossSpec:
    """A spec from its arguments and its body (lines joined by `;`)."""
    lines = [line.strip() for line in body.split(";")]
    lines[-1] = f"return {lines[-1].removeprefix('return ')}"
    block = "\n    ".join(['"""A loss."""', *lines])
    text = f"from lossgen.language import *\n\n@loss()\ndef {name}({arguments}):\n    {block}\n"
    return read_spec(text, name, f"specs/{name}.py")


@dataclass(frozen=True)
class Setting:
    """The static side of a call: options, and which optional tensors are there."""

    options: Mapping[str, Any]
    absent: frozenset[str]

    def __str__(self) -> str:
        parts = [f"{k}={v}" for k, v in self.options.items()]
        return ", ".join([*parts, *(f"no {x}" for x in sorted(self.absent))])


def settings(spec: LossSpec, most: int = 8) -> Iterator[Setting]:
    """Settings that between them reach both sides of every static condition of a loss."""
    optional = [t.name for t in spec.tensors if t.optional]
    values = [_values(spec, p) for p in spec.parameters]
    presence = [(False, True)] * len(optional)
    every = list(itertools.product(*values, *presence))
    step = max(1, len(every) // most)
    # A step that shares no factor with the number of choices meets each of them.
    while any(math.gcd(step, len(v)) > 1 for v in (*values, *presence)) and step > 1:
        step += 1
    for combination in every[::step]:
        chosen, missing = combination[: len(values)], combination[len(values) :]
        yield Setting(
            {p.name: v for p, v in zip(spec.parameters, chosen, strict=True)},
            frozenset(name for name, gone in zip(optional, missing, strict=True) if gone),
        )


def _values(spec: LossSpec, parameter: Any) -> list[Any]:
    default = parameter.default
    if parameter.role.kind == "boolean":
        return [False, True]
    found = [default] if default is not None else [_ordinary(parameter)]
    if parameter.role.choices:
        found += list(parameter.role.choices)
    for node in nd.walk(sp.Tuple(spec.item)):
        if not isinstance(node, nd.Compare) or parameter.symbol not in (node.left, node.right):
            continue
        bound = node.right if node.left == parameter.symbol else node.left
        if not bound.is_number and bound not in (sp.oo, -sp.oo):
            continue
        number = float(bound)
        number = int(number) if parameter.role.kind == "integer" else number
        found += [number] if math.isinf(number) or parameter.role.admits(number) else []
        found += [v for v in (number - 0.5, number + 0.5) if parameter.role.admits(v)]
    return list(dict.fromkeys(found))


def _ordinary(parameter: Any) -> Any:
    return 2 if parameter.role.kind == "integer" else 0.75


def sizes_of(spec: LossSpec) -> dict[str, int]:
    """A size for every axis of a loss."""
    return {axis.name: SIZES.get(axis.name, 3) for t in spec.tensors for axis in t.axes}


def sample(spec: LossSpec, absent: frozenset[str], seed: int = 0) -> dict[str, Array]:
    """Random tensors of a loss, away from its kinks with probability one."""
    random = np.random.default_rng(seed)
    sizes = sizes_of(spec)
    labels = sizes.get("c", 2)
    return {t.name: _tensor(t, random, sizes, labels) for t in spec.tensors if t.name not in absent}


def _tensor(
    t: TensorArg, random: np.random.Generator, sizes: Mapping[str, int], labels: int
) -> Array:
    shape = [int(a.name) if a.name.isdigit() else sizes[a.name] for a in t.axes]
    match t.role.name:
        case "ClassIndex":
            return np.asarray(random.integers(0, labels, shape))
        case "LabelList":
            rows = [random.permutation(shape[-1]) for _ in range(math.prod(shape[:-1]))]
            found = np.array(rows).reshape(shape)
            found[..., 2:] = -1
            return found
        case "Mask":
            held = random.random(shape) < 0.7
            held.flat[0] = True
            return held
        case "Binary":
            drawn: Any = random.integers(0, 2, shape)
        case "Sign":
            drawn = random.integers(0, 2, shape) * 2 - 1
        case "Probabilities":
            drawn = random.uniform(0.1, 0.9, shape)
        case "LogProbabilities":
            drawn = -random.uniform(0.2, 2.5, shape)
        case "Positive" | "NonNegative" | "Weight":
            drawn = random.uniform(0.3, 1.7, shape)
        case "Boxes":
            low = random.uniform(-1, 1, (*shape[:-1], 2))
            drawn = np.concatenate([low, low + random.uniform(0.8, 2, low.shape)], -1)
        case _:
            drawn = random.normal(size=shape)
    return np.asarray(drawn, dtype=REAL)


__all__ = [
    "NAMES",
    "SIZES",
    "compiled",
    "formulas",
    "sample",
    "settings",
    "sizes_of",
    "spec_of",
    "written",
]
