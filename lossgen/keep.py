"""What the forward keeps for the backward.

In: the forward program and the statements of its backward.  Out: the names to keep, and the
statements to compute again.  Results of reductions are small and always kept.  Of elementwise
values as large as an input, the dearest to compute again are kept, but always fewer than autograd
of the plain function would keep (where that is one, as many).  Of masks, and of small values where
autograd keeps no large one, it keeps what autograd keeps too.

A value under a static condition is kept where that holds as long as no option is given.

    m[n] = amax_c x[n, c]; e[n, c] = x[n, c] - m[n]; d_x reads e  →  keeps m, computes e again

It keeps no name that a result may simply be: a Function must not return one tensor twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.nodes import Read, Where, free_letters, is_scalar, is_static, rebuild, walk
from lossgen.program import REDUCTIONS, Program, Statement
from lossgen.retained import large, rank, retained
from lossgen.static import ALWAYS, narrow, resolve, switches

# What computing a node again costs, in passes of plain arithmetic over the same elements.
_COST: dict[type[sp.Basic], int] = {
    nd.Exp: 4, nd.Log: 4, nd.Sigmoid: 4, nd.LogSigmoid: 6, nd.Softplus: 6, nd.Log1p: 5, nd.Expm1: 5,
    nd.LogCosh: 12, nd.Tanh: 5, nd.Sin: 5, nd.Cos: 5, nd.Acos: 8, nd.Atan: 6, nd.Erf: 5,
    nd.Lgamma: 20, nd.Step: 3, nd.Xlogy: 5, nd.LogAddExp: 10, nd.Erfc: 5, nd.Erfcx: 8,
    nd.LogErfc: 16, nd.Log1mExp: 12, nd.Hypot: 5, nd.Radius: 5, nd.HypotM1: 8, nd.Pow1pM1: 16,
    nd.RelEntropy: 16, nd.LogRatio: 14, nd.Asinh: 8, nd.Log1pSquare: 14, nd.HypotPowM1: 24,
    nd.HypotPowSlope: 10, nd.LogSum: 9, nd.Gauss: 18, nd.GaussM1: 8, nd.Sqrt: 2, sp.Pow: 3,
    nd.Ratio: 2, nd.Fitted: 0, nd.Min: 4, nd.LogMixture: 14,
    nd.SettledLogMixture: 14, nd.Digamma: 20, nd.Trigamma: 20,
}  # fmt: skip


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
    if isinstance(node, sp.Pow) and not node.exp.is_number:
        return 8
    return _COST.get(type(node), 1)


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
        if plain and isinstance(x.body, nd.Max) and is_scalar(x.body.args[0]) and x.body.share == 1:
            # max(b, u) > b exactly where u > b, and min(b, u) < b where u < b.
            op, (bound, inner, *_) = "<" if isinstance(x.body, nd.Min) else ">", x.body.args
            hinge = Read(Str(x.name), *x.free)
            named.setdefault(nd.Compare(op, inner, bound), nd.Compare(op, hinge, bound))

    def reading(expr: sp.Basic) -> sp.Basic:
        if expr in named:
            return named[expr]
        return rebuild(expr, [reading(a) for a in expr.args]) if expr.args else expr

    done = []
    for x in statements:
        done.append(x.mapped(reading))
    return tuple(done)


def choose(
    forward: Program,
    recorded: Program,
    statements: Sequence[Statement],
    usual: Mapping[sp.Basic, bool],
) -> tuple[tuple[str, ...], tuple[Statement, ...]]:
    """The names to keep, real ones first, and the statements to compute again, in order.

    Args:
        forward: what autograd would differentiate.
        recorded: the same with more names, of which some may be kept.
        statements: the backward.
        usual: the static conditions as they are where no option is given.
    """
    available = {x.name: x for x in recorded.statements}
    named = {x.name for x in forward.statements}
    size = rank(forward)
    long_axes = {x for a in forward.inputs for x in a.axes if not x.name.isdigit()}
    autograd = retained(forward, usual)
    # Where autograd keeps one value, so does this: to keep none would be to compute all again.
    count = large(autograd, forward)
    allowed = 2 if count == 1 else count
    main = _for_first_input(recorded, statements)
    results = set().union(*(_aliases(recorded.statement(r).body, {}) for r in recorded.results))

    def may_be_kept(x: Statement) -> bool:
        guard = available[x.name].guard
        # What is not always there needs a line that says so.
        dear = guard == ALWAYS or x.op in ("softmax", "log_softmax") or cost(x.body) >= 5
        return narrow(guard, usual) == ALWAYS and dear and x.name not in results

    chosen: dict[str, None] = {}
    while True:
        again = _again(main, available, dict(chosen), results, usual)
        # A part without a name in the formula is kept for speed alone.
        less = len(chosen) + 1 < count
        costly = [
            x for x in again.values()
            if x.kind == "real" and len(x.free) >= size and may_be_kept(x) and _dear(x)
            and not _detached(x) and (less or x.name in named)
        ]  # fmt: skip
        if not costly or len(chosen) + 1 >= allowed:
            break
        chosen[max(costly, key=lambda x: _total(x, again)).name] = None
    # What decides between two sides is small enough to keep, so that both take the same one.
    compared = {
        read.name
        for x in main
        for part in x.expressions()
        for condition in walk(part)
        if isinstance(condition, nd.Compare) and not is_static(condition)
        for read in walk(condition)
        if isinstance(read, Read)
    }
    # The last first: what only they read need not be kept.
    for x in reversed(again.values()):
        too = {x.body, Read(Str(x.name), *x.free)} & autograd.keys()
        small = not long_axes <= {*x.free}
        side = small and x.name in compared and _dear(x) and not switches([x.body])
        small = small and count == 0 and bool(too)
        mask = x.kind == "boolean" and len(x.free) >= size and cost(x.body) > 1
        read = x.name in _again(main, available, dict(chosen), results, usual)
        wanted = small or side or (mask and too)
        if x.op == "map" and wanted and read and may_be_kept(x):
            chosen[x.name] = None

    def count_kept(also: dict[str, None]) -> int:
        kept = chosen | also
        _again(statements, available, kept, results, usual)
        return len(kept)

    # A sum of what was reduced stands for all that only it reads.
    for x in reversed(again.values()):
        also = {x.name: None}
        small = x.op == "map" and not long_axes <= {*x.free} and may_be_kept(x)
        if small and count_kept(also) < count_kept({}):
            chosen |= also
    kept = dict(chosen)
    again = _again(statements, available, kept, results, usual)
    names = [x.name for x in recorded.statements if x.name in kept]
    names.sort(key=lambda name: available[name].kind != "real")
    return tuple(names), tuple(again[x.name] for x in recorded.statements if x.name in again)


def _for_first_input(forward: Program, statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements for the gradient that is always asked for, that of what was predicted."""
    made = {x.name: x for x in statements}
    wanted: set[str] = set()
    waiting = [next((f"d_{a.name}" for a in forward.inputs if a.kind == "real"), "")]
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


