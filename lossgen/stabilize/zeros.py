"""What cannot be 0, after rounding either, and quotients by it.

In: expressions, and what is known of their parts.  Out: whether one is above 0 as a float, and the
same expression with plain quotients for those that count as 0 where the divisor is.

    above_zero(var[d] + eps)                        →  true, for a positive option eps
    above_zero(sigmoid(x[e]))                       →  false: it may be too small for a float
    ratio(1, std[d]), std[d] = sqrt(var[d] + eps)   →  1/std[d]
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Compare, Read, Where, is_scalar, rebuild
from lossgen.stabilize.known import Known


def above_zero(expr: sp.Basic, known: Known) -> bool:
    """Whether a value is greater than 0 however it is rounded."""
    if isinstance(expr, Read) and (body := known.body(expr.name)) is not None:
        return above_zero(body, known)
    if isinstance(expr, nd.Let):
        return above_zero(expr.body, known)
    if is_scalar(expr) or (isinstance(expr, Read) and known.declares(expr.name)):
        return known.of(expr).positive
    if isinstance(expr, nd.Sqrt):
        return above_zero(expr.arg, known)
    if isinstance(expr, sp.Add):
        least_zero = all(known.of(x).nonnegative for x in expr.args)
        return least_zero and any(above_zero(x, known) for x in expr.args)
    if isinstance(expr, nd.Max) and not isinstance(expr, nd.Min):
        return any(above_zero(x, known) for x in expr.args[:2])
    if isinstance(expr, Where):
        condition, yes, no = expr.args
        asked = isinstance(condition, Compare) and condition.op == ">" and condition.right == 0
        return asked and condition.left == yes and above_zero(no, known)
    return False


def without_idle_ratios(expr: sp.Basic, known: Known) -> sp.Basic:
    """The expression with a quotient for each ratio whose divisor is never 0."""
    if not expr.has(nd.Ratio):
        return expr
    expr = rebuild(expr, [without_idle_ratios(a, known) for a in expr.args])
    if isinstance(expr, nd.Ratio) and above_zero(expr.args[1], known):
        return expr.args[0] / expr.args[1]
    return expr
