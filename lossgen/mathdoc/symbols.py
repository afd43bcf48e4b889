"""What each name of a loss is called in mathematics.

``alpha`` is a Greek letter, ``input`` is x, ``log_prob`` is set upright as it stands, and the
adjoint ``d_prob`` is prob with a bar.  Two names never share a symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp

from lossgen.compiled import Compiled
from lossgen.nodes import Let, Letter, Read, walk
from lossgen.program import Program
from lossgen.spec import LossSpec

GREEK: Mapping[str, str] = {
    **{
        name: f"\\{name}"
        for name in (
            *(
                "alpha",
                "beta",
                "gamma",
                "delta",
                "epsilon",
                "zeta",
                "eta",
                "theta",
                "kappa",
                "lambda",
            ),
            *("mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"),
        )
    },
    "eps": "\\varepsilon",
    "lambd": "\\lambda",
}
# The customary letters of arguments, taken where the loss uses them for nothing else.
CUSTOM: Mapping[str, str] = {"input": "x", "target": "y", "weight": "w"}

Part = tuple[str, tuple[Letter, ...], sp.Expr]  # a named part: name, parameters, body


@dataclass(frozen=True, slots=True)
class Symbols:
    """The LaTeX of every array, part and option, and of the letters' axes.

    Attributes:
        arrays: inputs, statements and adjoints, by name.
        options: scalar options, by name.
        parts: the author's named parts; two parts of one name have symbols of their own.
        standing: the forward statement that computes a part, where there is one.
        renamed: arguments that do not appear under their own name, with their letter.
    """

    arrays: Mapping[str, str]
    options: Mapping[str, str]
    parts: Mapping[Part, str]
    standing: Mapping[Part, str]
    renamed: Mapping[str, str]
    axes: Mapping[Letter, Letter]
    order: tuple[Letter, ...]


def upright(name: str) -> str:
    """A name as it is written in the code."""
    return f"\\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def symbols_of(compiled: Compiled) -> Symbols:
    """The symbols of a loss."""
    spec, forward = compiled.spec, compiled.forward
    letters = {x.name for x in (*forward.order, *spec.axes)}
    parts = parts_of(spec)
    names = (
        {t.name for t in spec.tensors} | {p.name for p in spec.parameters} | {p[0] for p in parts}
    )
    renamed = {
        t.name: CUSTOM[t.name]
        for t in spec.tensors
        if t.name in CUSTOM and CUSTOM[t.name] not in letters | names
    }

    def word(name: str) -> str:
        if name in renamed:
            return renamed[name]
        if name in GREEK:
            return GREEK[name]
        return name if len(name) == 1 and name not in letters else upright(name)

    options = {p.name: _option(p.name, word) for p in spec.parameters}
    standing = _standing(compiled, parts)
    arrays = {a.name: word(a.name) for a in forward.inputs}
    arrays |= {x.name: word(x.name) for x in compiled.backward.recorded.statements}
    taken = {*arrays.values(), *options.values()}
    shown: dict[Part, str] = {}
    for part in parts:
        name = standing.get(part)
        symbol = arrays[name] if name is not None else word(part[0])
        while name is None and symbol in taken:
            symbol = f"{symbol}'"
        shown[part] = symbol
        taken.add(symbol)
    arrays[forward.results[0]] = "\\ell"
    arrays |= _adjoints(compiled, arrays)
    return Symbols(arrays, options, shown, standing, renamed, spec.axes, forward.order)


def _option(name: str, word: Callable[[str], str]) -> str:
    stem, _, rest = name.partition("_")
    if stem in GREEK and rest:
        return f"{GREEK[stem]}_{{{upright(rest)}}}"
    return word(name)


def part_of(let: Let) -> Part:
    """What identifies a named part, wherever it is read."""
    return let.name, let.params, let.body


def parts_of(spec: LossSpec) -> list[Part]:
    """The named parts of a loss in the order of writing, each after those that it needs."""
    found: dict[Part, None] = {}
    seen: set[sp.Basic] = set()

    def visit(expr: sp.Basic) -> None:
        if expr in seen:
            return
        seen.add(expr)
        for arg in expr.args:
            visit(arg)
        if isinstance(expr, Let):
            found.setdefault(part_of(expr))

    whole = [x for x in (spec.item, spec.over) if x is not None]
    for expr in whole:
        visit(expr)
    names = [part[0] for part in found]
    inside = {part: {part_of(x) for x in walk(part[2]) if isinstance(x, Let)} for part in found}
    placed: dict[Part, None] = {}

    def place(part: Part) -> None:
        if part not in placed:
            for other in found:
                if other in inside[part]:
                    place(other)
            placed[part] = None

    # A name that a helper gives again and again stands before what first needs it.
    for name in (x for x in spec.names if names.count(x) == 1):
        place(next(part for part in found if part[0] == name))
    for part in found:
        place(part)
    return list(placed)


def _standing(compiled: Compiled, parts: list[Part]) -> dict[Part, str]:
    """The forward statement that computes each part, for those that one computes."""
    forward = compiled.forward
    reach = _inputs_reached(forward)
    whole = compiled.spec.item
    alike: dict[str, list[Part]] = {}
    for part in parts:
        alike.setdefault(part[0], []).append(part)
    found: dict[Part, str] = {}
    for name, same in alike.items():
        if len(same) == 1:
            if name in reach and name != forward.results[0]:
                found[same[0]] = name
            continue
        # Parts of one name come from a helper called twice: they differ in what they read.
        for part in same:
            reads = {x.name for x in walk(part[2]) if isinstance(x, Read)}
            fits = [
                x
                for x in reach
                if x.rstrip("0123456789").rpartition("_")[2] == name.rpartition("_")[2]
                and reach[x] == reads
                and {*forward.statement(x).free} == {*part[1]}
                and x not in found.values()
            ]
            if len(fits) == 1:
                found[part] = fits[0]
    if isinstance(whole, Let):
        found.pop(part_of(whole), None)
    return found


def _inputs_reached(program: Program) -> dict[str, set[str]]:
    """The inputs that each statement's value depends on."""
    reach: dict[str, set[str]] = {}
    for x in program.statements:
        reads = x.reads()
        reach[x.name] = {r for r in reads if r not in reach}.union(
            *(reach[r] for r in reads if r in reach)
        )
    return reach


