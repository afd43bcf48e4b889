"""The Python between the functional form of a loss over pairs and the kernel of its blocks.

In: a ``Formula``, its ``Pairs`` and the kernels of a block.  Out: definitions for the module, as
``KernelCalls`` has them, of which one call goes through the rows block by block:

    _call_info_nce        vectors in plain torch, products and kernels by blocks, and back
    _call_info_nce_rows   one call of the kernel, for the scores of a block

It refuses nothing: what has no such form never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sympy.core.symbol import Str

from lossgen.backends.c.calls import KernelCalls
from lossgen.backends.c.page import Kernels
from lossgen.backends.c.pairs import ROW, Pairs, View
from lossgen.backends.c.words import extent
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.nodes import Needs
from lossgen.page import FunctionPage
from lossgen.static import ALWAYS, guard_of


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
        self.vectors = Formula(pairs.vectors, public=False)
        self.order = [x for x in pairs.vectors.forward.results if x != pairs.beside]
        self.single = not f.compiled.forward.statement(f.item).free
        block = Formula(pairs.block, public=False)
        self.block = KernelCalls(block, kernels, FunctionPage("", "", (), ()), switches)

    def named(self, line: str) -> str:
        """A line in which local names, marked by ``§``, are none of the loss's own."""
        backward = self.vectors.backward
        programs = (backward.recorded, backward.program)
        own = {x.name for program in programs for x in program.statements}
        return super().named(re.sub(r"§(\w+)", lambda m: f"{m[1]}_" if m[1] in own else m[0], line))

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
        if self.single:
            yield "if grad_loss is not None:  # the loss is one number, reduced or not"
            yield "    §upstream = grad_loss.item()"
        else:
            yield '§items = reduction == "none"'
            forward = self.f.compiled.forward
            (row,) = forward.statement(self.f.item).free
            batch = self.lead.axes.index(forward.axes[row])
            if self.pairs.divisor is None or self.spec.divisors:
                yield f"{extent('n')} = {lead}.shape[{batch}]"
            yield from self._scale()
        yield f"§dtype = {self.like.name}.dtype"
        yield "§compute = torch.promote_types(§dtype, torch.float32)"
        yield from (f"{x} = {x}.to(§compute)" for x in sources)
        yield 'with torch.autocast("cpu", enabled=False):'
        recorded = self.vectors.backward.recorded
        held = frozenset(r for x in self.vectors.backward.program.statements for r in x.reads())
        roots = dict.fromkeys(recorded.results, ALWAYS)
        lines = self.vectors.lines(recorded, roots, held=held)
        yield from (f"    {line}" for line in lines)
        turned = ".T" if self.pairs.turned else ""
        yield f"§vectors = [{', '.join(f'{x}{turned}' for x in self.order)}]"
        yield ""
        scores = [v.name for v in self.pairs.views]
        needs = "[any(§wanted)]" + (f" * {len(scores)}" if len(scores) > 1 else "")
        yield ("def §block(§scores: list[Tensor], §row: Tensor, §rows: slice) -> Tensor:")
        others = [f"{source}[§rows]" if rows else source for _, source, rows in self.pairs.others]
        summed = '"sum"' if self.single else '"none" if §items else "sum"'
        options = ", ".join([*self.options[:-1], summed])
        comma = "," if len(self.options) == 1 else ""
        if not self.single:
            yield "    §seed = None if grad_loss is None else grad_loss[§rows].to(§compute)"
        yield f"    §needs = {needs}"
        yield f"    {tuple_text(scores)} = §scores"
        yield from self._weights()
        passed = ", ".join((*scores, "§row", *others, f"({options}{comma})"))
        seeds = "§upstream" if self.single else "§upstream * §scale, §seed"
        called = f"_call_{self.block.stem}({passed}, §needs, {seeds})"
        yield f"    return {called}[0]"
        yield ""
        views = [self._view(v) for v in self.pairs.views]
        comma = "," if len(views) == 1 else ""
        views_ = f"({', '.join(views)}{comma})"
        yield f"loss, §pulls = _in_blocks(§block, §vectors, {views_}, any(§wanted))"
        if self.pairs.divisor is not None:
            yield "if §weigh:"
            yield "    §weight = torch.stack(§weights).sum()"
            yield "    # Without any weight there is no mean; what has no gradient still has none."
            yield "    loss = loss / §weight"
            yield "    §pulls = [torch.where(x == 0, x, x / §weight) for x in §pulls]"
        if not self.single:
            yield "if not §items:"
            yield "    loss = loss * §scale"
        elif self.pairs.beside is not None:
            yield f"loss = loss + {self.pairs.beside}"
        yield "loss = loss.to(§dtype)"
        yield "if not any(§wanted):"
        yield f"    return loss, [None] * {len(sources)}"
        yield from self._backward()
        found = [f"d_{x}" for x in sources]
        yield f"§found = ({', '.join(found)}{one})"
        yield "return loss, [None if x is None else x.to(§dtype) for x in §found]"

    def _view(self, v: View) -> str:
        """Code for a product of vectors."""
        places = [str(self.order.index(x)) for x in (v.left, v.right)]
        above, below = (self.vectors.options.code(x) for x in v.factor.as_numer_denom())
        scale = f"_quotient({above}, {below})" if below != "1" else above
        factor = [] if scale == "1" and v.shift is None else [scale]
        shift = [] if v.shift is None else [str(self.order.index(v.shift))]
        return f"_View({', '.join((*places, *factor, *shift))})"

    def _backward(self) -> Iterator[str]:
        """The lines from the gradients by the vectors to those by the tensors."""
        backward = self.vectors.backward
        lines = self.vectors.lines(
            backward.program, {f"d_{g}": guard_of(Needs(Str(g))) for g in backward.gradients}
        )
        text = "\n".join(lines)
        needs = [f"need_{x}" for x in self.sources]
        asked = [x if re.search(rf"\b{x}\b", text) else "_" for x in needs]
        if asked != ["_"] * len(asked):
            yield f"{tuple_text(asked)} = §wanted"
            yield f"{' = '.join(f'd_{x}' for x in self.sources)} = None"
        pulls = "(x.T for x in §pulls)" if self.pairs.turned else "§pulls"
        yield f"{tuple_text([f'grad_{x}' for x in self.order])} = {pulls}"
        if self.pairs.beside is not None:
            yield f"grad_{self.pairs.beside} = {self.pairs.beside}.new_tensor(§upstream)"
        yield 'with torch.autocast("cpu", enabled=False):'
        yield from (f"    {line}" for line in lines)

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
