"""What a loss cannot do without: bytes that move, functions that are evaluated, matrix products.

In: the statements of one call, sizes. Out: a ``Traffic``. An input is read once, and once more for
each sum over more of it than a core's cache holds that must be finished before the gradient can be
written; a gradient is written once.

    mse                     input, target read once; d_input written
    batch_dice              input, target read twice: the sums over the batch come first
    cross_entropy           input read once: a row is still in the cache when its sum is known

Nothing here knows a loss: levels follow from which reductions the gradient depends on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from lossgen.bench.functions import evaluations
from lossgen.bench.request import Sizes
from lossgen.bench.resolved import Resolved
from lossgen.nodes import TRUE, Letter, Read, free_letters, walk
from lossgen.program import ALONG, REDUCTIONS, Statement

CACHE = 2**19  # bytes: what a core's own cache holds of what was just read
_INDEX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Product:
    """A product of matrices, ``batch`` of them: [rows, inner] @ [inner, columns]."""

    name: str
    batch: int
    rows: int
    inner: int
    columns: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A tensor that is read or written: how many bytes, and how often."""

    name: str
    bytes: int
    times: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one forward and backward cannot do without.

    Attributes:
        functions: how many times each function of torch is evaluated.
    """

    reads: tuple[Moved, ...]
    writes: tuple[Moved, ...]
    functions: Mapping[str, int]
    products: tuple[Product, ...]

    @property
    def bytes(self) -> int:
        """All bytes that must move."""
        return sum(x.bytes * x.times for x in (*self.reads, *self.writes))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The inputs of a call: their axes, element sizes, and the sizes of all axes."""

    axes: Mapping[str, tuple[Letter, ...]]
    item: Mapping[str, int]
    sizes: Sizes

    def size(self, axis: Letter) -> int:
        """How many positions an axis has."""
        return int(axis.name) if axis.name.isdigit() else math.prod(self.sizes[axis.name])

    def bytes(self, name: str) -> int:
        """The bytes of a whole input."""
        return self.item[name] * math.prod(self.size(a) for a in self.axes[name])


def traffic(call: Resolved, shapes: Shapes) -> Traffic:
    """What a call cannot do without."""
    reading = _Levels(call, shapes)
    reads = [
        Moved(name, reading.bytes(name), len(levels))
        for name, levels in reading.passes().items()
        if levels
    ]
    writes = [Moved(f"d_{x}", shapes.bytes(x), 1) for x in call.gradients]
    sizes = {letter: shapes.size(axis) for letter, axis in call.axes.items()}
    return Traffic(
        tuple(reads),
        tuple(writes),
        evaluations(call, sizes),
        tuple(_products(call.statements, sizes)),
    )


