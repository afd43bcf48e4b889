"""A loss compiled: its spec, its forward program and its backward program."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sympy.core.parameters import distribute

from lossgen.differentiate import Backward, differentiate
from lossgen.lower import lower
from lossgen.program import Program, check, without_unused
from lossgen.schedule import with_guards
from lossgen.sharing import share
from lossgen.spec import TAKEN, LossSpec
from lossgen.stabilize import (
    Choice,
    Known,
    Refusal,
    Rule,
    Stabilizer,
    StatementStabilizer,
    choose_forms,
    held_finite,
    learn,
)
from lossgen.static import ALWAYS


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


def compile_loss(spec: LossSpec, public_name: str = "") -> Compiled:
    """Carry a spec through ``stabilize``, ``lower`` and ``differentiate``."""
    # SymPy would spread -2*(a + b) out; the author's grouping is kept.
    with distribute(False):
        known = Known({a.name: a.role for a in spec.arguments})
        stable = Stabilizer(known=known)
        item = stable(spec.item)
        over = None if spec.over is None else stable(spec.over)
        forward, chosen = _with_chosen_forms(lower(spec, item, over), known)
        forward = share(forward, {*TAKEN, *(p.name for p in spec.parameters)})
        forward = replace(
            forward, statements=with_guards(forward, dict.fromkeys(forward.results, ALWAYS))
        )
        learn(known, forward.statements)
        again = StatementStabilizer(known, [f"grad_{r}" for r in forward.results])
        backward = differentiate(forward, again)
        learn(known, backward.program.statements)
        held = held_finite(backward.program.statements, known)
        backward = replace(backward, program=replace(backward.program, statements=held))
        name = public_name or spec.functional_name
        floating = None if spec.floating is None else compile_loss(spec.floating, name)
    fired = tuple(dict.fromkeys((*stable.fired, *again.fired)))
    refused = tuple(dict.fromkeys((*stable.refused, *again.refused)))
    choices = (*chosen, *again.choices)
    return Compiled(spec, forward, backward, fired, refused, choices, name, floating)


def _with_chosen_forms(forward: Program, known: Known) -> tuple[Program, tuple[Choice, ...]]:
    """The program with the forms that measurement prefers, and what was chosen."""
    statements, chosen = choose_forms(forward.statements, known)
    if not chosen:
        return forward, ()
    statements = without_unused(statements, forward.results)
    return check(replace(forward, statements=statements)), chosen
