"""Products with a sigmoid that keep their digits where it alone is below the least normal number.

In: statements of a backward.  Out: the same, where what is multiplied grows as the sigmoid falls:

    d_y[e] = grad[e]*x[e]*sigmoid(-x[e]*y[e])
        →  fading_y[e] = grad[e]*x[e]*sigmoid(max(-x[e]*y[e], -60))
           d_y[e] = fading_y[e]*exp(min(60 - x[e]*y[e], 0))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import ZERO, Read
from lossgen.program import Statement
from lossgen.stabilize.known import Known

_NORMAL = 60  # so far below 0 a sigmoid times anything ordinary has all its digits


def faded(
    statements: Iterable[Statement], known: Known, name: Callable[[str], str]
) -> Iterator[Statement]:
    """The statements, such products as two each."""
    made: dict[str, Statement] = {}
    for x in statements:
        made[x.name] = x
        found = _product(x, made, known) if x.op == "map" and x.name.startswith("d_") else None
        if found is None:
            yield x
            continue
        rest, u = found
        head = name(f"fading_{x.name.removeprefix('d_')}")
        near = nd.Sigmoid(nd.Max(u, sp.Integer(-_NORMAL)))
        yield replace(x, name=head, body=rest * near)
        yield replace(x, body=Read(Str(head), *x.free) * nd.Exp(nd.Min(u + _NORMAL, ZERO)))


def _product(
    x: Statement, made: Mapping[str, Statement], known: Known
) -> tuple[sp.Expr, sp.Expr] | None:
    """What a sigmoid is multiplied by, and its argument, where they have a factor in common."""
    number, factors = x.body.as_coeff_mul()
    for factor in factors:
        sigmoid = factor
        if isinstance(factor, Read) and factor.name in made:
            source = made[factor.name]
            sigmoid = source.body if factor == Read(Str(source.name), *source.free) else factor
        if not isinstance(sigmoid, nd.Sigmoid):
            continue
        rest = [f for f in factors if f is not factor]
        inside = {f for f in sp.Mul.make_args(sigmoid.arg) if isinstance(f, Read)}
        if any(not known.of(f).within(-1.0, 1.0) for f in inside & {*rest}):
            return sp.Mul(number, *rest), sigmoid.arg
    return None
