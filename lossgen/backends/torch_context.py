"""What every printer of statements needs: the program, its names, and a printer of bodies.

In: a ``Program`` and its ``Names``.  Out: expression printers, and shapes and operands as code.

    operand("a + b")  →  (a + b)

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lossgen.backends.torch_expressions import Expressions
from lossgen.backends.torch_names import Names
from lossgen.brackets import bare
from lossgen.nodes import Letter
from lossgen.program import Extent, Program, Statement


@dataclass(frozen=True, slots=True)
class Context:
    """The program whose statements are printed."""

    program: Program
    names: Names
    full: frozenset[str] = frozenset()  # results that must have their whole shape
    unused_ones: frozenset[str] = frozenset()  # divisors that nothing divides by when they are 1
    # By the identity of a statement, the arrays that its line overwrites: known once it is printed.
    overwritten: dict[int, set[str]] = field(default_factory=dict)

    def printer(self, x: Statement, scope: Sequence[Letter]) -> Expressions:
        """The printer of a statement's bodies in a scope."""
        own = self.names.ownership
        consumed = own.consumed.get(id(x), frozenset()) if own is not None else frozenset()
        written = self.overwritten.setdefault(id(x), set())
        return Expressions(self.names, scope, x.extents, consumed, written)

    def shape(
        self, letters: Sequence[Letter], extents: Mapping[Letter, Extent] | None = None
    ) -> str:
        """The shape of an array over letters, as an argument; ``extents``: what it leaves out."""
        short = {y: sum(left) for y, left in (extents or {}).items() if y in letters and any(left)}
        if any(y.name == "e" for y in letters):
            return f"{self.names.lead}.shape"
        axes = tuple(self.names.axes.get(y, y) for y in letters)
        if len(axes) > 1 and axes == self.names.arrays[self.names.lead][0] and not short:
            return f"{self.names.lead}.shape"
        sizes = [self.names.size(y) + (f" - {short[y]}" if y in short else "") for y in letters]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def operand(code: str) -> str:
    """``code`` fit for a method call."""
    code = bare(code)
    depth = 0
    for char in code:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in " -~":
            return f"({code})"
    return code