def _chooses_a_reduction(
    x: Statement, available: dict[str, Statement], usual: Mapping[sp.Basic, bool]
) -> bool:
    """Whether a statement is, while no option is given, the result of a reduction."""
    body = resolve(x.body, usual)
    if x.op != "map" or not switches([x.body]) or not isinstance(body, Read):
        return False
    source = available.get(body.name)
    return source is not None and source.op in REDUCTIONS and body.subscripts == x.free


def _total(x: Statement, again: dict[str, Statement]) -> int:
    """The cost of a statement with what only it needs."""
    own = 8 if x.op in ("softmax", "log_softmax") else cost(x.body)
    return own + sum(_total(again[r], again) for r in sorted(x.reads()) if r in again)


def _again(
    statements: Sequence[Statement],
    available: dict[str, Statement],
    kept: dict[str, None],
    results: set[str],
    usual: Mapping[sp.Basic, bool],
) -> dict[str, Statement]:
    again: dict[str, Statement] = {}

    def need(name: str) -> None:
        x = available.get(name)
        if x is None or name in again or name in kept:
            return
        usually = narrow(x.guard, usual) == ALWAYS
        reduced = x.op in REDUCTIONS and usually
        if (reduced or _chooses_a_reduction(x, available, usual)) and name not in results:
            kept[name] = None
            return
        for read in sorted(x.reads()):
            need(read)
        again[name] = replace(x, guard=ALWAYS)

    for x in statements:
        for read in sorted(x.reads()):
            need(read)
    return again