class _Levels:
    """After how many finished sums each statement can be computed."""

    def __init__(self, call: Resolved, shapes: Shapes) -> None:
        self.call, self.shapes = call, shapes
        self.made = {x.name: x for x in call.statements}
        self.level: dict[str, int] = {}
        self.spans: dict[str, frozenset[Letter]] = {}  # axes over which a value needs its input
        self.whole: set[str] = set()  # reductions that end a pass
        divisor = self._divisor_level()
        for x in call.statements:
            self._place(x, divisor)

    def passes(self) -> dict[str, set[int]]:
        """The passes in which each input is read."""
        found: dict[str, set[int]] = {name: set() for name in self.shapes.axes}
        last = max((self.level[r] for r in self.call.results), default=0)
        when = [(name, last) for name in self.call.results]
        when += [(name, self.level[name]) for name in self._needed_first()]
        for made, level in when:
            for name in self._inputs(self.made[made]):
                found[name].add(level)
        return found

    def bytes(self, name: str) -> int:
        """The bytes read of an input in one pass: all of it, or what is gathered."""
        most = 0
        for x in self.call.statements:
            for read in (r for e in x.expressions() for r in walk(e) if isinstance(r, Read)):
                if read.name == name:
                    most = max(most, self._bytes(read))
        return most

    def _bytes(self, read: Read) -> int:
        whole = self.shapes.bytes(read.name)
        if all(isinstance(y, Letter) or not free_letters(y) for y in read.subscripts):
            return whole
        positions = math.prod(
            self.shapes.size(self.call.axes[y]) for y in free_letters(read) if y in self.call.axes
        )
        return min(whole, positions * self.shapes.item[read.name])

    def _divisor_level(self) -> int:
        """The incoming gradient waits for the mean's divisor, where that is a sum over a tensor."""
        return 1 if len(self.call.values) > 1 and self._far(self.call.values[1]) else 0

    def _far(self, name: str) -> bool:
        inputs = self._inputs(self.made[name])
        return sum(self.shapes.bytes(x) for x in inputs) > CACHE

    def _place(self, x: Statement, divisor: int) -> None:
        level, span = 0, frozenset[Letter]()
        for name in x.reads():
            if name in self.level:
                ended = name in self.whole
                level = max(level, self.level[name] + ended)
                span |= frozenset() if ended else self.spans[name]
            elif name.startswith("grad_"):
                level = max(level, divisor)
        if x.op in REDUCTIONS or x.op in ALONG or (x.op == "scatter" and x.bound):
            span |= {self.call.axes[y] for y in x.bound}
            if self._group(x, span) > CACHE and x.op != "nll":
                self.whole.add(x.name)
        self.level[x.name], self.spans[x.name] = level, span

    def _group(self, x: Statement, span: frozenset[Letter]) -> int:
        """The bytes of the inputs that one result of a reduction depends on."""
        return sum(
            self.shapes.item[name]
            * math.prod(self.shapes.size(a) for a in self.shapes.axes[name] if a in span)
            for name in self._inputs(x)
        )

    def _inputs(self, x: Statement) -> set[str]:
        """The inputs that a statement is computed from in its own pass."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting = list(x.reads())
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.shapes.axes:
                found.add(name)
            elif name in self.made and name not in self.whole:
                waiting += self.made[name].reads()
        return found

    def _needed_first(self) -> set[str]:
        """The reductions that the gradient waits for."""
        found: set[str] = set()
        waiting = [f"d_{x}" for x in self.call.gradients]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.made:
                continue
            seen.add(name)
            if name in self.whole and name not in self.call.results:
                found.add(name)
            waiting += self.made[name].reads()
        if any(y.startswith("grad_") for s in seen for y in self.made[s].reads()):
            found |= {v for v in self.call.values[1:] if self._divisor_level()}
        return found


def _products(statements: Iterable[Statement], sizes: Mapping[Letter, int]) -> Iterable[Product]:
    for x in statements:
        if x.op not in ("sum", "mean") or x.where is not TRUE or not isinstance(x.body, sp.Mul):
            continue
        scope = frozenset((*x.free, *x.bound))
        parts = [free_letters(f) for f in x.body.args if free_letters(f)]
        parts = [p for k, p in enumerate(parts) if not _inside(p, k, parts)]
        if len(parts) != 2 or any(p >= scope for p in parts):
            continue
        first, second = parts
        free = frozenset(x.free)
        shape = (
            math.prod(sizes[y] for y in first & second & free),
            math.prod(sizes[y] for y in (first - second) & free),
            math.prod(sizes[y] for y in first & second - free),
            math.prod(sizes[y] for y in (second - first) & free),
        )
        if min(shape[1:]) > 1:
            yield Product(x.name, *shape)


def _inside(part: frozenset[Letter], place: int, parts: list[frozenset[Letter]]) -> bool:
    return any(part < q or (part == q and place > k) for k, q in enumerate(parts) if k != place)


def index_bytes(kind: str, real: int) -> int:
    """The bytes of an element: labels are 64-bit integers, masks one byte."""
    return {"integer": _INDEX_BYTES, "boolean": 1}.get(kind, real)
