"""Exponentials of what has not moved: without a start of its own, a number is held against itself.

In: statements.  Out: the same, where such an exponential is 1 and not computed:

    start[n] = where(given(old), old[n], x[n]);  ratio[n] = exp(x[n] - start[n])
        →  ratio[n] = where(given(old), exp(x[n] - start[n]), 1 + (x[n] - x[n]))

That difference is 0, but NaN of what is not finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import ONE, ZERO, Read, Where, is_static
from lossgen.program import Statement


class Standstill(nd.Node):
    """``x - x``: 0, or NaN where x is not finite."""

    __slots__ = ()


def unmoved(statements: Iterable[Statement]) -> Iterator[Statement]:
    """The statements, with a choice in place of each such exponential."""
    made: dict[str, Statement] = {}

    def told(e: sp.Basic) -> sp.Basic:
        e = nd.rebuild(e, [told(a) for a in e.args])
        found = _still(e.arg, made) if isinstance(e, nd.Exp) else None
        return e if found is None else Where(found[0], e, ONE + found[1])

    for x in statements:
        made[x.name] = x
        yield x.mapped(told) if x.op == "map" else x


def _still(e: sp.Expr, made: Mapping[str, Statement]) -> tuple[sp.Basic, sp.Expr] | None:
    """The option under which a difference is one, and what it is without; None for all else."""
    if isinstance(e, Where) and not is_static(e.args[0]) and e.args[2] == 0:
        found = _still(e.args[1], made)
        return None if found is None else (found[0], Where(e.args[0], found[1], ZERO))
    for r in (-t if t.could_extract_minus_sign() else t for t in sp.Add.make_args(e)):
        start = made.get(r.name) if isinstance(r, Read) else None
        if start is None or start.op != "map" or not isinstance(start.body, Where):
            continue
        given, _, own = start.body.args
        own = own.arg if isinstance(own, nd.StopGradient) else own
        whole = is_static(given) and isinstance(own, Read) and r == Read(Str(r.name), *start.free)
        if whole and {*e.args} in ({own, -r}, {r, -own}):
            return given, Standstill(own)
    return None
