"""Where the elements of an axis stand, said once.

In: a program.  Out: the same, in which the positions along an axis are a statement of their own if
likelihoods, or conditions that something holds anywhere, ask for them more than once.

    nll_{c} a[n, c] at n, nll_{c} b[n, c] at n
    →  index[n] = n, and both at index[n]

What asks once, and the diagonals, which torch has a function for, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.backends.torch_masks import is_diagonal
from lossgen.backends.torch_retold import unlike
from lossgen.nodes import Compare, Letter, Read, rebuild
from lossgen.program import Program, Statement


def with_indices(program: Program, taken: Set[str]) -> Program:
    """The program with a name for the positions that are asked for more than once.

    Args:
        program: a forward or a backward.
        taken: names that stand for something else.
    """
    sloped = {x.target[1].name for x in program.statements if x.op == "nll_slope"}
    asked: dict[Letter, list[Letter]] = {}

    def ask(letter: Letter) -> sp.Expr:
        asked.setdefault(program.axes[letter], []).append(letter)
        return letter

    for x in program.statements:
        if x.op != "nll" or x.name not in sloped:  # the line of a slope makes both
            _with_positions(x, program, ask)
    known = taken | {a.name for a in program.inputs} | {x.name for x in program.statements}
    named: dict[Letter, str] = {}
    made: list[Statement] = []
    for axis, letters in asked.items():
        if len(letters) > 1:
            named[axis] = unlike("index", known | {*named.values()})
            made.append(Statement(named[axis], (letters[0],), letters[0], kind="integer"))

    def told(letter: Letter) -> sp.Expr:
        name = named.get(program.axes[letter])
        return letter if name is None else Read(Str(name), letter)

    done = (_with_positions(x, program, told) for x in program.statements)
    return replace(program, statements=(*made, *done)) if made else program


def _with_positions(x: Statement, program: Program, by: Callable[[Letter], sp.Expr]) -> Statement:
    """A statement with what ``by`` makes of the letters whose positions it asks for."""

    def read(expr: sp.Basic) -> sp.Basic:
        if isinstance(expr, Read) or not expr.args or is_diagonal(expr, program.axes, ()):
            return expr
        if isinstance(expr, Compare):
            return rebuild(expr, [by(y) if isinstance(y, Letter) else y for y in expr.args])
        return rebuild(expr, [read(a) for a in expr.args])

    if x.op in ("nll", "nll_slope") and isinstance(x.target[0], Letter):
        return replace(x, target=(by(x.target[0]), *x.target[1:]))
    return x.mapped(read) if x.op == "any" and not x.extents else x
