"""What the forward keeps for the backward.

In: the forward program and the statements of its backward.  Out: the names to keep, and the
statements to compute again.  Results of reductions are small and always kept.  Of elementwise
values as large as an input, the dearest to compute again are kept, but always fewer than autograd
of the plain function would keep (where that is one, as many).

    m[n] = amax_c x[n, c]; e[n, c] = x[n, c] - m[n]; d_x reads e  →  keeps m, computes e again

It keeps no name that a result may simply be: a Function must not return one tensor twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import Read, Where, free_letters, is_scalar, is_static, rebuild, walk
from lossgen.program import REDUCTIONS, Program, Statement
from lossgen.static import ALWAYS, resolve, switches

# What computing a node again costs, in passes of plain arithmetic over the same elements.
_COST: dict[type[sp.Basic], int] = {
    nd.Exp: 4, nd.Log: 4, nd.Sigmoid: 4, nd.LogSigmoid: 6, nd.Softplus: 6, nd.Log1p: 5, nd.Expm1: 5,
    nd.LogCosh: 12, nd.Tanh: 5, nd.Sin: 5, nd.Cos: 5, nd.Acos: 8, nd.Atan: 6, nd.Erf: 5,
    nd.Lgamma: 20, nd.Step: 3, nd.Xlogy: 5, nd.LogAddExp: 10, nd.Erfc: 5, nd.Erfcx: 8,
    nd.LogErfc: 16, nd.Log1mExp: 12, nd.Hypot: 5, nd.HypotM1: 8, nd.Pow1pM1: 16, nd.RelEntropy: 16,
    nd.LogRatio: 14, nd.Asinh: 8, nd.Log1pSquare: 14, nd.HypotPowM1: 24, nd.HypotPowSlope: 10,
    nd.LogSum: 9, nd.Gauss: 18, nd.GaussM1: 8, nd.Sqrt: 2, sp.Pow: 3, nd.Ratio: 2,
}  # fmt: skip
# Functions whose backward in torch keeps their result rather than their argument.
_KEEPS_RESULT = (nd.Exp, nd.Sigmoid, nd.Sqrt, nd.Tanh, nd.Expm1)


def cost(expr: sp.Expr) -> int:
    """What computing an expression again costs, in passes of plain arithmetic."""
    return sum(_passes(x) for x in walk(expr) if not isinstance(x, Read))


def _passes(node: sp.Basic) -> int:
    if not node.args or is_scalar(node):
        return 0
    if isinstance(node, Where) and is_static(node.args[0]):
        return 0
    if isinstance(node, (sp.Add, sp.Mul)):
        # What is one number joins the others before it meets an array; a sign costs nothing.
        arrays = sum(not is_scalar(a) for a in node.args)
        numbers = any(is_scalar(a) and a != -1 for a in node.args)
        return arrays - 1 + numbers
    if isinstance(node, sp.Pow) and node.exp in (-1, 2, 3):
        return 1
    return _COST.get(type(node), 1)


def kept_by_autograd(forward: Program) -> int:
    """How many values as large as an input autograd of the plain function keeps, inputs apart."""
    rank = _rank(forward)
    varying = {a.name for a in forward.inputs if a.kind == "real"}
    kept: set[sp.Basic] = set()
    for x in forward.statements:
        if not x.reads() & varying:
            continue
        if x.kind == "real":
            varying.add(x.name)
        if x.op in ("softmax", "log_softmax"):
            kept.add(Read(Str(x.name), *x.free))
        here = Read(Str(x.name), *x.free) if x.op == "map" else None
        for node in walk(x.body):
            values = _kept_for(node, varying)
            kept |= {here if here is not None and v == x.body else v for v in values}
        if x.op == "norm":
            kept.add(x.body)
    inputs = {a.name for a in forward.inputs}
    large = [
        v
        for v in kept
        if len(free_letters(v)) >= rank and not (isinstance(v, Read) and v.name in inputs)
    ]
    return len(large)


def _kept_for(node: sp.Basic, varying: set[str]) -> set[sp.Basic]:
    def moves(expr: sp.Basic) -> bool:
        return any(isinstance(x, Read) and x.name in varying for x in walk(expr))

    if not moves(node) or isinstance(node, (Read, nd.StopGradient)):
        return set()
    if isinstance(node, sp.Mul):
        factors = [f for f in node.args if not is_scalar(f)]
        return {f for f in factors if any(moves(g) for g in factors if g is not f)}
    if isinstance(node, _KEEPS_RESULT):
        return {node}
    if isinstance(node, sp.Pow):
        return {node} if node.exp == -1 else {node.base}
    if isinstance(node, nd.Max) and is_scalar(node.args[0]) != is_scalar(node.args[1]):
        return {node}
    if isinstance(node, (nd.Unary, nd.Clip)):
        return {node.args[0]}
    return set()


def _rank(forward: Program) -> int:
    return max((len(a.axes) for a in forward.inputs if a.kind == "real"), default=0)


def with_forward_names(statements: Sequence[Statement], forward: Program) -> tuple[Statement, ...]:
    """The statements, reading what the forward computed by its name where they compute it again."""
    named: dict[sp.Basic, sp.Basic] = {}
    for x in forward.statements:
        plain = (
            x.op == "map"
            and x.kind == "real"
            and not x.extents
            and free_letters(x.body) == {*x.free}
        )
        if plain and cost(x.body) > 1 and not isinstance(x.body, Where):
            named.setdefault(x.body, Read(Str(x.name), *x.free))
        if plain and isinstance(x.body, nd.Max) and x.body.args[0] == 0 and x.body.share == 1:
            # max(0, u) > 0 exactly where u > 0.
            hinge = Read(Str(x.name), *x.free)
            named.setdefault(nd.Compare(">", x.body.args[1], 0), nd.Compare(">", hinge, 0))

    def reading(expr: sp.Basic) -> sp.Basic:
        if expr in named:
            return named[expr]
        return rebuild(expr, [reading(a) for a in expr.args]) if expr.args else expr

    done = []
    for x in statements:
        body, where, base, *target = map(reading, x.expressions())
        done.append(replace(x, body=body, where=where, base=base, target=tuple(target)))
    return tuple(done)


def choose(
    forward: Program, statements: Sequence[Statement]
) -> tuple[tuple[str, ...], tuple[Statement, ...]]:
    """The names to keep, real ones first, and the statements to compute again, in order."""
    available = {x.name: x for x in forward.statements}
    rank = _rank(forward)
    # Where autograd keeps one value, so does this: to keep none would be to compute all again.
    autograd = kept_by_autograd(forward)
    allowed = 2 if autograd == 1 else autograd
    main = _for_required_inputs(forward, statements)
    results = set().union(*(_aliases(forward.statement(r).body, {}) for r in forward.results))
    chosen: dict[str, None] = {}
    while True:
        kept = dict(chosen)
        again = _again(main, available, kept, results)
        large = [
            x for x in again.values()
            if x.kind == "real" and available[x.name].guard == ALWAYS and len(x.free) >= rank
            and x.name not in results and _dear(x) and not _detached(x)
        ]  # fmt: skip
        if not large or len(chosen) + 1 >= allowed:
            break
        chosen[max(large, key=lambda x: _total(x, again)).name] = None
    kept = dict(chosen)
    again = _again(statements, available, kept, results)
    names = [x.name for x in forward.statements if x.name in kept]
    names.sort(key=lambda name: available[name].kind != "real")
    return tuple(names), tuple(again[x.name] for x in forward.statements if x.name in again)


def _for_required_inputs(
    forward: Program, statements: Sequence[Statement]
) -> tuple[Statement, ...]:
    """The statements but those that only the gradient of an optional input reads."""
    made = {x.name: x for x in statements}
    wanted: set[str] = set()
    waiting = [f"d_{a.name}" for a in forward.inputs if not a.optional]
    while waiting:
        name = waiting.pop()
        if name in made and name not in wanted:
            wanted.add(name)
            waiting += made[name].reads()
    return tuple(x for x in statements if x.name in wanted)


def _dear(x: Statement) -> bool:
    return x.op in ("softmax", "log_softmax") or cost(x.body) >= 3


def _aliases(body: sp.Basic, known: dict[sp.Basic, bool]) -> set[str]:
    """The names that a result may simply be: a Function must not return one tensor twice."""
    body = resolve(body, known)
    condition = next(iter(switches([body])), None)
    if condition is not None:
        return _aliases(body, {**known, condition: True}) | _aliases(
            body, {**known, condition: False}
        )
    return {body.name} if isinstance(body, Read) else set()


def _detached(x: Statement) -> bool:
    return any(isinstance(node, (nd.StopGradient, nd.StraightThrough)) for node in walk(x.body))


def _total(x: Statement, again: dict[str, Statement]) -> int:
    """The cost of a statement with what only it needs."""
    own = 8 if x.op in ("softmax", "log_softmax") else cost(x.body)
    return own + sum(_total(again[r], again) for r in sorted(x.reads()) if r in again)


def _again(
    statements: Sequence[Statement],
    available: dict[str, Statement],
    kept: dict[str, None],
    results: set[str],
) -> dict[str, Statement]:
    again: dict[str, Statement] = {}

    def need(name: str) -> None:
        x = available.get(name)
        if x is None or name in again or name in kept:
            return
        if x.op in REDUCTIONS and x.guard == ALWAYS and name not in results:
            kept[name] = None
            return
        for read in sorted(x.reads()):
            need(read)
        again[name] = replace(x, guard=ALWAYS)

    for x in statements:
        for read in sorted(x.reads()):
            need(read)
    return again
