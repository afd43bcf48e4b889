"""What autograd of the plain function keeps for its backward, inputs apart.

In: a forward program, and what is known of its static conditions.  Out: expressions.

    loss[e] = where(near[e], exp(x[e])*w[e], 0)  →  near[e], exp(x[e])    (w is an input)

It is a model of torch's own derivatives: which of them need their argument, which their result.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.nodes import TRUE, Along, Read, Where, free_letters, is_scalar, is_static, walk
from lossgen.program import Program, Statement, kind_of
from lossgen.roles import Kind
from lossgen.static import NEVER, narrow, resolve

# Functions whose backward in torch keeps their result rather than their argument.
_KEEPS_RESULT = (nd.Exp, nd.Sigmoid, nd.Sqrt, nd.Tanh, nd.Expm1)


def retained(forward: Program, known: Mapping[sp.Basic, bool]) -> dict[sp.Basic, Kind]:
    """What autograd keeps for the gradient of the first input, and the kind of each."""
    kinds: dict[str, Kind] = {a.name: a.kind for a in forward.inputs}
    varying = {next((a.name for a in forward.inputs if a.kind == "real"), "")}
    kept: set[sp.Basic] = set()
    for x in (r for y in forward.statements if (r := _under(y, known)) is not None):
        kinds[x.name] = x.kind
        if not x.reads() & varying:
            continue
        if x.kind == "real" and x.op != "fitting":
            varying.add(x.name)
        if x.op in ("softmax", "log_softmax"):
            kept.add(Read(Str(x.name), *x.free))
        here = Read(Str(x.name), *x.free) if x.op == "map" else None
        for node in walk(x.body):
            values = _kept_for(node, varying)
            kept |= {here if here is not None and v == x.body else v for v in values}
        if x.op in ("norm", "logsumexp"):
            kept.add(x.body)
        if x.op == "nll":
            kept.add(Along("log_softmax", x.body, x.bound[0], x.bound[0]))
        if x.where is not TRUE:
            kept.add(x.where)
    inputs = {a.name for a in forward.inputs}
    ours = (v for v in kept if not (isinstance(v, Read) and v.name in inputs))
    return {v: kind_of(v, kinds) for v in ours}


def large(kept: Mapping[sp.Basic, Kind], forward: Program) -> int:
    """How many of the values kept are as large as an input."""
    size = rank(forward)
    return sum(kind == "real" and len(free_letters(v)) >= size for v, kind in kept.items())


def rank(forward: Program) -> int:
    """The number of axes of the largest real input."""
    return max((len(a.axes) for a in forward.inputs if a.kind == "real"), default=0)


def _under(x: Statement, known: Mapping[sp.Basic, bool]) -> Statement | None:
    """A statement under known conditions; None where nothing needs it."""
    if narrow(x.guard, known) == NEVER:
        return None
    return x.mapped(lambda e: resolve(e, known))


def _kept_for(node: sp.Basic, varying: set[str]) -> set[sp.Basic]:
    def moves(expr: sp.Basic) -> bool:
        return any(isinstance(x, Read) and x.name in varying for x in walk(expr))

    if not moves(node) or isinstance(node, nd.StopGradient):
        return set()
    if isinstance(node, Read):
        return {p for p in node.subscripts if shifted_letter(p) is None and not p.is_Integer}
    if isinstance(node, Where):
        return set() if is_static(node.args[0]) else {node.args[0]}
    if isinstance(node, sp.Mul):
        factors = [f for f in node.args if not is_scalar(f)]
        return {f for f in factors if any(moves(g) for g in factors if g is not f)}
    if isinstance(node, _KEEPS_RESULT):
        return {node}
    if isinstance(node, nd.Hypot):
        return {node, *(a for a in node.args if moves(a))}
    if isinstance(node, nd.LogMixture):
        return {node.args[0], nd.Expm1(node.args[0])}
    if isinstance(node, nd.LogAddExp):
        return set(node.args)
    if isinstance(node, sp.Pow):
        return {node} if node.exp == -1 else {node.base}
    if isinstance(node, nd.Max) and is_scalar(node.args[0]) != is_scalar(node.args[1]):
        return {node}
    if isinstance(node, (nd.Unary, nd.Clip)):
        return {node.args[0]}
    return set()
