"""Roots, powers and arc cosines that autograd may differentiate where their slope is infinite.

In: a program.  Out: the same, where a function whose slope is infinite at the end of its domain is
one whose slope there is 0, unless its argument cannot be there.

    sqrt(mean_square[n])       →  flat_sqrt(mean_square[n])
    miss[e]**gamma             →  flat_power(miss[e], gamma)
    sqrt(var[d] + eps)         stays: eps is above 0

The closed-form backward has those slopes by its own rules. But the plain function, forward mode and
second derivatives are torch's, whose infinite slope times the 0 of what stands inside is NaN. It
refuses nothing.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_rewriting import rewritten
from lossgen.program import Program
from lossgen.stabilize.known import Known
from lossgen.stabilize.zeros import above_zero


class FlatSqrt(nd.Unary):
    """A square root of slope 0 at 0."""

    __slots__ = ()
    is_nonnegative = True


class FlatAcos(nd.Unary):
    """An arc cosine of slope 0 at -1 and 1."""

    __slots__ = ()


class FlatPower(nd.Node):
    """The first argument to the power of the second, of slope 0 where the first is 0."""

    __slots__ = ()


def with_flat_ends(program: Program, known: Known, whole: frozenset[str]) -> Program:
    """The program with slope 0 where torch's would be infinite.

    Args:
        program: what autograd may differentiate.
        known: what is known of the values that it reads.
        whole: the options that are integers.
    """

    def root(x: nd.Sqrt) -> sp.Expr:
        return x if above_zero(x.arg, known) else FlatSqrt(x.arg)

    def power(x: sp.Pow) -> sp.Expr:
        exponent = known.of(x.exp)
        steep = not x.exp.is_Integer and exponent.low < 1 and exponent.high > 0
        if not steep or _is_whole(x.exp, whole) or above_zero(x.base, known):
            return x
        return FlatSqrt(x.base) if x.exp == nd.HALF else FlatPower(x.base, x.exp)

    program = rewritten(program, nd.Sqrt, root)
    program = rewritten(program, nd.Acos, lambda x: FlatAcos(x.arg))
    return rewritten(program, sp.Pow, power)


def _is_whole(expr: sp.Basic, whole: frozenset[str]) -> bool:
    """Whether a number is an integer, as sums and products of integers are."""
    if isinstance(expr, nd.Param):
        return expr.name in whole
    if isinstance(expr, (sp.Add, sp.Mul)):
        return all(_is_whole(x, whole) for x in expr.args)
    return bool(expr.is_Integer)
