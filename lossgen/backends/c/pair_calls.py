"""The Python between the functional form of a loss over pairs and the kernel of its blocks.

In: a ``Formula``, its ``Pairs`` and the kernels of a block.  Out: definitions for the module, as
``KernelCalls`` has them, of which one call goes through the rows block by block:

    _call_info_nce        vectors in plain torch, products and kernels by blocks, and back
    _call_info_nce_rows   one call of the kernel, for the scores of a block

It refuses nothing: what has no such form never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lossgen.backends.c.calls import KernelCalls
from lossgen.backends.c.page import Kernels
from lossgen.backends.c.pairs import ROW, Pairs
from lossgen.backends.c.words import extent
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_branches import bounded
from lossgen.backends.torch_formula import Formula
from lossgen.page import FunctionPage
from lossgen.static import ALWAYS


class PairCalls(KernelCalls):
    """The definitions for one formula over pairs."""

    def __init__(
        self,
        f: Formula,
        pairs: Pairs,
        kernels: Kernels,
        eager: FunctionPage,
        switches: Sequence[str],
    ) -> None:
        super().__init__(f, kernels, eager, switches)
        self.pairs = pairs
        self.sources = self.real
        block = Formula(pairs.block, public=False)
        self.block = KernelCalls(block, kernels, FunctionPage("", "", (), ()), switches)

    def _call(self) -> Iterator[str]:
        yield from super()._call()
        yield ""
        yield ""
        yield from self.block.one_call()

    def _kernel(self) -> Iterator[str]:
        return self.block.one_kernel()

    def _call_body(self) -> Iterator[str]:
        lead, sources = self.lead.name, self.sources
        one = "," if len(sources) == 1 else ""
        yield f"{tuple_text(self.options)} = §options"
        yield f"§items, §dtype = reduction == 'none', {lead}.dtype".replace("'", '"')
        forward = self.f.compiled.forward
        (row,) = forward.statement(self.f.item).free
        batch = self.lead.axes.index(forward.axes[row])
        if self.pairs.divisor is None or self.spec.divisors:
            yield f"{extent('n')} = {lead}.shape[{batch}]"
        yield from self._scale()
        yield "# The vectors by autograd: they cost little, and what has all pairs is never formed."
        yield 'with torch.autocast("cpu", enabled=False), torch.enable_grad():'
        yield f"    §leaves = _leaves(({', '.join(sources)}{one}), §wanted)"
        yield "    §compute = torch.promote_types(§dtype, torch.float32)"
        yield f"    {tuple_text(sources)} = (x.to(§compute) for x in §leaves)"
        yield from (f"    {line}" for line in self._vectors())
        names = ", ".join(self.pairs.vectors.results)
        one = "," if len(self.pairs.vectors.results) == 1 else ""
        yield f"    §vectors = ({names}{one})"
        yield ""
        scores = [v.name for v in self.pairs.views]
        yield ("def §block(§scores: list[Tensor], §row: Tensor, §rows: slice) -> Tensor:")
        others = [f"{source}[§rows]" if rows else source for _, source, rows in self.pairs.others]
        options = ", ".join([*self.options[:-1], '"none" if §items else "sum"'])
        comma = "," if len(self.options) == 1 else ""
        yield "    §seed = None if grad_loss is None else grad_loss[§rows].to(§compute)"
        yield f"    §needs = [any(§wanted)] * {len(scores)}"
        yield f"    {tuple_text(scores)} = §scores"
        yield from self._weights()
        passed = ", ".join((*scores, "§row", *others, f"({options}{comma})"))
        called = f"_call_{self.block.stem}({passed}, §needs, §upstream * §scale, §seed)"
        yield f"    return {called}[0]"
        yield ""
        order = list(self.pairs.vectors.results)
        parts = [[v.left, v.right, *filter(None, [v.shift])] for v in self.pairs.views]
        views = [f"({tuple_text([str(order.index(x)) for x in part])})" for part in parts]
        comma = "," if len(views) == 1 else ""
        views_ = f"({', '.join(views)}{comma})"
        yield f"loss, §pulls = _in_blocks(§block, §vectors, {views_}, any(§wanted))"
        if self.pairs.divisor is not None:
            yield "if §weigh:"
            yield "    §weight = torch.stack(§weights).sum()"
            yield "    # Without any weight there is no mean; what has no gradient still has none."
            yield "    loss = loss / §weight"
            yield "    §pulls = [torch.where(x == 0, x, x / §weight) for x in §pulls]"
        yield "if not §items:"
        yield "    loss = loss * §scale"
        yield "return loss.to(§dtype), _pulled_back(§vectors, §pulls, §leaves, §wanted)"

    def _scale(self) -> Iterator[str]:
        if self.pairs.divisor is None:
            yield from super()._scale()
            return
        # Only once all blocks are done it is known what the mean divides by.
        yield '§weigh, §weights, §scale = reduction == "mean", list[Tensor](), 1.0'
        for name, expr in self.spec.divisors:
            yield f'if reduction == "{name}":'
            yield f"    §scale = _quotient(1.0, {self.f.options.operand(expr)})"

    def _weights(self) -> Iterator[str]:
        """The lines of a block that add up the mean's divisor."""
        program = self.pairs.divisor
        if program is None:
            return
        yield "    if §weigh:"
        used = {r for x in program.statements for r in x.reads()}
        for own, source, rows in self.pairs.others:
            if rows and own in used:
                yield f"        {own} = {source}[§rows]"
        if ROW in used and self.named("§row") != ROW:
            yield f"        {ROW} = §row"
        lines = self.block.f.lines(program, dict.fromkeys(program.results, ALWAYS), plain=True)
        yield from (f"        {line}" for line in lines)
        yield f"        §weights.append({program.results[0]}.sum())"

    def _vectors(self) -> list[str]:
        """The lines that make the vectors."""
        program = bounded(self.pairs.vectors)
        return self.f.lines(program, dict.fromkeys(program.results, ALWAYS), plain=True)
