"""What every printer of PyTorch knows: its scope, the operands in it, and what may be overwritten.

In: an expression.  Out: its Python, in parentheses where what stands around it asks for them.

It refuses nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence

from lossgen.backends.layout import aligned
from lossgen.backends.torch_in_place import makes_a_value, moves, roots_of, spanned
from lossgen.backends.torch_names import Names
from lossgen.backends.torch_numbers import Numbers
from lossgen.backends.wholes import real
from lossgen.brackets import atomic
from lossgen.nodes import ONE, Letter, Read, free_letters
from lossgen.program import Extent


class Operands(Numbers):
    """Prints operands in one scope of letters."""

    def __init__(
        self,
        names: Names,
        scope: Sequence[Letter],
        extents: Mapping[Letter, Extent],
        consumed: frozenset[str] = frozenset(),
        written: set[str] | None = None,
    ) -> None:
        super().__init__()
        self.names, self.scope, self.extents = names, tuple(scope), extents
        self.consumed = consumed  # arrays that only this line reads
        self.written = set() if written is None else written  # those of them that it overwrites

    def _print(self, expr: Any, **kwargs: Any) -> Any:
        return super()._print(real(expr, self.names.kinds), **kwargs)

    def _print_Real(self, expr: Any) -> str:
        if isinstance(expr.args[0], Letter):
            return self._positions(expr.args[0], f", dtype={self.names.like}.dtype")
        return f"{self.operand(expr.args[0])}.to({self.names.like}.dtype)"

    def _positions(self, letter: Letter, dtype: str = "") -> str:
        """The positions along a letter."""
        low, trim = self.extents.get(letter, (0, 0))
        stop = self.names.size(letter) + (f" - {trim}" if trim else "")
        span = f"{low}, {stop}" if low else stop
        code = f"torch.arange({span}{dtype}, device={self.names.like}.device)"
        return aligned(code, [letter], self.scope)

    def code(self, expr: sp.Basic) -> str:
        """The expression as Python."""
        return str(self._print(sp.sympify(expr)))

    def operand(self, expr: sp.Basic) -> str:
        """The expression, in parentheses unless it binds tightest: fit for a method call."""
        text = str(self.parenthesize(expr, PRECEDENCE["Atom"], strict=True))
        return f"({text})" if text[0] in "~-" else text

    def within(self, scope: Sequence[Letter]) -> Self:
        """The same printer in another scope."""
        return type(self)(self.names, scope, self.extents, self.consumed, self.written)

    def held(self) -> Self:
        """The same printer where no gradient is asked for."""
        names = replace(self.names, held=True)
        return type(self)(names, self.scope, self.extents, self.consumed, self.written)

    def parenthesize(self, item: sp.Basic, level: int, strict: bool = False) -> str:
        """The expression, in parentheses if it binds less tightly than its surroundings."""
        text = self.code(item)
        binds = precedence(item)
        loose = binds < level or (not strict and binds <= level)
        return f"({text})" if loose and not atomic(text) else text

    def _letters(self, expr: sp.Basic) -> list[Letter]:
        inside = free_letters(expr)
        order = [*self.scope, *sorted(inside - {*self.scope}, key=str)]
        return [x for x in order if x in inside]

    def _size(self, expr: sp.Basic) -> int:
        """How many letters the value of an expression really has."""
        if isinstance(expr, Read) and expr.name in self.names.numbers:
            return 0
        return len(free_letters(expr))

    def owns(self, parts: Sequence[sp.Expr], operand: sp.Expr = ONE) -> bool:
        """Whether what parts are joined to may take an operand in (see ``torch_in_place``)."""
        can = self.names.ownership
        if can is None or len(self.scope) < can.rank:
            return False
        if not any(moves(p, can.moving) for p in parts):
            return False
        if roots_of([operand], can.roots) - roots_of(parts, can.sure, surely=True):
            return False
        if {*self.scope} - frozenset().union(*(spanned(p, can.thin) for p in parts)):
            return False
        if len(parts) > 1:
            return True
        part = parts[0]
        return makes_a_value(part) or (isinstance(part, Read) and part.name in self.consumed)

    def writes_into(self, *parts: sp.Expr) -> None:
        """Note that the line overwrites what it owns (see ``owns``), if that was there before."""
        if len(parts) == 1 and isinstance(parts[0], Read):
            self.written.add(parts[0].name)
