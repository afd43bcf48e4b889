"""Reads of arrays as indexing: slices, diagonals, gathers, padding.

In: a read and the scope it stands in.  Out: Python whose dimensions broadcast over the scope.

    logits[n, target[n]]  →  logits.gather(1, target.unsqueeze(1)).squeeze(1)

It refuses nothing: what no method of tensors fits is read with index arrays.
"""

from __future__ import annotations

from typing import Any

from lossgen.axes import shifted_letter
from lossgen.backends.layout import aligned
from lossgen.backends.torch_arithmetic import Arithmetic
from lossgen.brackets import atomic, bare
from lossgen.nodes import Letter, Padded


class Reads(Arithmetic):
    """Prints what an expression reads."""

    def _print_Letter(self, expr: Any) -> str:
        return self._positions(expr)

    def _print_Size(self, expr: Any) -> str:
        return self.names.size(expr.letter)

    def padding(self, expr: Padded) -> tuple[list[Letter], list[tuple[int, int]]]:
        """The letters of a padded array, and what is added before and after along each."""
        letters, extents = self.names.arrays[expr.name]
        read: list[Letter] = []
        pads: list[tuple[int, int]] = []
        for letter, place in zip(letters, expr.subscripts, strict=True):
            here, shift = shifted_letter(place) or (letter, 0)
            low, trim = extents.get(letter, (0, 0))
            have_low, have_trim = self.extents.get(here, (0, 0))
            read.append(here)
            pads.append((low - shift - have_low, trim + shift - have_trim))
        return read, pads

    def _print_Padded(self, expr: Any) -> str:
        letters, pads = self.padding(expr)
        while pads[0] == (0, 0):
            pads = pads[1:]
        flat = ", ".join(f"{before}, {after}" for before, after in reversed(pads))
        return aligned(f"F.pad({expr.name}, ({flat}))", letters, self.scope)

    def _print_Read(self, expr: Any) -> str:
        places = [shifted_letter(s) for s in expr.subscripts]
        if any(
            p is None and not s.is_Integer for p, s in zip(places, expr.subscripts, strict=True)
        ):
            return self._gather(expr)
        code = self._window(expr)
        left = [p[0] for p in places if p is not None]
        code, left = self._diagonals(code, left)
        return aligned(code, left, self.scope)

    def _window(self, expr: Any) -> str:
        """The part of an array that its letters run over, in full along what is gathered."""
        letters, extents = self.names.arrays[expr.name]
        index: list[str] = []
        for letter, subscript in zip(letters, expr.subscripts, strict=True):
            place = shifted_letter(subscript)
            if place is None:
                index.append(str(subscript) if subscript.is_Integer else ":")
                continue
            low, trim = extents.get(letter, (0, 0))
            want_low, want_trim = self.extents.get(place[0], (0, 0))
            start, stop = want_low + place[1] - low, want_trim - place[1] - trim
            index.append(f"{start or ''}:{-stop or ''}")
        while index and index[-1] == ":":
            index.pop()
        return f"{expr.name}[{', '.join(index)}]" if index else str(expr.name)

    def _diagonals(self, code: str, letters: list[Letter]) -> tuple[str, list[Letter]]:
        for letter in dict.fromkeys(letters):
            while letters.count(letter) > 1:
                first = letters.index(letter)
                second = letters.index(letter, first + 1)
                where = "" if len(letters) == 2 else f"dim1={first}, dim2={second}"
                code = f"{code}.diagonal({where})"
                letters = [x for k, x in enumerate(letters) if k not in (first, second)] + [letter]
        return code, letters

    def _gather(self, expr: Any) -> str:
        places = [shifted_letter(s) for s in expr.subscripts]
        plain = [p[0] for p in places if p is not None]
        gathers = [k for k, p in enumerate(places) if p is None]
        if len(expr.subscripts) == 1:
            index = expr.subscripts[0]
            letters = self._letters(index)
            code = f"{expr.name}[{self.within(letters).code(index)}]"
            if self.names.fusing:
                code = f"_at({expr.name}, {self.within(letters).code(index)})"
            return aligned(code, letters, self.scope)
        if len(gathers) == 1 and len(plain) == len(places) - 1 and len(set(plain)) == len(plain):
            axis, index = gathers[0], expr.subscripts[gathers[0]]
            inside = self._letters(index)
            extra = [x for x in inside if x not in plain]
            if len(extra) <= 1 and set(plain) <= set(inside):
                standing = [*plain[:axis], *(extra or [Letter("_")]), *plain[axis:]]
                if extra:
                    shown = self.within(standing).code(index)
                else:
                    shown = f"{self.within(plain).operand(index)}.unsqueeze({axis})"
                code = f"{self._window(expr)}.gather({axis}, {shown})"
                if self.names.fusing:
                    code = f"_at({self._window(expr)}, {shown}, {axis})"
                if extra:
                    return aligned(code, standing, self.scope)
                return aligned(f"{code}.squeeze({axis})", plain, self.scope)
            if not {*plain} & {*inside}:
                shown = self.within(inside).code(index)
                if self.names.fusing:
                    shown = self.inside(shown, self.names.arrays[expr.name][0][axis])
                code = f"{self._window(expr)}[{':, ' * axis}{bare(shown)}]"
                return aligned(code, [*plain[:axis], *inside, *plain[axis:]], self.scope)
        # Anything else: index arrays broadcast against one another.
        letters = self._letters(expr)
        inner = self.within(letters)
        indices = [inner.code(s) for s in expr.subscripts]
        if self.names.fusing:
            indices = [
                self.inside(code, axis) if k in gathers else code
                for k, (code, axis) in enumerate(
                    zip(indices, self.names.arrays[expr.name][0], strict=True)
                )
            ]
        code = f"{expr.name}[{', '.join(indices)}]"
        return aligned(code, letters, self.scope)

    def inside(self, index: str, axis: Letter) -> str:
        """An index kept within an axis: outside it, compiled code ends the process."""
        code = index if atomic(index) else f"({index})"
        return f"{code}.clamp(0, {self.names.size(axis)} - 1)"
