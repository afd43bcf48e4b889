"""The adjoint of an array, from the pieces that its reads left.

In: the pieces of an array.  Out: one statement ``d_<name>``, or an expression that is
short enough to repeat.

    pieces a[n], b[n], c[m] at [label[m]]  →  d_x[n] = a[n] + b[n] + sum_m c[m] at [label[m]]

It refuses nothing.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.differentiate.tape import At, Scatter, Tape
from lossgen.masking import total
from lossgen.nodes import ZERO, Padded, Read, free_letters, substitute
from lossgen.program import Statement


class Collecting(Tape):
    """Gathers pieces into adjoints."""

    def adjoint(self, name: str) -> sp.Expr:
        """The adjoint of a statement, as a name or as an expression short enough to repeat."""
        pieces = self.pieces[name]
        if all(isinstance(p, sp.Expr) for p in pieces):
            whole = total(pieces)
            if _trivial(whole):
                return whole
        adjoint = self._collect(name)
        return Read(Str(adjoint), *self.arrays[adjoint][0])

    def named(self, x: Statement, g: sp.Expr) -> sp.Expr:
        """The adjoint as a read, for a rule that uses it twice."""
        if isinstance(g, Read) or _trivial(g):
            return g
        name = self.add(f"d_{x.name}", self.sorted(free_letters(g)), g)
        return Read(Str(name), *self.arrays[name][0])

    def gradient(self, name: str) -> None:
        """Write the gradient of an input, of that input's shape, last of all."""
        final = self._collect(name, whole_shape=True)
        index = next(k for k, x in enumerate(self.out) if x.name == final)
        self.out.append(self.out.pop(index))

    def _collect(self, name: str, *, whole_shape: bool = False) -> str:
        letters, extents = self.arrays[name]
        pieces = self.pieces[name]
        dense: sp.Expr = total(p for p in pieces if not isinstance(p, (Scatter, At)))
        stacked = [p for p in pieces if isinstance(p, At)]
        by_target: dict[tuple[sp.Expr, ...], list[sp.Expr]] = {}
        for p in pieces:
            if isinstance(p, Scatter):
                by_target.setdefault(p.target, []).append(p.body)
        scatters = [Scatter(total(bodies), target) for target, bodies in by_target.items()]
        final = f"d_{name}"
        if stacked:
            alone = not scatters and dense == 0
            stack = self._stacked(name, stacked, final if alone else f"stack_{name}")
            if alone:
                return stack
            dense = dense + Read(Str(stack), *letters)
        for number, piece in enumerate(scatters, 1):
            whole = number == len(scatters)
            inside = free_letters(piece.body).union(*map(free_letters, piece.target))
            bound = self.sorted(inside - {*letters})
            made = self.add(
                final if whole else f"{final}{number}",
                letters,
                piece.body,
                "scatter",
                bound,
                target=piece.target,
                base=dense,
            )
            dense = Read(Str(made), *letters)
        if scatters:
            return final
        if is_plain_read(dense) and (taken := self._renamed(dense, final)):
            if not whole_shape or self.arrays[taken][0] == letters:
                return taken
            # The sum stands in another order of letters, or lacks some: lay it out as the input is.
            index = next(k for k, x in enumerate(self.out) if x.name == taken)
            inner = f"{final}_terms"
            self.out[index] = replace(self.out[index], name=inner)
            self.arrays[inner], self.kinds[inner] = self.arrays.pop(taken), self.kinds.pop(taken)
            dense = Read(Str(inner), *self.arrays[inner][0])
        free = letters if whole_shape else self.sorted(free_letters(dense))
        extents = {k: v for k, v in extents.items() if k in free}
        # Steps that the same adjoint reaches read one array, where that is large.
        rank = max((len(a.axes) for a in self.forward.inputs if a.kind == "real"), default=0)
        share = len(free) >= rank and not whole_shape
        return self.add(final, free, dense, extents=extents, share=share)

    def _stacked(self, name: str, pieces: list[At], final: str) -> str:
        """The pieces of an axis's positions, side by side."""
        letters = self.arrays[name][0]
        axis = letters[pieces[0].axis]
        parts = [
            sp.Add(*(p.body for p in pieces if p.position == k)) for k in range(int(axis.name))
        ]
        return self.add(final, letters, ZERO, "stack", (axis,), target=tuple(parts))

    def _renamed(self, dense: sp.Expr, final: str) -> str | None:
        """A lone sum that was made for this adjoint simply takes its name."""
        assert isinstance(dense, Read)
        index = next((k for k, x in enumerate(self.out) if x.name == dense.name), None)
        if index is None or not dense.name.startswith(final):
            return None
        if any(dense.name in x.reads() for x in self.out):
            return None  # another gradient starts from it, too
        if dense.name.removeprefix("d_") in self.pieces:
            return None  # the adjoint of another array, of which others are still to be made
        old = self.out[index]
        renaming = {a: b for a, b in zip(old.free, dense.subscripts, strict=True) if a != b}
        if any(b in old.bound for b in renaming.values()) or old.extents:
            return None
        if renaming and old.op in ("place", "balance"):
            return None
        free = self.sorted(free_letters(dense))
        new = replace(old, name=final, free=free, body=substitute(old.body, renaming))
        self.out[index] = new
        self.kinds[final], self.arrays[final] = "real", (free, {})
        return final


def _trivial(expr: sp.Expr) -> bool:
    """Whether repeating an expression costs nothing: a read, or one with a scalar factor."""
    if isinstance(expr, Read) and not isinstance(expr, Padded):
        return True
    if isinstance(expr, sp.Mul):
        reads = [f for f in expr.args if not nd.is_scalar(f)]
        return (
            len(reads) == 1
            and isinstance(reads[0], Read)
            and all(f == -1 for f in expr.args if f not in reads)
        )
    return False


def is_plain_read(expr: sp.Expr) -> bool:
    """Whether an expression is an array read as it stands."""
    return isinstance(expr, Read) and not isinstance(expr, Padded)
