"""Expressions as LaTeX.

In: an expression over our nodes, as the author wrote it or as a program's statement holds it.
Out: LaTeX that says exactly that.  What a symbol cannot say (0/0 counts as 0, a value held
constant) is noted in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.mathdoc.arithmetic import (
    ATOM,
    PRODUCT,
    SUM,
    counts_as,
    grouped,
    is_bracket,
)
from lossgen.mathdoc.functions import Functions
from lossgen.mathdoc.symbols import Symbols, part_of, upright
from lossgen.mathdoc.vocabulary import RELATIONS
from lossgen.nodes import TRUE, Letter, Where
from lossgen.program import Extent


class Latex(Functions):
    """Prints one loss's expressions, and collects what must be said in words.

    Attributes:
        absent: optional tensors that were read with what they count as when they are not given.
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols
        self.absent: dict[str, str] = {}
        self.extents: Callable[[Sequence[sp.Expr]], Mapping[Letter, Extent]] = lambda _: {}

    # --- names ------------------------------------------------------------------------------

    def letter(self, letter: Letter) -> str:
        """An index letter; one that was made to be different has primes."""
        stem = letter.name.rstrip("_")
        return stem + "'" * (len(letter.name) - len(stem))

    def subscript(self, places: Sequence[sp.Basic]) -> str:
        """``_{ncs}``, with commas where a place is more than a letter."""
        texts = [self.letter(p) if isinstance(p, Letter) else str(self._print(p)) for p in places]
        letters = all(isinstance(p, Letter) and len(p.name) == 1 for p in places)
        return f"_{{{('' if letters else ',').join(texts)}}}" if texts else ""

    def _symbol(self, expr: sp.Basic) -> str:
        if isinstance(expr, nd.Let):
            return self.symbols.parts.get(part_of(expr)) or upright(expr.name)
        return self.symbols.arrays.get(expr.name) or upright(expr.name)

    def _print_Letter(self, expr: Letter) -> str:
        return self.letter(expr)

    def _print_Param(self, expr: nd.Param) -> str:
        return self.symbols.options.get(expr.name) or upright(expr.name)

    def _print_Read(self, expr: nd.Read) -> str:
        return self._symbol(expr) + self.subscript(expr.subscripts)

    def _print_Padded(self, expr: nd.Padded) -> str:
        if any(p is not None and p[1] for p in map(shifted_letter, expr.subscripts)):
            self.notes["padded"] = None
        return self._print_Read(expr)

    def _print_Let(self, expr: nd.Let) -> str:
        return self._symbol(expr) + self.subscript([a for _, a in self.arguments(expr)])

    def arguments(self, expr: nd.Let) -> list[tuple[Letter, sp.Expr]]:
        """A part's letters in the program's order, each with what stands in its place."""
        order = {x: k for k, x in enumerate(self.symbols.order)}
        pairs = zip(expr.params, expr.at, strict=True)
        return sorted(pairs, key=lambda p: order.get(p[0], len(order)))

    def _print_Size(self, expr: nd.Size) -> str:
        return self.symbols.axes.get(expr.letter, expr.letter).name.upper()

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: nd.Compare) -> str:
        return f"{self.text(expr.left, SUM)} {RELATIONS[expr.op]} {self.text(expr.right, SUM)}"

    def _print_And(self, expr: nd.And) -> str:
        return " \\text{ and } ".join(self._clause(a, nd.Or) for a in expr.args)

    def _print_Or(self, expr: nd.Or) -> str:
        return " \\text{ or } ".join(self._clause(a, nd.And) for a in expr.args)

    def _clause(self, expr: sp.Basic, other: type[nd.Junction]) -> str:
        text = str(self._print(expr))
        return grouped(text) if type(expr) is other else text

    def _print_Not(self, expr: nd.Not) -> str:
        inner = expr.args[0]
        if isinstance(inner, nd.Compare):
            return str(self._print(nd.Compare(nd.MIRROR[inner.op], inner.left, inner.right)))
        if isinstance(inner, nd.Given):
            return f"\\text{{{self._code(inner.name)} is not given}}"
        text = str(self._print(inner))
        return f"\\text{{not }} {grouped(text) if isinstance(inner, nd.Junction) else text}"

    def _print_Given(self, expr: nd.Given) -> str:
        return f"\\text{{{self._code(expr.name)} is given}}"

    def _code(self, name: str) -> str:
        return name.replace("_", "\\_")

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:
        return "\\text{true}"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:
        return "\\text{false}"

    def _print_Where(self, expr: Where) -> str:
        if neutral := counts_as(expr):
            self.absent[expr.args[1].name] = neutral.lower()
            return str(self._print(expr.args[1]))
        if is_bracket(expr):
            self.notes["bracket"] = None
            return f"[{self._print(expr.args[0])}]"
        rows = [
            f"{self._print(value)} & \\text{{if }} {self._print(when)}"
            for value, when in self.rows(expr)[:-1]
        ]
        rows.append(f"{self._print(self.rows(expr)[-1][0])} & \\text{{otherwise}}")
        return "\\begin{cases} " + " \\\\ ".join(rows) + " \\end{cases}"

    def rows(self, expr: sp.Basic) -> list[tuple[sp.Basic, sp.Basic]]:
        """Nested choices as rows of (value, condition); the last one holds otherwise."""
        if not isinstance(expr, Where) or counts_as(expr) or is_bracket(expr):
            return [(expr, TRUE)]
        condition, yes, no = expr.args
        first = [(v, nd.And(condition, c)) for v, c in self.rows(yes)]
        rest = self.rows(no)
        if len(first) > 1 and rest == [(first[-1][0], TRUE)]:
            # What the inner choice leaves over is what the outer one leaves over.
            first.pop()
        return [*first, *rest]

    # --- over letters -----------------------------------------------------------------------

    def _print_Reduce(self, expr: nd.Reduce) -> str:
        extents = self.extents((expr.body, expr.where))
        if expr.op == "mean" and expr.empty is not sp.nan:
            self.notes[f"A mean over nothing is {self._print(expr.empty)}."] = None
        return self.reduction(expr.op, expr.body, expr.where, expr.bound, extents)

    def reduction(
        self,
        op: str,
        body: sp.Basic,
        where: sp.Basic,
        bound: Sequence[Letter],
        extents: Mapping[Letter, Extent],
    ) -> str:
        """``op`` of a body over letters, its mask under the sign."""
        under = self.range(bound, extents)
        if op in ("any", "count"):
            condition = str(self._print(nd.And(body, where)))
            return (
                f"\\exists\\, {under} : {condition}"
                if op == "any"
                else f"\\#\\{{{under} : {condition}\\}}"
            )
        if op in ("sum", "norm") and self._zero_elsewhere(body):
            where, body = nd.And(where, body.args[0]), body.args[1]
        mask = "" if where is TRUE else f" \\,:\\, {self._print(where)}"
        if op == "norm":
            if mask:
                return f"\\sqrt{{\\sum_{{{under}{mask}}} {self.text(body, ATOM)}^{{2}}}}"
            self.notes["norm"] = None
            return f"\\left\\lVert {self._print(body)} \\right\\rVert_{{2,{under}}}"
        inner = self.text(body, PRODUCT)
        if op == "logsumexp":
            return f"\\log \\sum_{{{under}{mask}}} \\exp{grouped(str(self._print(body)))}"
        sign = {"sum": "\\sum", "mean": "\\operatorname*{mean}", "amax": "\\max", "amin": "\\min"}[
            op
        ]
        return f"{sign}_{{{under}{mask}}} {inner}"

    def _zero_elsewhere(self, body: sp.Basic) -> bool:
        return isinstance(body, Where) and body.args[2] == 0 and not is_bracket(body)

    def range(self, letters: Sequence[Letter], extents: Mapping[Letter, Extent]) -> str:
        """Letters, those that do not run over their whole axis with their bounds."""
        texts: list[str] = []
        for letter in letters:
            low, trim = extents.get(letter, (0, 0))
            text = self.letter(letter)
            text = f"{low} \\le {text}" if low else text
            texts.append(f"{text} < {self._print(nd.Size(letter))} - {trim}" if trim else text)
        return ",".join(texts)

    def _print_Along(self, expr: nd.Along) -> str:
        text = self.along(expr.op, expr.body, expr.letter)
        if expr.position == expr.letter:
            return text
        return (
            f"\\left. {text} \\right|_{{{self.letter(expr.letter)} = {self._print(expr.position)}}}"
        )

    def along(self, op: str, body: sp.Basic, letter: Letter) -> str:
        """Softmax, or its logarithm, of a body along a letter."""
        log = "\\log" if op == "log_softmax" else ""
        inner = grouped(str(self._print(body)))
        return f"{log}\\operatorname{{softmax}}_{{{self.letter(letter)}}}{inner}"
