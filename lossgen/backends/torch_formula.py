"""One formula as its functions see it: names, checks, lines, and the code of its reductions.

In: a ``Compiled`` loss.  Out: a ``Formula``, from which the styles make their pages.

    Formula(compiled, public=True).reduced("mean")  →  loss.mean()

It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import sympy as sp

from lossgen.backends.torch_branches import bounded, with_branches_held
from lossgen.backends.torch_checks import TorchChecks
from lossgen.backends.torch_choices import without_branches
from lossgen.backends.torch_context import Context
from lossgen.backends.torch_expressions import Expressions
from lossgen.backends.torch_folded import foldable
from lossgen.backends.torch_fused import fused
from lossgen.backends.torch_in_place import ownership
from lossgen.backends.torch_indices import with_indices
from lossgen.backends.torch_masks import with_masks
from lossgen.backends.torch_named import with_names_read
from lossgen.backends.torch_names import Names, autograd_name, names_for
from lossgen.backends.torch_pair_masks import with_pair_masks
from lossgen.backends.torch_pairs import with_pairs_joined
from lossgen.backends.torch_recording import never_recorded, recorded_alone
from lossgen.backends.torch_repeats import Repeats
from lossgen.backends.torch_room import room
from lossgen.backends.torch_scaling import divides_by_one, scales_alone
from lossgen.backends.torch_singular import with_flat_ends
from lossgen.backends.torch_slopes import with_slopes
from lossgen.backends.torch_softplus import with_log_sigmoid, with_softplus, with_tails
from lossgen.backends.torch_statements import TorchStatements, made_with_slopes
from lossgen.backends.torch_steep import held_finite, with_held_slopes
from lossgen.backends.torch_units import with_units
from lossgen.branches import choices
from lossgen.compiled import Compiled
from lossgen.learned import usually_learned
from lossgen.nodes import Read
from lossgen.program import Program
from lossgen.schedule import (
    Block,
    schedule,
    statements_of,
    with_branches_joined,
    with_guards,
    without_copies,
)
from lossgen.spec import TAKEN
from lossgen.stabilize import Known, learn
from lossgen.static import ALWAYS, Guard, guard_of


class Formula:
    """One formula, named as its functions are."""

    def __init__(self, compiled: Compiled, *, public: bool) -> None:
        self.compiled, self.spec, self.public = compiled, compiled.spec, public
        prefix = "" if public else "_"
        self.functional = f"{prefix}{self.spec.functional_name}"
        self.plain = f"{prefix}{self.spec.function_name}"
        self.autograd = autograd_name(self.spec.class_name)
        self.item = compiled.forward.results[0]
        self.backward = with_slopes(compiled.backward)
        recorded = self.backward.recorded
        self.names = names_for(recorded, self.spec, self._known(recorded))
        self.options = Expressions(self.names, (), {})  # prints what no element enters
        self.checks = TorchChecks(
            self.spec, self.spec.functional_name if public else compiled.public_name
        )
        # Where an item is as large as the input, the Function takes the mean or sum itself: its
        # gradient then comes in as one number, and scaling it costs no pass over the elements.
        self.keeps_item = self.item in self.backward.saved
        single = len(compiled.forward.results) == 1
        self.reduces = scales_alone(compiled) and (single or not self.keeps_item)
        self.repeats = Repeats(self.spec, _printed)

    def slopes(self) -> tuple[str, ...]:
        """What the forward keeps that is as large as the lead, and a function of it alone."""
        recorded, lead = self.backward.recorded, self.checks.lead.name
        made = [recorded.statement(x) for x in self.backward.saved]
        return tuple(
            x.name
            for x in made
            if x.op == "nll_slope" and isinstance(x.body, Read) and x.body.name == lead
        )

    def reduction_names(self) -> tuple[str, ...]:
        """The reductions the functional form knows."""
        return ("none", "mean", "sum", *(k for k, _ in self.spec.divisors))

    def shape(self, name: str) -> str:
        """Code for the shape of a result."""
        x = self.compiled.forward.statement(name)
        return Context(self.compiled.forward, self.names).shape(x.free, x.extents)

    def moved_by(self, result: str) -> frozenset[str]:
        """The tensors whose gradient reads the one that comes in for a result."""
        moving = {f"grad_{result}"}
        for x in self.backward.program.statements:
            if x.reads() & moving:
                moving.add(x.name)
        return frozenset(t.name for t in self.spec.tensors if f"d_{t.name}" in moving)

    def unit_divisor(self) -> sp.Basic | None:
        """The condition without which the mean divides by the count."""
        forward = self.compiled.forward
        if len(forward.results) == 2 and divides_by_one(forward):
            return forward.statement(forward.results[-1]).body.args[0]
        return None

    def lines(
        self,
        program: Program,
        roots: Mapping[str, Guard],
        full: frozenset[str] = frozenset(),
        *,
        held: frozenset[str] = frozenset(),
        plain: bool = False,
        fusing: bool = False,
        calling: bool = False,
    ) -> list[str]:
        """The lines of a program.

        Args:
            program: what is printed.
            roots: when each of its results is needed.
            full: results that must have their whole shape.
            held: values that lines after these read.
            plain: whether autograd is to differentiate them, and a person to read them.
            fusing: whether a compiler is to fuse them.
            calling: whether they may call functions that the author wrote for parts of the loss.
        """
        own = (self.backward.program, self.compiled.backward.program)
        reverse = not fusing and program in own
        if fusing:
            program = never_recorded(program)
        elif not plain:
            program = recorded_alone(without_branches(program))
        # What the forward calls something else would mislead in the backward.
        taken = {*TAKEN, *(p.name for p in self.spec.parameters)}
        taken |= {x.name for x in self.compiled.forward.statements}
        if not fusing:
            program = with_units(program, self.backward.recorded.statements)
        if reverse:
            program = with_names_read(program, self.backward.recorded)
        program = with_log_sigmoid(program) if fusing else with_softplus(program)
        if not (fusing or plain):
            program = with_tails(program, taken)
            finite = held_finite(self.backward.program)
            known = self._known(program)
            program = with_branches_held(program, known, choices(self.compiled.forward))
            program = with_held_slopes(program, known, finite)
        if reverse:
            program = fused(with_pairs_joined(program), self._known(program))
        program = with_masks(program, taken)
        if not fusing:
            program = with_indices(with_pair_masks(program, taken), taken)
            program = with_flat_ends(program, self._known(program), self._whole())
        names = names_for(program, self.spec, self._known(program))
        names = replace(names, numbers=self._numbers(), plain=plain, fusing=fusing)
        unused = self.compiled.forward.results[1:] if self.unit_divisor() is not None else ()
        blocks = without_copies(schedule(with_guards(program, roots)), frozenset(roots))
        if calling and not plain:
            _ = self.plain_lines  # what they call is what others may
        if calling and not reverse:
            blocks = self.repeats.in_formula(program, names, blocks, frozenset(roots))
        if not (fusing or plain):
            blocks = with_branches_joined(blocks)
        if reverse:
            names = replace(
                names,
                ownership=ownership(program, blocks, self.backward.recorded, self._numbers()),
            )
            if calling:
                blocks = self.repeats.in_gradient(program, names, blocks, frozenset(roots))
        sloped = made_with_slopes(statements_of(blocks))
        kept, usual = held.union(roots), usually_learned(self.spec)
        printer = TorchStatements(program, names, full, frozenset(unused), with_slopes=sloped)
        if not (reverse or fusing):
            short = foldable(blocks, kept, self.spec.names)
            printer = replace(printer, foldable=short - sloped)
        lines = printer.lines(blocks)
        if fusing or plain:
            return lines
        return _making_room(printer, blocks, kept, usual)

    @cached_property
    def plain_lines(self) -> list[str]:
        """The lines of the formula as a person reads it."""
        # Autograd goes through every branch, also where it is not taken.
        forward = bounded(self.compiled.forward, self._known(self.compiled.forward))
        roots: dict[str, Guard] = dict.fromkeys(forward.results, ALWAYS)
        if (unit := self.unit_divisor()) is not None:
            roots[forward.results[-1]] = guard_of(unit)
        return self.lines(forward, roots, plain=True, calling=True)

    def _whole(self) -> frozenset[str]:
        """The options that are integers."""
        roles = {p.name: p.role for p in self.spec.parameters}
        return frozenset(
            name
            for name, role in roles.items()
            if role.kind == "integer" or (role.choices and all(x == int(x) for x in role.choices))
        )

    def _known(self, program: Program) -> Known:
        """What is known of the values that a program reads, what the forward keeps among them."""
        known = Known({a.name: a.role for a in self.spec.arguments})
        learn(known, (*self.backward.recorded.statements, *program.statements))
        return known

    def _numbers(self) -> frozenset[str]:
        """What comes in as one number where the Function reduces."""
        return frozenset((f"grad_{self.item}",) if self.reduces else ())

    def reduced(self, reduction: str, *, done: bool = False) -> str:
        """The code of a reduction; ``done`` if the Function has summed already."""
        item, *rest = self.compiled.forward.results
        divisor = rest[0] if rest else None
        if done:
            if reduction == "mean" and (unit := self.unit_divisor()) is not None:
                return f"{item} if {self.options.opposite(unit)} else {item} / {divisor}.sum()"
            if reduction in ("mean", "sum"):
                return item
            return f"{item} / {self.options.operand(dict(self.spec.divisors)[reduction])}"
        if reduction == "none":
            return item
        if reduction == "sum":
            return f"{item}.sum()"
        if reduction == "mean":
            if divisor is None:
                return f"{item}.mean()"
            weighted = f"{item}.sum() / {divisor}.sum()"
            if (unit := self.unit_divisor()) is not None:
                return f"{item}.mean() if {self.options.opposite(unit)} else {weighted}"
            return weighted
        expr = dict(self.spec.divisors)[reduction]
        return f"{item}.sum() / {self.options.operand(expr)}"

    def inner_reduction(self) -> str:
        """What the Function itself is asked for."""
        weighted = self.unit_divisor()
        if weighted is not None:
            given = self.options.code(weighted)
            return f'"sum" if reduction == "mean" and {given} else reduction'
        if self.spec.divisors:
            named = ", ".join(f'"{k}"' for k, _ in self.spec.divisors)
            one = len(self.spec.divisors) == 1
            test = f"reduction == {named}" if one else f"reduction in ({named})"
            return f'"sum" if {test} else reduction'
        return "reduction"


def _printed(program: Program, names: Names, blocks: Sequence[Block]) -> list[str]:
    """The lines of a function that the author wrote for a part of a loss, or of its gradient."""
    printer = TorchStatements(program, names)
    if names.ownership is None:
        short = foldable(blocks, program.results, ())
        return replace(printer, foldable=short).lines(blocks)
    printer.lines(blocks)
    return _making_room(printer, blocks, program.results, ())


def _making_room(
    printer: TorchStatements,
    blocks: Sequence[Block],
    kept: Collection[str],
    usual: Collection[str],
) -> list[str]:
    """The lines, printed once already, with those that let go of what nothing below reads."""
    large, overwritten = _large(printer.program, printer.names), printer.overwritten
    short = frozenset(printer.folded)
    going = room(blocks, large - short, kept, usual, overwritten)
    # What makes room stays a line, below which to do so.
    short -= {x.name for x in statements_of(blocks) if id(x) in going}
    going = room(blocks, large - short, kept, usual, overwritten)
    return replace(printer, foldable=short, going=going).lines(blocks)


def _large(program: Program, names: Names) -> frozenset[str]:
    """The values that have as many axes as the largest input; of elements alone few are there."""
    return frozenset(x.name for x in program.statements if len(x.free) >= max(names.rank, 2))
