"""Losses over all pairs of a batch, cut where the scores of the pairs are known.

In: a ``Compiled`` loss.  Out: ``Pairs``: what makes the vectors, which of them are multiplied, and
the loss of a block of rows as a ``Compiled`` of its own, over scores.

    sim[i, j] = sum_d z[i, d]*w[j, d]/tau          left = z, right = w, factor = 1/tau
    loss[i]   = logsumexp_j sim[i, j] - sim[i, i]  →  loss[n] = nll_c sim[n, c] at row[n]

So no array has all pairs, and a kernel takes the scores of a block as it takes those of classes. A
matrix that is read along its columns as well is a second one, whose rows these are.

What is not of this form raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.at_once import with_all_kept
from lossgen.backends.c.scores import Scores, scaled
from lossgen.backends.c.summed import multiplies, summed
from lossgen.backends.c.unsupported import Unsupported
from lossgen.compiled import Compiled, complete
from lossgen.nodes import Letter, Read, free_letters, word
from lossgen.program import Array, Program, Statement, check, without_unused
from lossgen.roles import ClassIndex, Logits
from lossgen.spec import LossSpec, TensorArg

_N, _C = Letter("n"), Letter("c")
ROW = "row"


@dataclass(frozen=True, slots=True)
class View:
    """The scores ``name[n, c] = factor * sum_d left[n, d]*right[c, d] + shift``."""

    name: str
    left: str
    right: str
    factor: sp.Expr
    shift: str | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """A loss over pairs.

    Attributes:
        vectors: what the views multiply, with its backward; that reads all values of the forward.
        block: the loss of a block of rows, of the scores of its views, of where its rows stand, and
            of `others`.
        others: the block's further tensors: its name, the tensor, whether it goes with the rows.
        divisor: what each of the block's rows adds to the mean's divisor, where that is no count.
        turned: whether the vectors are columns.
        beside: of a loss that is one number for all rows, what is added to their sum, if anything.
    """

    vectors: Compiled
    views: tuple[View, ...]
    block: Compiled
    others: tuple[tuple[str, str, bool], ...]
    divisor: Program | None
    turned: bool = False
    beside: str | None = None


def cut(compiled: Compiled) -> Pairs:
    """A loss over pairs, cut at its scores.

    Raises:
        Unsupported: where it is of another form.
    """
    return _Cutter(compiled).pairs()


class _Cutter:
    def __init__(self, compiled: Compiled) -> None:
        self.spec, self.forward, self.beside = compiled.spec, compiled.forward, None
        if not self.forward.statement(self.forward.results[0]).free:
            self.forward, self.beside = summed(self.forward)
        self.statements = {x.name: x for x in self.forward.statements}
        self.inputs = {a.name: a for a in self.forward.inputs}
        names = {*self.statements, *self.inputs, *(p.name for p in self.spec.parameters)}
        if taken := names & {str(_N), str(_C), ROW}:  # a loop of the block would hide it
            raise Unsupported(f"'{min(taken)}' is a letter of its blocks")
        item = self.statements[self.forward.results[0]]
        if len(item.free) != 1:
            raise Unsupported("a loss over pairs has not one value for each row")
        self.row = item.free[0]
        self.batch = self.forward.axes[self.row]
        self.column = self._column()
        self.scores = {s.name: s for s in self._scores()}
        self.views: dict[str, View] = {}
        self.others: dict[str, tuple[str, bool]] = {}
        self.taken = {*self.statements, *self.inputs, *(p.name for p in self.spec.parameters)}
        self.vectors: dict[sp.Expr, Statement] = {}

    def pairs(self) -> Pairs:
        """The loss, cut."""
        result, *divisors = self.forward.results
        inner = tuple(self._told(x) for x in self._after(result))
        weights = [tuple(self._told(x) for x in self._after(r)) for r in divisors]
        if any(v.name in x.reads() for v in self.views.values() for part in weights for x in part):
            raise Unsupported("its mean divides by a sum over scores")
        spec = self._spec(result)
        program = self._of_rows(spec, result, inner)
        divisor = [self._of_rows(spec, *p) for p in zip(divisors, weights, strict=True)]
        views = tuple(self.views.values())
        found = (x for v in views for x in (v.left, v.right, v.shift) if x is not None)
        names = tuple(dict.fromkeys((*found, *([self.beside] if self.beside else []))))
        made = (*self.forward.statements, *self.vectors.values())
        vectors = replace(self.forward, results=names, statements=without_unused(made, names))
        others = tuple((name, source, rows) for name, (source, rows) in self.others.items())
        block = complete(spec, program)
        whole = with_all_kept(complete(self.spec, check(vectors)))
        scores = (r for s in self.scores.values() for r in (s.left, s.right))
        turned = any(r.subscripts[-1] in (self.row, self.column) for r in scores)
        one = next(iter(divisor), None)
        return Pairs(whole, views, block, others, one, turned, self.beside)

    def _of_rows(self, spec: LossSpec, result: str, made: tuple[Statement, ...]) -> Program:
        """A program over the tensors of a block."""
        where = Statement(f"{ROW}_here", (_N,), Read(word(ROW), _N), kind="integer")
        inputs = tuple(Array(t.name, t.axes, t.role.kind) for t in spec.tensors)
        program = Program(inputs, (where, *made), (result,), (_N, _C), {_N: _N, _C: _C})
        used = without_unused(program.statements, (result,))
        return check(replace(program, statements=used))

    # --- the scores -------------------------------------------------------------------------

    def _column(self) -> Letter:
        """The other letter of the pairs."""
        found = {
            y for x in self.forward.statements if multiplies(x) for y in x.free if y != self.row
        }
        if len(found) != 1:
            raise Unsupported("its pairs are not those of the rows of a batch with others")
        return found.pop()

    def _scores(self) -> Iterator[Scores]:
        for x in self.forward.statements:
            if not multiplies(x):
                continue
            if {*x.free} != {self.row, self.column} or x.op != "sum":
                raise Unsupported("its pairs are not those of the rows of a batch with others")
            reads = {y: r for r in x.body.args if isinstance(r, Read) for y in r.subscripts}
            factor = sp.Mul(*(a for a in x.body.args if not isinstance(a, Read)))
            name, more, shift = scaled(self.forward, x)
            yield Scores(name, factor * more, shift, reads[self.row], reads[self.column])

    def _view(self, name: str, *, turned: bool) -> str:
        """The name of a view of scores, the rows of which are theirs or their columns."""
        s = self.scores[name]
        learned, factor = s.factors
        left = self._vector(s.left, learned, name)
        right = self._vector(s.right, nd.ONE, name)
        # Of vectors among themselves the columns are the rows: one view, whose memory is its own.
        turned = turned and left != right
        key = f"{name} turned" if turned else name
        if key not in self.views:
            view = self._unused(f"{name}_turned") if turned else name
            pair = (right, left) if turned else (left, right)
            self.views[key] = View(view, *pair, factor, self._shift(s))
        return self.views[key].name

    def _shift(self, s: Scores) -> str | None:
        """What is added to all scores."""
        if s.shift == 0:
            return None
        if s.shift not in self.vectors:
            name = self._unused(f"{s.name}_shift")
            self.vectors[s.shift] = Statement(name, (), s.shift)
        return self.vectors[s.shift].name

    def _vector(self, read: Read, factor: sp.Expr, scores: str) -> str:
        """The vectors of the rows, scaled as the scores are; a tensor's own under a name."""
        if factor == 1 and read.name in self.statements:
            return str(read.name)
        body = factor * Read(word(read.name), *self._axes(read))
        if body not in self.vectors:
            name = self._unused(f"{read.name}_{scores}")
            self.taken.add(name)
            self.vectors[body] = Statement(name, self._axes(read), body)
        return self.vectors[body].name

    def _axes(self, read: Read) -> tuple[Letter, ...]:
        told = {self.row: self.batch, self.column: self.forward.axes[self.column]}
        return tuple(told.get(y, y) for y in read.subscripts)

    def _unused(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        return name

    # --- the loss of a block ----------------------------------------------------------------

    def _after(self, result: str) -> tuple[Statement, ...]:
        """The statements between the scores and the loss."""
        found: set[str] = set()
        pending = [result]
        while pending:
            name = pending.pop()
            if name in found or name in self.scores or name not in self.statements:
                continue
            found.add(name)
            pending += self.statements[name].reads()
        for name in found:
            x = self.statements[name]
            letters = frozenset((*x.free, *x.bound)).union(*map(free_letters, x.expressions()))
            if letters - {self.row, self.column} or self.row in x.bound or x.extents:
                raise Unsupported("its pairs meet by more than their scores and labels")
            if x.free == (self.column,):
                raise Unsupported("it sums over the rows for each column")
        return tuple(x for x in self.forward.statements if x.name in found)

    def _told(self, x: Statement) -> Statement:
        """A statement of the block, in its letters."""
        told = {self.row: _N, self.column: _C}
        return replace(
            x,
            free=tuple(told[y] for y in x.free),
            bound=tuple(told[y] for y in x.bound),
            body=self._expression(x.body),
            where=self._expression(x.where),
            base=self._expression(x.base),
            target=tuple(map(self._expression, x.target)),
        )

    def _expression(self, e: sp.Basic) -> sp.Basic:
        if isinstance(e, Read):
            return self._read(e)
        if e == self.row:
            return Read(word(f"{ROW}_here"), _N)
        if e == self.column:
            return _C
        if isinstance(e, nd.Size):
            return self._size(e)
        return nd.rebuild(e, [self._expression(a) for a in e.args]) if e.args else e

    def _size(self, size: nd.Size) -> nd.Size:
        axes = self.forward.axes
        if axes.get(size.letter, size.letter) != axes[self.column]:
            raise Unsupported("it reads the size of the batch, of which a block is a part")
        return nd.Size(_C)

    def _read(self, read: Read) -> Read:
        name, at = read.name, read.subscripts
        if name in self.scores:
            return self._score(read)
        if name in self.statements:
            if at != self.statements[name].free:
                raise Unsupported(f"it reads '{name}' at another place than its own")
            told = {self.row: _N, self.column: _C}
            return Read(word(name), *(told[y] for y in at))
        array = self.inputs[name]
        if array.kind == "real" or len(at) != 1 or at[0] not in (self.row, self.column):
            raise Unsupported(f"its pairs meet by '{name}', too")
        rows = at[0] == self.row
        own = f"{name}_of_row" if rows else name
        self.others[own] = (name, rows)
        return Read(word(own), _N if rows else _C)

    def _score(self, read: Read) -> Read:
        """A score where the loops stand, at the turned place, or at a label of the row."""
        name, (first, second) = read.name, read.subscripts
        square = self.forward.axes[self.column] == self.batch
        if (first, second) == (self.column, self.row) and square:
            return Read(word(self._view(name, turned=True)), _N, _C)
        if first != self.row or not free_letters(second) <= {self.row, self.column}:
            raise Unsupported(f"it reads '{name}' at another place than its own")
        return Read(word(self._view(name, turned=False)), _N, self._expression(second))

    def _spec(self, result: str) -> LossSpec:
        """The block's arguments: scores, where its rows stand, labels, and the options."""
        spec = self.spec
        tensors = [TensorArg(v.name, Logits, (_N, _C)) for v in self.views.values()]
        tensors.append(TensorArg(ROW, ClassIndex, (_N,)))
        for name, (source, rows) in self.others.items():
            tensors.append(TensorArg(name, spec.tensor(source).role, (_N if rows else _C,)))
        stem = f"{spec.function_name}_rows"
        return replace(
            spec, name=stem, functional_name=f"{stem}_loss", class_name=f"{spec.class_name}Rows",
            summary=f"{spec.summary.rstrip('.')}: a block of rows.", tensors=tuple(tensors),
            item=Read(word(result), _N), over=None, divisors=(), axes={_N: _N, _C: _C},
            unbatched=False, floating=None,
        )  # fmt: skip
