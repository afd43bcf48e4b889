"""Losses over pairs by blocks of rows, so that no array has all pairs.

In: a ``Formula``.  Out: ``Rows``: a function that goes through the rows, and the lines that call it
where there are many pairs; nothing where a loss is of another form.

    loss[i] = logsumexp_j q[i]·k[j] - q[i]·k[i]
    →  for some rows: scores = q[rows] @ k.T; their loss; its slopes in the scores; what these pull

The loss and its gradient come together: the scores of a block are still in the caches, and are
never needed again. What is left at the end is as large as the inputs.

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.backends.c.at_once import with_all_kept
from lossgen.backends.c.pairs import ROW, Pairs, View, cut
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument, tensor_argument
from lossgen.compiled import Compiled
from lossgen.nodes import Needs, Read, rebuild, word
from lossgen.page import Argument, FunctionPage, Lines, signature
from lossgen.program import Program
from lossgen.stabilize import Known
from lossgen.static import ALWAYS, guard_of

# The page's own names, which a loss must not have.
_OWN = {"block", "needed", "pulls", "sums", "vectors"}


@dataclass(frozen=True, slots=True)
class Rows:
    """A loss by blocks of rows.

    Attributes:
        page: the function that goes through them.
        call: lines of the functional form, which may return the loss.
    """

    page: FunctionPage
    call: Lines


def by_rows(f: Formula) -> Rows | None:
    """The loss by blocks of rows; None where it has no pairs, or they meet in another way."""
    spec = f.spec
    weighing = f.compiled.forward.results[1:]
    if f.reduces or any(t.optional for t in spec.tensors) or any(map(f.moved_by, weighing)):
        return None
    if spec.divisors or not f.compiled.forward.statement(f.item).free:
        return None  # reductions of its own, or nothing to reduce: the loss is one number
    try:
        pairs = cut(f.compiled)
    except Unsupported:
        return None
    rows = _Rows(f, pairs)
    # Columns are few, and so are classes: their pairs with rows are no more than the scores.
    many = not pairs.turned and pairs.beside is None and rows.square()
    if not many or rows.taken() or not rows.finite():
        return None
    return Rows(rows.page(), tuple(rows.call()))


class _Rows:
    def __init__(self, f: Formula, pairs: Pairs) -> None:
        self.f, self.pairs = f, pairs
        self.vectors = Formula(pairs.vectors, public=False)
        self.order = pairs.vectors.forward.results
        self.name = f"_{f.spec.function_name}_by_rows"
        self.sources = [t.name for t in f.spec.tensors]

    def taken(self) -> bool:
        """Whether a name of the page is one of the loss."""
        programs = (self.vectors.backward.recorded, self.vectors.backward.program)
        made = {x.name for p in programs for x in p.statements}
        return bool((_OWN | {ROW}) & {*made, *(a.name for a in self.f.spec.arguments)})

    def square(self) -> bool:
        """Whether rows of the batch meet rows of the batch."""
        forward, lead = self.pairs.vectors.forward, self.f.checks.lead
        vectors = {x for v in self.pairs.views for x in (v.left, v.right)}
        first = {forward.axes[forward.statement(x).free[0]] for x in vectors}
        return first == {lead.axes[0]} and lead.name == self.sources[0]

    def finite(self) -> bool:
        """Whether no factor divides by what may be 0: in Python numbers that raises."""
        known = Known({a.name: a.role for a in self.f.spec.arguments})
        below = (v.factor.as_numer_denom()[1] for v in self.pairs.views)
        return all(known.of(x).nonzero for x in below)

    def call(self) -> Iterator[str]:
        """The lines of the functional form."""
        options = "".join(f", {p.name}" for p in self.f.spec.parameters)
        given, lead = tuple_text(self.sources), self.f.checks.lead.name
        results = self.f.compiled.forward.results
        item, divisor = self.f.item, results[1] if len(results) > 1 else f"len({lead})"
        made = ", ".join((*results, "*_"))
        yield f'if reduction != "none" and _many_pairs({lead}):'
        yield f"    {made} = _sum_by_rows({self.name}, function, ({given}){options})"
        yield '    if reduction == "mean":'
        yield f"        {item} = {item} / {divisor}"
        yield f"    return {item}.to(dtype)"

    def page(self) -> FunctionPage:
        """The function that goes through the rows."""
        spec = self.f.spec
        arguments = [
            *(replace(tensor_argument(t, self.f.checks), default="") for t in spec.tensors),
            *(replace(parameter_argument(p), default="") for p in spec.parameters),
        ]
        return FunctionPage(
            self.name,
            signature([Argument("needed", "tuple[bool, ...]"), *arguments]),
            ('"""The sum of all items and the gradients needed, some rows at a time."""',),
            tuple(self._body()),
            "tuple[Tensor, ...]",
        )

    def _body(self) -> Iterator[str]:
        recorded, backward = self.vectors.backward.recorded, self.vectors.backward
        held = frozenset(r for x in backward.program.statements for r in x.reads())
        yield from self.vectors.lines(recorded, dict.fromkeys(recorded.results, ALWAYS), held=held)
        yield ""
        yield from self._block()
        yield ""
        products = ", ".join(self._product(v) for v in self.pairs.views)
        yield f"vectors = [{', '.join(self.order)}]"
        yield f"sums, pulls = _in_row_blocks(block, vectors, [{products}], any(needed))"
        yield "if not pulls:"
        yield "    return sums"
        learned = [x for x in self.sources if x in backward.gradients]
        yield f"{tuple_text([f'grad_{x}' for x in self.order])} = pulls"
        if len(learned) == 1:
            yield from self.vectors.lines(backward.program, {f"d_{learned[0]}": ALWAYS})
            yield f"return *sums, d_{learned[0]}"
            return
        needs = [f"need_{x}" if x in learned else "_" for x in self.sources]
        yield f"{tuple_text(needs)} = needed"
        yield f"{' = '.join(f'd_{x}' for x in learned)} = None"
        roots = {f"d_{g}": guard_of(Needs(Str(g))) for g in learned}
        yield from self.vectors.lines(backward.program, roots)
        found = tuple_text([f"d_{x}" for x in learned])
        yield f"return *sums, *(x for x in ({found}) if x is not None)"

    def _block(self) -> Iterator[str]:
        views = [v.name for v in self.pairs.views]
        block = Formula(with_all_kept(_standing(self.pairs.block)), public=False)
        recorded, program = block.backward.recorded, block.backward.program
        results = [block.item]
        if self.pairs.divisor is not None:
            divisor = _without_copy(self.pairs.divisor)
            recorded = _together(recorded, divisor)
            results += divisor.results
        held = frozenset(r for x in program.statements for r in x.reads())
        kept = [x.name for x in recorded.statements if x.name in held]
        scores = ", ".join(f"{x}: Tensor" for x in views)
        yield f"def block({ROW}: Tensor, {scores}) -> tuple[list[Tensor], list[Tensor]]:"
        yield '    """The loss of N rows, and its slopes in their scores with all C."""'
        for own, source, rows in self.pairs.others:
            if rows:
                yield f"    {own} = {source}[{ROW}]"
        roots = dict.fromkeys([*results, *kept], ALWAYS)
        yield from (f"    {x}" for x in block.lines(recorded, roots, held=held))
        summed = f"[{', '.join(results)}]"
        yield "    if not any(needed):"
        yield f"        return {summed}, []"
        yield f"    grad_{block.item} = torch.ones_like({block.item})"
        roots = {f"d_{x}": ALWAYS for x in views}
        yield from (f"    {x}" for x in block.lines(program, roots))
        yield f"    return {summed}, [{', '.join(f'd_{x}' for x in views)}]"

    def _product(self, v: View) -> str:
        """Code for a product of vectors."""
        places = [str(self.order.index(x)) for x in (v.left, v.right)]
        factor = self.vectors.options.code(v.factor)
        more = [] if factor == "1" and v.shift is None else [factor]
        more += [] if v.shift is None else [str(self.order.index(v.shift))]
        return f"_Product({', '.join((*places, *more))})"


def _standing(block: Compiled) -> Compiled:
    """The block without its copy of where the rows stand."""
    backward = block.backward
    backward = replace(
        backward,
        program=_without_copy(backward.program),
        recorded=_without_copy(backward.recorded),
    )
    return replace(block, forward=_without_copy(block.forward), backward=backward)


def _without_copy(program: Program) -> Program:
    here = f"{ROW}_here"

    def told(e: sp.Basic) -> sp.Basic:
        if isinstance(e, Read) and e.name == here:
            return Read(word(ROW), *e.subscripts)
        return rebuild(e, [told(a) for a in e.args]) if e.args else e

    made = tuple(x.mapped(told) for x in program.statements if x.name != here)
    return replace(program, statements=made)


def _together(program: Program, other: Program) -> Program:
    """A program with the results of another, of the same tensors."""
    made = {x.name for x in program.statements}
    more = (x for x in other.statements if x.name not in made)
    return replace(
        program,
        statements=(*program.statements, *more),
        results=(*program.results, *other.results),
    )
