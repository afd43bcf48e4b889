"""A loss as plain Python over scalars: the independent statement of its formula.

In: a ``LossSpec``.  Out: the source of a function that builds the items from elements held as SymPy
symbols, one local function per named part, with sums over ``range`` where the spec reduces over a
letter.  It reads the spec's expression only: nothing of the compiler's rewrites, its adjoint or its
printers has a say in it.  What a word of the formula means at a point (which side of a maximum,
what slope at a tie) is decided by the functions of the same name in the generated test.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.brackets import bare
from lossgen.nodes import Letter, free_letters
from lossgen.scalartext import WORDS, ScalarPrinter
from lossgen.spec import LossSpec
from lossgen.subscripts import (
    argument_names,
    asked_for,
    extent,
    kind,
    result_letters,
    size_name,
)

_OURS = WORDS | frozenset(
    [
        "part",
        "value",
        "exact",
        "sp",
        "mp",
        "torch",
        "pi",
        "items",
        "over",
        "divisors",
        "sizes",
        "range",
    ]
)
_TAKEN = _OURS | frozenset(dir(builtins)) | frozenset(keyword.kwlist)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as source.

    Attributes:
        name: of the function.
        arguments: tensors, then parameters.
        body: its lines, indented from column 0.
        words: the words of ``WORDS`` that it uses, with those that these use.
        renamed: arguments that would hide what the formula calls, with the names they have in it.
    """

    name: str
    arguments: tuple[str, ...]
    body: tuple[str, ...]
    words: frozenset[str]
    renamed: Mapping[str, str]


def formula(spec: LossSpec, name: str = "formula") -> Formula:
    """State the loss as a function of its elements.

    The function returns the items by position, what the mean divides by (or None), and the further
    divisors by name.
    """
    return _Statement(spec, name).build()


@dataclass
class _Statement:
    """Builds one formula: collects its named parts, then prints them in order of use."""

    spec: LossSpec
    name: str
    parts: dict[tuple[Any, ...], str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def build(self) -> Formula:
        spec = self.spec
        printer = ScalarPrinter(self)
        letters = result_letters(spec)
        item = printer.doprint(spec.item)
        over = self._table(printer, spec.over) if spec.over is not None else "None"
        named = [(key, self._table(printer, value)) for key, value in spec.divisors]
        items = f"items = {{{_key(letters)}: {item} {self.loops(spec.item, letters)}}}"
        if not letters:
            items = f"items = {{(): {item}}}"
        divisors = "{" + ", ".join(f'"{key}": {text}' for key, text in named) + "}"
        body = [*self._header(), *self.lines, items, f"return items, {over}, {divisors}"]
        names = argument_names(spec)
        arguments = tuple(self.argument(name) for name in names)
        renamed = {x: y for x, y in zip(names, arguments, strict=True) if x != y}
        return Formula(self.name, arguments, tuple(body), frozenset(_closure(self.words)), renamed)

    def argument(self, name: str) -> str:
        """The name of an argument in the formula: ``the_mean`` beside a function ``mean``."""
        sizes = {size_name(axis) for axis in self.spec.axes}
        return f"the_{name}" if name in _OURS | sizes else name

    def _table(self, printer: ScalarPrinter, expr: sp.Expr) -> str:
        """A divisor: summed over its letters, each by the position it belongs to."""
        order = result_letters(self.spec)
        letters = sorted(free_letters(expr), key=order.index)
        text = str(printer.doprint(expr))
        if not letters:
            return text
        self.words.add("total")
        return f"total({text} {self.loops(self.spec.item, letters)})"

    def _header(self) -> Iterator[str]:
        """The sizes of the axes, and what absent tensors read as."""
        known: set[str] = set()
        for tensor in self.spec.tensors:
            names = [size_name(axis) for axis in tensor.axes]
            new = [x for x in names if not x.isdigit() and x not in known]
            if new and not tensor.optional:
                used = [x if x in new else "_" for x in names]
                sizes = f"{', '.join(used)}{',' if len(used) == 1 else ''}"
                yield f"{sizes} = {self.argument(tensor.name)}.shape"
                known.update(new)
        for tensor in self.spec.tensors:
            neutral = tensor.role.neutral
            if tensor.optional and neutral is not None and tensor.name not in self.asked:
                name = self.argument(tensor.name)
                yield f"if {name} is None:"
                yield f"    {name} = Absent({neutral!r})"

    @cached_property
    def asked(self) -> frozenset[str]:
        """Tensors whose presence the formula asks for beyond reading their neutral value."""
        exprs = [self.spec.item, *(x for x in (self.spec.over,) if x is not None)]
        return frozenset(
            asked_for(sp.Tuple(*exprs, *(v for _, v in self.spec.divisors)), self.spec)
        )

    def loops(self, expr: sp.Basic, letters: Iterable[Letter]) -> str:
        return " ".join(self.loop(expr, letter) for letter in letters)

    def loop(self, expr: sp.Basic, letter: Letter) -> str:
        """``for s in range(S)``, shorter where subscripts reach beyond the letter."""
        below, above = extent(expr, letter)
        top = size_name(self.spec.axes[letter])
        stop = f"{top} - {above}" if above else top
        return f"for {letter} in range({f'{below}, ' if below else ''}{stop})"

    def named(self, let: nodes.Let) -> str:
        """The local function for a named part, defined at its first use."""
        key = (let.name, let.params, let.body)
        if key not in self.parts:
            printer = ScalarPrinter(self)
            body = printer.doprint(let.body)
            name = self._free_name(let.name)
            self.parts[key] = name
            if kind(let.body, self.spec) == "real":
                self.lines.append("@part")
            self.lines.append(f"def {name}({', '.join(p.name for p in let.params)}):")
            self.lines.append(f"    return {bare(body)}")
            self.lines.append("")
        return self.parts[key]

    def _free_name(self, wanted: str) -> str:
        arguments = {self.argument(name) for name in argument_names(self.spec)}
        letters = {x.name for x in self.spec.axes}
        sizes = {size_name(x) for x in self.spec.axes}
        taken = _TAKEN | arguments | letters | sizes | set(self.parts.values())
        if wanted in _TAKEN | arguments | letters | sizes:
            wanted = f"the_{wanted}"
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        return name


def _key(letters: tuple[Letter, ...]) -> str:
    names = [x.name for x in letters]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _closure(words: set[str]) -> Iterator[str]:
    needs: dict[str, tuple[str, ...]]
    needs = {"mean": ("total",), "norm": ("total",), "logsumexp": ("total",), "softmax": ("total",)}
    needs |= {
        "log_softmax": ("logsumexp", "total"),
        "smallest": ("largest",),
        "smaller": ("larger",),
    }
    for word in words:
        yield word
        yield from needs.get(word, ())
