"""Writing to positions: stacks of parts, and sums scattered to indices.

In: a ``stack`` or ``scatter`` statement.  Out: ``torch.stack``, ``index_add``, ``scatter_add`` or
``index_put``.

    d_x[n, c] = base + sum g[n] at [n, label[n]]
    →  base.scatter_add(1, label.unsqueeze(1), g.unsqueeze(1))

It refuses nothing: positions that fit no other form go to ``index_put``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.torch_context import Context, operand
from lossgen.brackets import bare
from lossgen.nodes import ZERO, Letter, Read, free_letters, walk
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Positions(Context):
    """Prints what is written to positions."""

    def stack(self, x: Statement) -> str:
        """The parts of an axis, one after another."""
        axis = x.bound[0]
        rest = [y for y in x.free if y != axis]
        full = next((p for p in x.target if set(rest) <= free_letters(p)), None)
        codes = []
        for part in x.target:
            code = bare(self.printer(x, rest).code(part))
            if set(rest) <= free_letters(part):
                codes.append(code)
            elif full is not None:
                codes.append(f"torch.full_like({bare(self.printer(x, rest).code(full))}, {code})")
            else:
                codes.append(f"{self.names.like}.new_full({self.shape(rest)}, {code})")
        place = x.free.index(axis)
        where = "-1" if place == len(x.free) - 1 else str(place)
        return f"torch.stack(({', '.join(codes)}), {where})"

    def scatter(self, x: Statement) -> str:
        """The base with terms added where indices say."""
        places = [shifted_letter(t) for t in x.target]
        gathers = [k for k, p in enumerate(places) if p is None]
        base, own = self._base(x)
        if x.body == 0:
            return base
        if len(x.free) == 1:
            scope = self.program.sorted(free_letters(x.target[0]) | free_letters(x.body))
            printer = self.printer(x, scope)
            index, source = printer.code(x.target[0]), printer.code(x.body)
            if not set(scope) <= free_letters(x.target[0]):
                index = f"{operand(index)}.expand({self.shape(scope, x.extents)})"
            if not set(scope) <= free_letters(x.body):
                source = f"{operand(source)}.expand({self.shape(scope, x.extents)})"
            if self.names.fusing:
                index = printer.inside(index, x.free[0])
            if len(scope) > 1:
                index, source = f"{operand(index)}.reshape(-1)", f"{operand(source)}.reshape(-1)"
            return f"{base}.index_add{own}(0, {bare(index)}, {bare(source)})"
        plain = [p[0] for p in places if p is not None]
        first = all(p[1] + x.extents.get(p[0], (0, 0))[0] == 0 for p in places if p is not None)
        extra = list(x.bound)
        if (
            len(gathers) == 1
            and first  # what is added begins where the array does
            and len(set(plain)) == len(plain) == len(x.free) - 1
            and len(extra) <= 1
        ):
            axis = gathers[0]
            if self.names.fusing and not extra and x.base != ZERO:
                return self._compared(x, axis)
            standing = [*plain[:axis], *extra, *plain[axis:]]
            index = self._whole(x, x.target[axis], standing)
            source = self._whole(x, x.body, standing)
            if self.names.fusing:
                index = self.printer(x, standing).inside(index, x.free[axis])
            if not extra:
                index, source = (f"{operand(c)}.unsqueeze({axis})" for c in (index, source))
            # Without further letters each position is written to once.
            method = "scatter" if self.names.fusing and not extra else f"scatter_add{own}"
            return f"{base}.{method}({axis}, {bare(index)}, {bare(source)})"
        scope = self.program.sorted(free_letters(sp.Tuple(*x.target)) | free_letters(x.body))
        printer = self.printer(x, scope)
        codes = [bare(printer.code(t)) for t in x.target]
        if self.names.fusing:
            codes = [
                printer.inside(c, y) if p is None else c
                for c, y, p in zip(codes, x.free, places, strict=True)
            ]
        indices = ", ".join(codes)
        return (
            f"{base}.index_put(({indices}), {bare(self._whole(x, x.body, scope))}, accumulate=True)"
        )

    def place(self, x: Statement) -> str:
        """The base with other values where the labels say."""
        # Not in place: torch has no batching rule for that.
        base, _ = self._base(x)
        axis = next(k for k, (t, y) in enumerate(zip(x.target, x.free, strict=True)) if t != y)
        if self.names.fusing:
            return self._compared(x, axis)
        rest = [y for y in x.free if y != x.free[axis]]
        index = operand(self._whole(x, x.target[axis], rest))
        value = operand(bare(self._whole(x, x.body, rest)))
        return f"{base}.scatter({axis}, {index}.unsqueeze({axis}), {value}.unsqueeze({axis}))"

    def _compared(self, x: Statement, axis: int) -> str:
        """Values at the labels without writing to positions, which no compiler fuses."""
        letter = x.free[axis]
        printer = self.printer(x, x.free)
        hit = printer.code(nd.Compare("==", letter, x.target[axis]))
        value = bare(printer.code(x.body))
        if x.op == "place":
            return f"torch.where({bare(hit)}, {value}, {bare(printer.code(x.base))})"
        return f"{printer.code(x.base)} + torch.where({bare(hit)}, {value}, 0.0)"

    def _whole(self, x: Statement, expr: sp.Expr, scope: Sequence[Letter]) -> str:
        code = self.printer(x, scope).code(expr)
        if set(scope) <= free_letters(expr):
            return code
        return f"{operand(code)}.expand({self.shape(scope, x.extents)})"

    def _base(self, x: Statement) -> tuple[str, str]:
        """What is added to, and ``_`` where it may be overwritten."""
        if x.base == ZERO:
            seed = self._seed(x.body)
            like = next((a.name for a in self.program.inputs if f"d_{a.name}" == x.name), "")
            if seed:
                # Made from a gradient: of batched ones, each then has zeros of its own.
                shape = f"{like}.shape" if like else self.shape(x.free)
                return f"{seed}.new_zeros({shape})", "_"
            if like and not self.names.fusing:
                return f"torch.zeros_like({like})", ""
            return f"{self.names.like}.new_zeros({self.shape(x.free)})", ""
        printer = self.printer(
            replace(x, extents={}) if x.op == "scatter" and x.extents else x, x.free
        )
        code = printer.code(x.base)
        if set(x.free) <= free_letters(x.base):
            owned = x.op == "scatter" and printer.owns([x.base], x.body)
            if owned:
                printer.writes_into(x.base)
            return operand(code), "_" if owned else ""
        return f"{operand(code)}.expand({self.shape(x.free)})", ""

    def _seed(self, body: sp.Expr) -> str:
        """An array in a body that is a multiple of the gradient that comes in."""
        can = self.names.ownership
        reads = (r.name for r in walk(body) if isinstance(r, Read))
        return next((r for r in reads if can is not None and r in can.moving), "")
