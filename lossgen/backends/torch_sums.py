"""Sums as Python that touches large arrays as few times as it can.

In: an expression.  Out: its terms added up, in place or with the product before them where it pays.

    a*b + c  →  torch.addcmul(c, a, b), where the sum is large

It refuses nothing itself.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from lossgen import nodes as nd
from lossgen.backends.torch_factors import adjoint, negate, negative
from lossgen.backends.torch_operands import Operands
from lossgen.brackets import bare, enclosed, opposite
from lossgen.nodes import Read, free_letters, is_scalar


class Sums(Operands):
    """Prints sums in one scope of letters."""

    def added(self, name: str, term: sp.Expr) -> str:
        """``name + term``, or ``name - term``."""
        if not isinstance(term, sp.Add) and negative(term):
            return f"{name} - {self.parenthesize(negate(term), PRECEDENCE['Add'])}"
        return f"{name} + {self.code(term)}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        # Tensors before scalars: a small constant must not be lost in a partial sum. Where every
        # tensor is subtracted, the scalar opens the line: 1 - x.
        leading = any(not negative(t) and not is_scalar(t) for t in expr.args)
        terms = sorted(
            expr.args,
            key=lambda t: (
                (is_scalar(t), negative(t)) if leading else (negative(t), is_scalar(t)),
                -self._size(t),
            ),
        )
        # Where something may be overwritten, it stands first.
        if leading:
            terms.sort(key=lambda t: (is_scalar(t), *self._overwritable(t), negative(t)))
        first, *rest = terms
        text = self.parenthesize(first, PRECEDENCE["Add"], strict=True)
        two = len(terms) == 2
        if two and (self.owns([first], rest[0]) or all(map(self._is_large, terms))):
            once = self._in_one_pass(text, first, rest[0])
            if once:
                return once
        for k, term in enumerate(rest, 1):
            if self.owns(terms[:k], term):
                self.writes_into(*terms[:k])
                text = self._added_in_place(text, term)
            elif negative(term):
                text += f" - {self.parenthesize(negate(term), PRECEDENCE['Add'])}"
            else:
                code = self.parenthesize(term, PRECEDENCE["Add"], strict=True)
                text += f" - {opposite(code)}" if opposite(code) else f" + {code}"
        return text

    def _is_large(self, term: sp.Expr) -> bool:
        """Whether a term is as large as the largest input, and no compiler takes it in."""
        if self.names.plain or self.names.fusing or is_scalar(term):
            return False
        return len(free_letters(term)) == len(self.scope) >= self.names.rank

    def _overwritable(self, term: sp.Expr) -> tuple[bool, bool]:
        """How early a term stands: one that is there already, one made here, any other."""
        owned = self.owns([term])
        return not (owned and isinstance(term, Read)), not owned

    def _in_one_pass(self, text: str, first: sp.Expr, term: sp.Expr) -> str:
        """The sum of two terms of which one is a product; nothing, if neither is."""
        # Not in place: torch has no rule for a batch of those.
        if pair := self._pair(term):
            return self._addcmul(bare(text), *pair)
        pair = self._pair(first)
        if pair is None or pair[0] not in (1, -1) or isinstance(term, sp.Mul) or is_scalar(term):
            return ""
        return self._addcmul(self.code(term), *pair)

    def _addcmul(self, text: str, scale: sp.Expr, x: sp.Expr, y: sp.Expr) -> str:
        value = f", value={self.code(scale)}" if scale != 1 else ""
        return f"torch.addcmul({text}, {self.code(x)}, {self.code(y)}{value})"

    def _pair(self, term: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
        """A number and the two arrays it scales, the smaller first, if that is all of a product."""
        factors = sp.Mul.make_args(term)
        scale = sp.Mul(*(f for f in factors if is_scalar(f)))
        arrays = [f for f in factors if not is_scalar(f)]
        numbers = any(isinstance(f, Read) and f.name in self.names.numbers for f in arrays)
        divided = any(f.is_Pow or isinstance(f, nd.Ratio) for f in factors)
        if len(arrays) != 2 or divided or numbers:
            return None
        a, b = sorted(arrays, key=lambda f: (self._size(f), not adjoint(f)))
        return scale, a, b

    def _added_in_place(self, text: str, term: sp.Expr) -> str:
        """One more term added to a value that nothing else holds."""
        method = "add_"
        if negative(term):
            method, term = "sub_", negate(term)
        scale = sp.Mul(*(f for f in sp.Mul.make_args(term) if is_scalar(f) and not f.is_Pow))
        if scale != 1 and not is_scalar(term):
            rest = sp.Mul(*(f for f in sp.Mul.make_args(term) if not is_scalar(f) or f.is_Pow))
            return f"{enclosed(text)}.{method}({self.code(rest)}, alpha={self.code(scale)})"
        return f"{enclosed(text)}.{method}({self.code(term)})"
