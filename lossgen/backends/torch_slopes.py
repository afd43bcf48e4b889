"""The slope of a negative log-likelihood, kept by the forward that has it in hand.

In: a ``Backward``.  Out: the same, in which no softmax is computed again for such a slope.

    d_x[n, c] = d_nll[n]*softmax_x[n, c], but expm1(-nll_x[n])*d_nll[n] at [n, label[n]]
    →  d_x[n, c] = d_nll[n]*slope_x[n, c]

The value needs the softmax without the label's probability, and its sum: with minus that sum at
the label the softmax is the slope, exact to rounding.  Autograd keeps as much.  It refuses nothing:
what has another form stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.differentiate import Backward
from lossgen.nodes import TRUE, ZERO, Read
from lossgen.program import Array, Program, Statement, without_unused
from lossgen.static import ALWAYS


@dataclass(frozen=True, slots=True)
class _Found:
    """A placed slope: the likelihood that it belongs to, and what multiplies it."""

    likelihood: Statement
    softmax: Statement
    factor: sp.Expr


def with_slopes(backward: Backward) -> Backward:
    """A backward that reads slopes of likelihoods from its forward."""
    program, recorded = backward.program, backward.recorded
    slopes: dict[str, Statement] = {}
    taken = {x.name for x in (*program.statements, *recorded.statements)}
    taken |= {a.name for a in program.inputs}
    statements: list[Statement] = []
    for x in program.statements:
        if (found := _placed(x, backward)) is not None:
            likelihood = found.likelihood
            if likelihood.name not in slopes:
                name = f"slope{likelihood.name.removeprefix('nll')}"
                while name in taken:
                    name += "_"
                target = (likelihood.target[0], Read(Str(likelihood.name), *likelihood.free))
                slopes[likelihood.name] = replace(
                    found.softmax, name=name, op="nll_slope", target=target, guard=ALWAYS
                )
            slope = slopes[likelihood.name]
            body = found.factor * Read(Str(slope.name), *slope.free)
            x = replace(x, op="map", body=body, base=ZERO, target=())
        statements.append(x)
    if not slopes:
        return backward
    kept = without_unused(tuple(statements), program.results)
    kept = _with_values(kept, [backward.recorded.statement(x) for x in slopes], backward)
    reads = {name for x in kept for name in x.reads()}
    made = {x.name for x in kept}
    saved = [x for x in backward.saved if x in reads and x not in made]
    arrays = [a for a in program.inputs if a.name not in backward.saved or a.name in saved]
    arrays += [Array(s.name, s.free) for s in slopes.values()]
    # The real ones first, as ever.
    whole = [s.name for s in slopes.values()]
    reals = [x for x in saved if recorded.statement(x).kind == "real"]
    others = [x for x in saved if x not in reals]
    forward: list[Statement] = []
    for x in recorded.statements:
        forward.append(x)
        if x.name in slopes:
            forward.append(slopes[x.name])
    return replace(
        backward,
        program=replace(program, inputs=tuple(arrays), statements=kept),
        recorded=replace(recorded, statements=tuple(forward)),
        saved=(*reals, *whole, *others),
    )


def _with_values(
    statements: tuple[Statement, ...], values: list[Statement], backward: Backward
) -> tuple[Statement, ...]:
    """The statements, with those values anew that the gradient of what was predicted does not read.

    They are kept for gradients that are seldom asked for.
    """
    first = next((f"d_{a.name}" for a in backward.recorded.inputs if a.kind == "real"), "")
    main = {r for x in without_unused(statements, (first,)) for r in x.reads()}
    out = list(statements)
    for x in values:
        places = [k for k, y in enumerate(out) if x.name in y.reads()]
        here = {a.name for a in backward.program.inputs}.union(
            y.name for y in out[: min(places, default=0)]
        )
        if places and x.name not in main and x.reads() <= here:
            out.insert(places[0], x)
    return tuple(out)


def _placed(x: Statement, backward: Backward) -> _Found | None:
    """The slope of a likelihood that a statement puts together, times something."""
    if x.op != "place" or not isinstance(x.base, sp.Mul):
        return None
    for factor in sp.Mul.make_args(x.body):
        argument = -factor.arg if isinstance(factor, nd.Expm1) else None
        if not isinstance(argument, Read):
            continue
        likelihood = _statement(backward.recorded, argument.name)
        rest = sp.Mul(*(f for f in sp.Mul.make_args(x.body) if f is not factor))
        if (
            likelihood is None
            or likelihood.op != "nll"
            or likelihood.where is not TRUE
            or likelihood.extents
            or likelihood.guard != ALWAYS
        ):
            continue
        for read in (f for f in x.base.args if isinstance(f, Read)):
            softmax = _statement(backward.program, read.name)
            if (
                softmax is not None
                and softmax.op == "softmax"
                and (softmax.body, softmax.bound) == (likelihood.body, likelihood.bound)
                and x.base == rest * Read(Str(softmax.name), *softmax.free)
                and argument == Read(Str(likelihood.name), *likelihood.free)
            ):
                return _Found(likelihood, softmax, rest)
    return None


def _statement(program: Program, name: str) -> Statement | None:
    return next((x for x in program.statements if x.name == name), None)
