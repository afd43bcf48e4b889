"""Plain names for adjoints.

In: the statements of a backward, and the pieces that its arrays got. Out: the statements, where
what alone reaches an array has the name of its adjoint.

    d_logit_nll_logit[n, c] = …; d_x = scale*d_logit_nll_logit  →  d_logit[n, c] = …

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen.differentiate.collecting import is_plain_read
from lossgen.differentiate.tape import Piece
from lossgen.nodes import Read, rebuild
from lossgen.program import Statement


def lone_pieces(pieces: Mapping[str, Sequence[Piece]], taken: Container[str]) -> dict[str, str]:
    """The names of what is all that reaches an array, and the adjoint's name for each."""
    names: dict[str, str] = {}
    for name, (piece, *others) in pieces.items():
        short = f"d_{name}"
        if others or not isinstance(piece, sp.Expr) or not is_plain_read(piece):
            continue
        if short not in taken and piece.name.startswith(f"{short}_"):
            names.setdefault(piece.name, short)
    return names


def renamed(statements: Iterable[Statement], names: Mapping[str, str]) -> tuple[Statement, ...]:
    """The statements under other names."""

    def reading(expr: sp.Basic) -> sp.Basic:
        if isinstance(expr, Read) and expr.name in names:
            return expr.func(Str(names[expr.name]), *map(reading, expr.args[1:]))
        return rebuild(expr, [reading(a) for a in expr.args]) if expr.args else expr

    if not names:
        return tuple(statements)
    return tuple(replace(x.mapped(reading), name=names.get(x.name, x.name)) for x in statements)


def with_signs_read(
    statements: Iterable[Statement], results: Sequence[str]
) -> tuple[Statement, ...]:
    """``d_b = -d_a`` read through: a sign costs nothing where it is read."""
    turned: dict[str, Read] = {}
    done: list[Statement] = []
    for x in statements:
        x = x.mapped(lambda e: _turned(e, turned))
        plain = x.op == "map" and x.name not in results and is_plain_read(-x.body)
        if plain and (-x.body).subscripts == x.free:
            turned[x.name] = -x.body
        else:
            done.append(x)
    return tuple(done)


def _turned(expr: sp.Expr, turned: Mapping[str, Read]) -> sp.Expr:
    if isinstance(expr, Read) and expr.name in turned:
        return -Read(Str(turned[expr.name].name), *expr.subscripts)
    return rebuild(expr, [_turned(a, turned) for a in expr.args]) if expr.args else expr
