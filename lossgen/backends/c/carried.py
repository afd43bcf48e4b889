"""What the first pass over the data leaves for the second, in the memory of the gradient.

In: a joined ``Program`` and its ``Plan``.  Out: a program whose second pass reads a probability
back where the first has stored it, rather than computes it again:

    overlap[n, c] = sum_s p*t;  d_x[n, c, s] = … p …
        →  carried_x[n, c, s] = p;  p_again[n, c, s] = where(CARRIED_X, <what is there>, p)

The element that is read back is overwritten by its own gradient. Of a sigmoid the smaller of it and
of what it lacks of 1 is left, with the sign of its argument: either keeps all its digits.

A program that has no such value comes out as it went in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.c.plan import REDUCES, Plan
from lossgen.nodes import Param, Read
from lossgen.program import Array, Program, Statement

CARRIED = "carried_"  # what the names of values that are left begin with


class SigmoidShare(nd.Unary):
    """The smaller of a sigmoid and what it lacks of 1, with the sign of the argument."""

    __slots__ = ()


class SigmoidOfShare(nd.Unary):
    """The sigmoid that such a share is of; of minus the share, that of minus the argument."""

    __slots__ = ()


class LeftThere(nd.Node):
    """What stands in the memory of a gradient, at the element that is read."""

    __slots__ = ()


def condition(lead: str) -> Param:
    """Whether the first pass leaves something in the memory of a gradient."""
    return Param(f"carried_{lead}", boolean=True)


def carries(plan: Plan) -> tuple[str, ...]:
    """The inputs in the memory of whose gradient something is left."""
    return tuple(r.removeprefix(CARRIED) for r in plan.program.results if r.startswith(CARRIED))


def carried(program: Program, plan: Plan) -> Program:
    """The program, with a value left for the second pass where there is one."""
    lead = program.inputs[0]
    if len(plan.passes) != 2 or f"d_{lead.name}" not in {x.name for x in plan.passes[1].writes}:
        return program
    return _Carrying(program, plan, lead).program()


class _Carrying:
    def __init__(self, program: Program, plan: Plan, lead: Array) -> None:
        self.whole, self.plan, self.lead = program, plan, lead
        self.read = Read(Str(lead.name), *lead.axes)
        self.statements = {x.name: x for x in program.statements}
        late: dict[str, Statement] = {}
        for x in plan.passes[1].local:
            if x.name not in plan.small and x.reads() & (plan.small | late.keys()):
                late[x.name] = x
        self.late = late
        self.wanted = {r for x in late.values() for r in x.reads()} - late.keys() - plan.small

    def program(self) -> Program:
        """The new program."""
        values = [self.statements[r] for r in sorted(self.wanted & self.statements.keys())]
        if any(x.op != "map" or x.kind != "real" for x in values) or len(values) > 1:
            return self.whole
        for value in values:
            if {*value.free} != {*self.lead.axes} or self.lead.name not in self._sources(value):
                return self.whole
            if self.lead.name not in self.wanted and self._sums(value):
                return self._softmax(value)
        return self._sigmoid(values)

    def _made(self, value: Statement) -> list[Statement]:
        """A value and the statements that it is made of."""
        found, pending = {value.name}, [value]
        while pending:
            new = (pending.pop().reads() & self.statements.keys()) - found
            found |= new
            pending += [self.statements[name] for name in new]
        return [x for x in self.whole.statements if x.name in found]

    def _sources(self, value: Statement) -> frozenset[str]:
        return frozenset().union(*(x.reads() for x in self._made(value)))

    def _sums(self, value: Statement) -> bool:
        """Whether a value takes loops of its own, but not a pass."""
        made = self._made(value)
        return any(x.op in REDUCES for x in made) and not any(
            x.name in self.plan.small for x in made
        )

    def _softmax(self, value: Statement) -> Program:
        """What loops of its own compute is computed in the first pass alone."""
        made = self._made(value)
        names = {x.name: f"{x.name}_again" for x in made}
        again = [_renamed(replace(x, name=names[x.name]), names) for x in made]
        told = nd.Where(condition(self.lead.name), LeftThere(self.read), again[-1].body)
        again[-1] = replace(again[-1], body=told)
        late = {x.name: _renamed(x, {value.name: names[value.name]}) for x in self.late.values()}
        return self._joined(Read(Str(value.name), *self.lead.axes), again, late)

    def _sigmoid(self, values: list[Statement]) -> Program:
        """A sigmoid of the input itself."""
        name, read = f"share_{self.lead.name}", self.read
        share = Read(Str(name), *self.lead.axes)
        told: dict[sp.Basic, sp.Basic] = {
            nd.Sigmoid(read): SigmoidOfShare(share),
            nd.Sigmoid(-read): SigmoidOfShare(-share),
        }
        for value in values:
            if value.body != nd.Sigmoid(read):
                return self.whole
            told[Read(Str(value.name), *value.free)] = SigmoidOfShare(share)
        late = {x.name: _told(x, told) for x in self.late.values()}
        left = {r for x in late.values() for r in x.reads()} & {self.lead.name}
        if left or late == self.late or name in self.statements:
            return self.whole
        body = nd.Where(condition(self.lead.name), LeftThere(read), SigmoidShare(read))
        return self._joined(SigmoidShare(read), [Statement(name, self.lead.axes, body)], late)

    def _joined(
        self, left: sp.Expr, again: list[Statement], late: Mapping[str, Statement]
    ) -> Program:
        name = f"{CARRIED}{self.lead.name}"
        statements: list[Statement] = []
        for x in self.whole.statements:
            if x.name in late and again:  # before the first that reads it
                statements += again
                again = []
            statements.append(late.get(x.name, x))
        statements.append(Statement(name, self.lead.axes, left))
        return replace(
            self.whole, statements=tuple(statements), results=(*self.whole.results, name)
        )


def _renamed(x: Statement, names: Mapping[str, str]) -> Statement:
    def told(e: sp.Basic) -> sp.Basic:
        if isinstance(e, Read) and e.name in names:
            return Read(Str(names[e.name]), *e.subscripts)
        return nd.rebuild(e, [told(a) for a in e.args]) if e.args else e

    return replace(x, body=told(x.body), where=told(x.where))


def _told(x: Statement, words: Mapping[sp.Basic, sp.Basic]) -> Statement:
    """A statement in other words for some of its parts."""

    def told(e: sp.Basic) -> sp.Basic:
        if e in words:
            return words[e]
        return nd.rebuild(e, [told(a) for a in e.args]) if e.args else e

    return replace(x, body=told(x.body))
