"""A loss compiled: its spec, its forward program and its backward program."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.parameters import distribute
from sympy.core.symbol import Str

from lossgen.differentiate import Backward, differentiate
from lossgen.errors import Fault, SpecError
from lossgen.lower import lower, protect_names
from lossgen.nodes import FALSE, TRUE, Given, rebuild
from lossgen.program import Program, check, without_unused
from lossgen.schedule import with_guards
from lossgen.sharing import share
from lossgen.spec import TAKEN, LossSpec
from lossgen.stabilize import (
    RULES,
    Choice,
    Known,
    Refusal,
    Rule,
    Stabilizer,
    StatementStabilizer,
    choose_forms,
    declare_seeds,
    held_finite,
    learn,
    seeds_outside,
)
from lossgen.static import ALWAYS, either, switches


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the backends print.

    Attributes:
        rules: the stability rules that fired, in the formula or in its backward.
        refused: the rules that matched but whose condition could not be shown.
        choices: the forms that measurement chose over the author's.
        floating: the formula for a floating-point target.
        public_name: the functional name that errors are reported under.
    """

    spec: LossSpec
    forward: Program
    backward: Backward
    rules: tuple[Rule, ...]
    refused: tuple[Refusal, ...]
    choices: tuple[Choice, ...]
    public_name: str
    floating: Compiled | None = None


def compile_loss(spec: LossSpec, public_name: str = "", *, told: bool = False) -> Compiled:
    """Carry a spec through ``stabilize``, ``lower`` and ``differentiate``.

    Args:
        told: whether it is for a reader, whom rules that only keep numbers in range would distract.
    """
    # SymPy would spread -2*(a + b) out; the author's grouping is kept.
    with distribute(False):
        known = Known({a.name: a.role for a in spec.arguments})
        stable = Stabilizer((r for r in RULES if r.told or not told), known)
        item = stable(spec.item)
        over = None if spec.over is None else stable(spec.over)
        forward, chosen = _with_chosen_forms(lower(spec, item, over, known), known)
        taken = {*TAKEN, *(p.name for p in spec.parameters)}
        forward, backward, again = _completed(spec, share(forward, taken), known)
        if not (backward.seeds and backward.gradients):
            raise SpecError([_constant(spec)])
        name = public_name or spec.functional_name
        floating = None if spec.floating is None else compile_loss(spec.floating, name, told=told)
    fired = tuple(dict.fromkeys((*stable.fired, *again.fired)))
    refused = tuple(dict.fromkeys((*stable.refused, *again.refused)))
    choices = (*chosen, *again.choices)
    return Compiled(spec, forward, backward, fired, refused, choices, name, floating)


def _constant(spec: LossSpec) -> Fault:
    message = "the loss is the same whatever its tensors hold: its terms cancel"
    return Fault(spec.path, spec.line, message, "check its signs")


def for_readers(compiled: Compiled) -> Compiled:
    """A loss without what only keeps numbers in range, and says nothing to a reader."""
    formulas = (compiled, *((compiled.floating,) if compiled.floating else ()))
    if all(r.told for f in formulas for r in f.rules):
        return compiled
    return compile_loss(compiled.spec, compiled.public_name, told=True)


def complete(spec: LossSpec, forward: Program) -> Compiled:
    """A forward program with the backward that belongs to it, for a spec with its arguments."""
    with distribute(False):
        known = Known({a.name: a.role for a in spec.arguments})
        forward, backward, _ = _completed(spec, forward, known)
    return Compiled(spec, forward, backward, (), (), (), spec.functional_name)


def _completed(
    spec: LossSpec, forward: Program, known: Known
) -> tuple[Program, Backward, StatementStabilizer]:
    """The forward with its guards, its backward, and what made that stable."""
    guarded = with_guards(forward, dict.fromkeys(forward.results, ALWAYS))
    forward = replace(forward, statements=guarded)
    learn(known, forward.statements)
    forward = protect_names(forward, known)
    taken = {*TAKEN, *(p.name for p in spec.parameters)}
    declare_seeds(known, forward.results)
    again = StatementStabilizer(known)
    backward = differentiate(forward, again, usual_truths(spec, forward), taken)
    backward = _there_when_read(_held_finite(backward, spec, forward.results))
    return forward, backward, again


def _with_chosen_forms(forward: Program, known: Known) -> tuple[Program, tuple[Choice, ...]]:
    """The program with the forms that measurement prefers, and what was chosen."""
    statements, chosen = choose_forms(forward.statements, known)
    if not chosen:
        return forward, ()
    statements = without_unused(statements, forward.results)
    return check(replace(forward, statements=statements)), chosen


def usual_truths(spec: LossSpec, forward: Program) -> dict[sp.Basic, bool]:
    """The static conditions as they are where no option and no optional tensor is given."""
    defaults = {p.symbol: _exactly(p.default) for p in spec.parameters if p.default is not None}
    absent = {Given(Str(t.name)): False for t in spec.tensors if t.optional}
    guarding = {c for x in forward.statements for term in x.guard for c, _ in term}
    branching = switches(e for x in forward.statements for e in x.expressions())
    truths = {c: _at(c, defaults) for c in (*guarding, *branching) if c not in absent}
    return absent | {c: t is TRUE for c, t in truths.items() if t in (TRUE, FALSE)}


def _exactly(value: float) -> sp.Basic:
    """A number as conditions compare it: to SymPy 2.0 is not equal to 2."""
    whole = not isinstance(value, bool) and value == value // 1 and abs(value) < math.inf
    return sp.Integer(int(value)) if whole else sp.sympify(value)


def _at(expr: sp.Basic, values: Mapping[sp.Basic, sp.Basic]) -> sp.Basic:
    if expr in values:
        return values[expr]
    return rebuild(expr, [_at(a, values) for a in expr.args]) if expr.args else expr


def _held_finite(backward: Backward, spec: LossSpec, results: Iterable[str]) -> Backward:
    """The backward with what may overflow on its way held finite."""
    known = Known({a.name: a.role for a in spec.arguments})
    declare_seeds(known, results)
    kept, program = backward.recorded.statements, backward.program
    learn(known, (*kept, *program.statements))
    held = seeds_outside(held_finite(program.statements, known, kept), known, kept)
    return replace(backward, program=replace(program, statements=held))


def _there_when_read(backward: Backward) -> Backward:
    """What is kept is computed wherever the forward or the backward reads it."""
    recorded, program = backward.recorded, backward.program
    kept = tuple(recorded.statement(x) for x in backward.saved)
    whole = replace(program, statements=(*kept, *program.statements))
    read = {x.name: x.guard for x in with_guards(whole, dict.fromkeys(program.results, ALWAYS))}
    # What only an infinity would have asked for is not read any more.
    saved = tuple(x for x in backward.saved if x in read)
    statements = tuple(
        replace(x, guard=either(x.guard, read[x.name])) if x.name in saved else x
        for x in recorded.statements
    )
    recorded = replace(recorded, statements=without_unused(statements, (*recorded.results, *saved)))
    return replace(backward, recorded=recorded, saved=saved)
