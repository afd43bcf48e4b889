"""What is compared to know which number was the largest, or the smallest.

In: a statement that takes the largest of something.  Out: both sides of a comparison.

    m[n] = amax_c x[n, c]                 →  x[n, c] == m[n]
    m[n] = amax_c x[n, c]*y[n, c] + z[n]  →  each_m[n, c] == top_m[n], both computed in the backward

A sum of products may be rounded otherwise where it is computed again. Then none of its elements
would be the one that was the largest, and the gradient would be lost.
"""

from __future__ import annotations

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.differentiate.tape import Tape
from lossgen.nodes import TRUE, Read, Where, free_letters
from lossgen.program import Statement

# One rounding, whatever stands beside it.
_ROUNDED_ONCE = (nd.Abs, nd.StopGradient, nd.Ratio, nd.Max, nd.Min, Where)


def compared(tape: Tape, x: Statement) -> tuple[sp.Expr, sp.Expr]:
    """The elements, and the largest or smallest of them: both of the forward, or both made here."""
    if _the_same_again(x.body, tape):
        return x.body, Read(Str(x.name), *x.free)
    none = -sp.oo if x.op == "amax" else sp.oo
    each = x.body if x.where is TRUE else Where(x.where, x.body, none)
    letters = tape.sorted({*x.free, *x.bound, *free_letters(each)})
    if not isinstance(each, Read):
        each = Read(Str(tape.add(f"each_{x.name}", letters, each)), *letters)
    top = tape.add(f"top_{x.name}", x.free, each, x.op, x.bound)
    return each, Read(Str(top), *x.free)


def _the_same_again(expr: sp.Basic, tape: Tape) -> bool:
    """Whether every way to compute an expression gives the same number, to the last bit."""
    if isinstance(expr, Read):
        made = next((x for x in tape.forward.statements if x.name == expr.name), None)
        # What is reduced is kept.
        return made is None or made.op != "map" or _the_same_again(made.body, tape)
    if not free_letters(expr):
        return True
    if isinstance(expr, sp.Add):
        # Of two arrays and a number the arrays come first, in whatever order; of three it may vary.
        signed = [t.args[1] if isinstance(t, sp.Mul) and t.args[0] == -1 else t for t in expr.args]
        arrays = [t for t in signed if free_letters(t)]
        few = len(arrays) <= 2 and len(signed) - len(arrays) <= 1
        return few and all(isinstance(t, Read) and _the_same_again(t, tape) for t in arrays)
    if isinstance(expr, sp.Mul):
        return len(expr.args) == 2 and all(_the_same_again(a, tape) for a in expr.args)
    if isinstance(expr, sp.Pow):
        return expr.exp in (2, -1, sp.S.Half) and _the_same_again(expr.base, tape)
    if isinstance(expr, nd.Compare):
        return _the_same_again(expr.left, tape) and _the_same_again(expr.right, tape)
    once = isinstance(expr, _ROUNDED_ONCE)
    return once and all(_the_same_again(a, tape) for a in expr.args)
