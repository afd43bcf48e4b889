"""What the exponentials of a softmax add up to, as statements.

In: an operation over a row, the row's largest element and the exponentials of what is below it.
Out: the statements of their sum; what each is multiplied by for its share; the sum's logarithm.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import ONE, ZERO, Letter, Read
from lossgen.program import Statement

Made = tuple[tuple[Statement, ...], sp.Expr, sp.Expr]


def mass(
    x: Statement,
    stem: str,
    of: tuple[sp.Expr, sp.Expr],
    outer: tuple[Letter, ...],
    name: Callable[[str], str],
) -> Made:
    """The sum, and its inverse: a quotient for each element would take as long as all else."""
    total, inverse = name(f"mass_{stem}"), name(f"inverse_mass_{stem}")
    share = Read(Str(inverse), *outer)
    statements = (
        Statement(total, outer, of[1], "sum", x.bound, x.where),
        Statement(inverse, outer, 1 / Read(Str(total), *outer)),
    )
    return statements, share, share


def mass_and_log(
    x: Statement,
    stem: str,
    of: tuple[sp.Expr, sp.Expr],
    outer: tuple[Letter, ...],
    name: Callable[[str], str],
) -> Made:
    """The same with its logarithm.

    The largest terms are 1 exactly; apart from them, what is left keeps its digits.
    """
    names = ("rest", "ties", "others", "beyond", "inverse_mass", "log_mass")
    rest, ties, others, beyond, inverse, log = (name(f"{n}_{stem}") for n in names)
    top, power = of
    is_top = nd.Where(nd.Compare("==", x.body, top), ONE, ZERO)
    more = Read(Str(beyond), *outer)
    statements = (
        Statement(rest, outer, power - is_top, "sum", x.bound, x.where),
        Statement(ties, outer, is_top, "sum", x.bound, x.where),
        Statement(others, outer, Read(Str(ties), *outer) - 1),
        Statement(beyond, outer, Read(Str(rest), *outer) + Read(Str(others), *outer)),
        Statement(inverse, outer, 1 / (1 + more)),
        Statement(log, outer, nd.Log1p(more)),
    )
    return statements, Read(Str(inverse), *outer), Read(Str(log), *outer)
