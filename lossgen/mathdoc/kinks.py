"""What the gradient is where a loss has no derivative, in words.

The rules are those of the nodes that the compiled formula is made of; only nodes through which a
gradient flows are named.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lossgen import nodes as nd
from lossgen.compiled import Compiled, for_readers
from lossgen.nodes import HALF, Read, Where, is_scalar, walk
from lossgen.program import Program, Statement

_TIES = {
    0: "is 0",
    1: "is that of the side that varies",
    HALF: "is half of that of the side that varies",
}


def singular_points(compiled: Compiled) -> list[str]:
    """One sentence for each kind of singular point that the loss has."""
    compiled = for_readers(compiled)
    found: dict[str, None] = {}
    for x in compiled.forward.statements:
        if x.kind != "real":
            continue
        if x.op in ("amax", "amin"):
            found["Equal extremes share the gradient evenly."] = None
        if x.op == "norm":
            found["At the zero vector the slope of a norm is 0."] = None
        for node in _differentiated(x.body):
            found.update(dict.fromkeys(_sentence(node, compiled.forward)))
    if any(
        isinstance(y, nd.PowerSlope)
        for x in compiled.backward.program.statements
        for y in walk(x.body)
    ):
        found["A power whose slope is infinite at base 0 has slope 0 there."] = None
    return list(found)


def _differentiated(expr: sp.Basic) -> Iterator[sp.Basic]:
    """The nodes of an expression through which a gradient flows."""
    if isinstance(expr, (nd.StopGradient, nd.Compare, nd.Junction, nd.Not)):
        return
    yield expr
    args = (
        expr.args[1:] if isinstance(expr, (Where, nd.StraightThrough, nd.Rewritten)) else expr.args
    )
    for arg in args:
        yield from _differentiated(arg)


def _sentence(node: sp.Basic, program: Program) -> Iterator[str]:
    if not any(_varies(r, program) for r in walk(node)):
        return
    if isinstance(node, nd.Abs):
        yield "At 0 the slope of an absolute value is 0."
    elif isinstance(node, nd.Clip):
        yield "At its two bounds a clipped value still has slope 1."
    elif isinstance(node, nd.Sqrt) and not _positive(node.arg, program):
        yield "At 0 the slope of a square root is 0."
    elif isinstance(node, nd.Acos):
        yield "At -1 and 1 the slope of an arc cosine is 0."
    elif isinstance(node, nd.Max):
        word = "minimum" if isinstance(node, nd.Min) else "maximum"
        first, second, share = node.args
        if not is_scalar(first) and not is_scalar(second):
            whole = f"the first gets {share}" if share in (0, 1) else "each side gets half"
            whole = "each side gets half" if share == HALF else whole
            yield f"Where the two sides of a {word} are equal, {whole} of the gradient."
        else:
            varying = 1 - share if is_scalar(first) else share
            slope = _TIES.get(varying, f"is {varying} of that of the side that varies")
            yield f"At the kink of a {word} with a constant the slope {slope}."


def _varies(node: sp.Basic, program: Program) -> bool:
    kinds = {a.name: a.kind for a in program.inputs} | {x.name: x.kind for x in program.statements}
    return isinstance(node, Read) and kinds.get(node.name) == "real"


def _positive(expr: sp.Basic, program: Program) -> bool:
    """Whether an expression is certainly greater than 0."""
    if isinstance(expr, sp.Add):
        sides = expr.args
        return any(_positive(a, program) for a in sides) and all(
            _nonnegative(a, program) for a in sides
        )
    if isinstance(expr, sp.Mul):
        return all(_positive(a, program) for a in expr.args)
    if isinstance(expr, Read):
        made = _made(expr, program)
        return made is not None and made.op == "map" and _positive(made.body, program)
    return bool(expr.is_positive)


def _nonnegative(expr: sp.Basic, program: Program) -> bool:
    if isinstance(expr, sp.Mul):
        return all(_nonnegative(a, program) for a in expr.args)
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_even) or _nonnegative(expr.base, program)
    if isinstance(expr, Read):
        made = _made(expr, program)
        return (
            made is not None
            and made.op in ("map", "sum", "mean")
            and _nonnegative(made.body, program)
        )
    # A size less one is at least 0.
    sized = isinstance(expr, sp.Add) and any(isinstance(a, nd.Size) for a in expr.args)
    return bool(expr.is_nonnegative) or sized or _positive(expr, program)


def _made(read: Read, program: Program) -> Statement | None:
    return next((x for x in program.statements if x.name == read.name), None)