def _adjoints(compiled: Compiled, forward: Mapping[str, str]) -> dict[str, str]:
    """Names of the backward: ``d_x`` is x with a bar, ``d_x_y`` its part that comes through y."""
    seeds = dict(zip(compiled.backward.seeds, ("\\bar{\\ell}", "\\bar{D}"), strict=False))
    if compiled.backward.seeds[:1] != compiled.forward.results[:1]:
        seeds = dict.fromkeys(compiled.backward.seeds, "\\bar{D}")
    found = {f"grad_{name}": symbol for name, symbol in seeds.items()}
    taken = {*forward.values(), *found.values()}
    for x in compiled.backward.program.statements:
        if x.name in forward:
            continue
        symbol = _adjoint(x.name, forward)
        if symbol in taken:
            symbol = upright(x.name)
        found[x.name] = symbol
        taken.add(symbol)
    return found


def _adjoint(name: str, forward: Mapping[str, str]) -> str:
    stem = name.removeprefix("d_")
    if stem == name:
        return upright(name)
    if stem in forward:
        return barred(forward[stem])
    digits = len(stem) - len(stem.rstrip("0123456789"))
    for k in range(digits + 1):
        whole, number = stem[: len(stem) - k], stem[len(stem) - k :]
        if whole in forward:
            return f"{barred(forward[whole])}^{{({number})}}"
        for cut in (j for j, character in enumerate(whole) if character == "_"):
            first, second = whole[:cut], whole[cut + 1 :]
            if first in forward and second in forward:
                mark = f",{number}" if number else ""
                return f"{barred(forward[first])}^{{({forward[second]}{mark})}}"
    return upright(name)


def barred(symbol: str) -> str:
    """A symbol with a bar: short over a letter, long over a word."""
    return f"\\overline{{{symbol}}}" if "mathrm" in symbol else f"\\bar{{{symbol}}}"
