"""Draws formulas at random, in the operations that losses have and in their domains.

What is positive is built of what is positive, a probability of probabilities. An expression is
drawn for the letters at which it may be read; a reduction draws its inside for one more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from benchmarks.drawn_worlds import ALONG, FORMS, LITERALS, OPTIONS, OVER, PAIRED, WORLDS, World
from lossgen.spec import LossSpec, read_spec

_HELPERS = ("tanh(z)*z", "log(1 + exp(-z))", "where(z > 0, z, a*z)", "z/(1 + Abs(z))")


@dataclass(frozen=True)
class Formula:
    """A drawn formula: the arguments and the body of a spec, or the whole of it as ``written``."""

    world: World
    arguments: str
    body: str
    written: str = ""

    def text(self, name: str) -> str:
        """The file of a spec."""
        if self.written:
            return self.written
        words = "from lossgen.language import *\n\n\n@loss()\n"
        return f'{words}def {name}({self.arguments}):\n    "A loss."\n    {self.body}\n'

    def spec(self, name: str) -> LossSpec:
        """The spec, read."""
        return read_spec(self.text(name), name, f"specs/{name}.py")


@dataclass
class Draw:
    """Draws formulas of a world.

    Attributes:
        depth: of how many levels.
        named: the parts named so far, each with its kind and letters.
    """

    random: Random
    world: World
    depth: int
    named: list[tuple[str, str, str]] = field(default_factory=list)

    def formula(self) -> Formula:
        """The next one."""
        self.named = []
        lines = []
        for name in ("part", "other")[: self.random.choice((0, 0, 0, 1, 1, 2))]:
            kind = self.random.choice(("real", "real", "pos", "prob", "cond"))
            letters = self.random.choice(self.world.results)
            lines.append(f"{name} = {self.expression(kind, self.depth - 1, letters)}")
            self.named.append((name, kind, letters))
        result = self.random.choice(self.world.results)
        item = self.expression("real", self.depth, result)
        if self.world.labels and self.random.random() < 0.2 and set("n") <= set(result):
            item = f"where({self._read(self.world.labels)} != ignore, {item}, 0)"
        if result and self.random.random() < 0.1:
            item = f"averaged({item}, over={self.expression('pos', 1, result)})"
        lines.append(f"return {item}")
        for name in ("other", "part"):  # what nothing reads is refused
            if sum(bool(re.search(rf"\b{name}\b", line)) for line in lines) == 1:
                lines = [line for line in lines if not line.startswith(f"{name} = ")]
        if any("own(" in line for line in lines):
            lines[:0] = ["def own(z):", f"    return {self.random.choice(_HELPERS)}"]
        body = "\n    ".join(lines)
        return Formula(self.world, self._arguments(body), body)

    def expression(self, kind: str, depth: int, letters: str) -> str:
        """One of a kind, of at most so many levels, to be read at some letters."""
        if depth <= 0 or self.random.random() < 0.12:
            return self._leaf(kind, letters)
        draw = self.random.random()
        free = [x for x in "".join(self.world.axes) if x not in letters]
        if free and kind in OVER and draw < (0.3 if letters else 0.9):
            # Letters after the first of an axis are for expressions that are read at that one.
            firsts = [x for x in free if x == self.world.axis(x)[0]]
            over = self.random.choice(firsts or free)
            return self._filled(self.random.choice(OVER[kind]), depth - 1, letters, over)
        if letters and letters != "e" and kind in ALONG and draw > 0.85:
            over = self.random.choice(letters)
            return self._filled(self.random.choice(ALONG[kind]), depth - 1, letters, over)
        if kind == "real" and self.world.labels and 0.3 < draw < 0.42:
            name, at, of = self.world.labels
            if set(at) <= set(letters) and of not in letters:
                inside = self.expression("real", depth - 1, letters + of)
                return f"at({inside}, {of}={self._read((name, at))})"
        return self._filled(self.random.choice(FORMS[kind]), depth - 1, letters, "")

    def _leaf(self, kind: str, letters: str) -> str:
        found = [text for k, text, need in self.world.reads if k == kind and _within(need, letters)]
        kinds = {
            "real": ("real", "real", "real", "pos", "prob"),
            "nonneg": ("nonneg", "pos", "prob"),
        }
        wanted = kinds.get(kind, (kind,))
        for name, own, _, axes, _ in self.world.tensors:
            spots = self._spots(axes, letters)
            found += [self._read((name, spot)) for spot in spots if own in wanted] * (
                2 if len(axes) == len(letters) else 1
            )
        found += 2 * [n for n, k, need in self.named if k == kind and _within(need, letters)]
        if kind == "cond":
            found += [
                self.random.choice(PAIRED).format(c=c, k=k)
                for c in letters
                for k in letters
                if c < k and self.world.axis(c) == self.world.axis(k)
            ]
            if not found:
                return f"{self._leaf('real', letters)} > {self._leaf('real', letters)}"
        if not found or self.random.random() < 0.08:
            found = list(LITERALS[kind])
        return self.random.choice(found)

    def _spots(self, axes: str, letters: str) -> list[str]:
        """The ways in which a tensor of some axes can be read at some letters."""
        spots = [""]
        for axis in axes:
            here = [x for x in letters if x in self.world.axis(axis)]
            spots = [spot + x for spot in spots for x in here]
        return spots

    def _read(self, read: tuple[str, ...]) -> str:
        name, letters = read[0], read[1]
        return f"{name}[{', '.join(letters)}]" if letters else name

    def _filled(self, form: str, depth: int, letters: str, over: str) -> str:
        """A form with something in each of its braces."""

        def filling(found: re.Match[str]) -> str:
            if found[1] == "c":
                return over
            inner = letters + over if found[1].endswith("+c") else letters
            return self.expression(found[1].removesuffix("+c"), depth, inner)

        return re.sub(r"\{([\w+]+)\}", filling, form)

    def _arguments(self, body: str) -> str:
        """The arguments that a body names."""
        found = []
        for name, _, role, axes, optional in self.world.tensors:
            if re.search(rf"\b{name}\b", body):
                place = f"[{', '.join(axes)}]" if axes else ""
                found.append((optional, f"{name}: {role}{place}{' = None' * optional}"))
        if self.world.labels and "target[" in body:
            name, at, _ = self.world.labels
            found.append((False, f"{name}: ClassIndex[{', '.join(at)}]"))
        tensors = [text for _, text in sorted(found, key=lambda pair: pair[0])]
        letters = "".join(self.world.axes)
        options = [
            f"{x}: {role}"
            for x, role in OPTIONS.items()
            if x not in letters and re.search(rf"\b{x}\b", body)
        ]
        return ", ".join([*tensors, *(["*", *options] if options else [])])


def _within(need: str, letters: str) -> bool:
    return set(need) <= set(letters)


def draws(seed: int, world: str, depth: int) -> Draw:
    """A drawing of formulas, the same for the same seed."""
    return Draw(Random(f"{seed} {world}"), WORLDS[world], depth)
