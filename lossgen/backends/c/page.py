"""The C file of a loss as a page.

In: a ``Compiled`` loss.  Out: ``Kernels``: its plans and the ``KernelsPage`` of their functions.

    dice  →  int dice(…); cross_entropy → int cross_entropy(…), int cross_entropy_rows(…), …

It raises ``Unsupported`` where a loss has no kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.backends.c.carried import CARRIED, carried, carries, condition
from lossgen.backends.c.conditions import atoms, integer_macro, macro, whole_exponent
from lossgen.backends.c.division import Division
from lossgen.backends.c.entry import Member, entry, members
from lossgen.backends.c.joined import joined
from lossgen.backends.c.kernel import Kernel, kernel
from lossgen.backends.c.parameters import Parameter, parameters
from lossgen.backends.c.places import Places
from lossgen.backends.c.plan import Plan, planned
from lossgen.backends.c.unsupported import Unsupported
from lossgen.backends.c.words import ROWS, SHORT
from lossgen.backends.torch_tensors import Tensors
from lossgen.compiled import Compiled
from lossgen.nodes import Param, walk
from lossgen.program import Program, without_unused
from lossgen.schedule import with_guards
from lossgen.static import ALWAYS, guard_of

SHORTEST = 32  # elements of a row from which it is not
STREAMED = "STREAMED"  # whether gradients are written past the caches


@dataclass(frozen=True, slots=True)
class Kernels:
    """The kernels of one formula.

    Attributes:
        columns: the kernel whose vectors run along the lane; `rows`: along the inner letter.
        divisor: the kernel that sums what the mean divides by.
        entry: the function that Python calls, which calls these.
        conditions: what is decided when C is compiled: static conditions and whole exponents.
        alone: whether no other formula's kernels are in the file.
        in_place: whether gradients are written where their inputs were.
    """

    plan: Plan
    columns: Kernel | None
    rows: Kernel | None
    divisor: Kernel | None
    entry: Kernel
    conditions: tuple[sp.Basic, ...]
    exponents: tuple[Param, ...]
    alone: bool = True
    in_place: bool = False

    @property
    def both(self) -> bool:
        """Whether vectors run along one letter or the other, as the layout has it."""
        return self.columns is not None and self.rows is not None and self.plan.lane is not None

    @property
    def members(self) -> tuple[Member, ...]:
        """What Python packs for a call."""
        first = self.columns or self.rows
        assert first is not None
        return members(first.parameters, weigh=self.divisor is not None)

    @property
    def all(self) -> tuple[Kernel, ...]:
        """Those that there are."""
        return tuple(
            k for k in (self.columns, self.rows, self.divisor, self.entry) if k is not None
        )


def kernels_of(
    compiled: Compiled, name: str, *, in_place: bool = False, carry: bool = False
) -> Kernels:
    """The kernels of a formula.

    Args:
        in_place: whether its gradients are written where their inputs were.
        carry: whether a pass may leave values for the next where gradients will be.

    Raises:
        Unsupported: where it has none.
    """
    program, plan = _without_partial(joined(compiled))
    if carry and (left := carried(program, plan)) != program:
        plan = planned(guarded(left))
    spec = compiled.spec
    takes = parameters(plan, spec, in_place=in_place)
    columns = rows = divisor = None
    lane = plan.lane
    if lane is None and plan.spreads and not in_place:
        (lane,) = plan.outer
    if lane is not None:
        doc = (f"Vectors run along {lane}.",) if plan.inner else ()
        columns = kernel(
            plan,
            lane,
            f"{name}_along_{lane}",
            (spec.summary, *doc),
            takes,
            in_place=in_place,
        )
    # Rows of another tensor than the one that the layout is chosen by are loops within a lane.
    lead = {*Tensors(spec, "").lead.axes}
    if plan.inner is not None and (plan.lane is None or {plan.lane, plan.inner} <= lead):
        if in_place and any(
            Division(x, Places(plan, plan.inner)).overwrites() for x in plan.passes
        ):
            raise Unsupported("it reads scores again once their gradient is known")
        doc = (f"Vectors run along {plan.inner}.",)
        rows = kernel(
            plan,
            plan.inner,
            f"{name}_along_{plan.inner}",
            (spec.summary, *doc),
            takes,
            in_place=in_place,
        )
    if plan.divisor is not None:
        divisor = _divisor(program, plan.divisor, name, takes)
    called = entry(plan, name, columns, rows, divisor)
    return Kernels(plan, columns, rows, divisor, called, *decided(plan), in_place=in_place)


def decided(plan: Plan) -> tuple[tuple[sp.Basic, ...], tuple[Param, ...]]:
    """What is decided when C is compiled: conditions, and options that are exponents."""
    told = {condition(lead) for lead in carries(plan)}
    conditions = dict.fromkeys(
        c
        for x in plan.program.statements
        for e in (*x.expressions(), *(c for term in x.guard for c, _ in term))
        for c in atoms(e)
        if not isinstance(c, nd.Needs) and c not in told
    )
    exponents = dict.fromkeys(
        found[0]
        for x in plan.program.statements
        for e in x.expressions()
        for y in walk(e)
        if (found := _option(y))
    )
    return tuple(conditions), tuple(exponents)


def layouts(kernels: Kernels) -> list[str]:
    """What C is told of the layout, and of how gradients are written."""
    told = {
        ROWS: kernels.both,
        SHORT: kernels.rows is not None,
        STREAMED: any(k.streams for k in kernels.all),
    }
    return [name for name, holds in told.items() if holds]


def apart(found: Sequence[Kernels]) -> list[Kernels]:
    """The kernels of one file, of which a call compiles those of its formula and its layout."""
    out = []
    for k in found:
        own = k.entry.name.upper() if len(found) > 1 else ""
        columns, rows = (f"!{ROWS}", ROWS) if k.both else ("", "")
        if k.both and k.plan.spreads:
            columns, rows = f"(!{ROWS} || {SHORT})", f"{ROWS} && !{SHORT}"
        elif k.columns is not None and k.rows is not None and k.plan.lane is None:
            columns, rows = SHORT, f"!{SHORT}"
        parts = replace(
            k,
            columns=_only(k.columns, own, columns),
            rows=_only(k.rows, own, rows),
            divisor=_only(k.divisor, own),
            entry=replace(k.entry, only=own),
            alone=len(found) == 1,
        )
        out.append(parts)
    return out


def _only(kernel: Kernel | None, *conditions: str) -> Kernel | None:
    return kernel and replace(kernel, only=" && ".join(filter(None, conditions)))


def _divisor(program: Program, name: str, loss: str, takes: tuple[Parameter, ...]) -> Kernel:
    """The kernel that sums the terms of the mean's divisor."""
    alone = replace(
        program,
        inputs=tuple(a for a in program.inputs if not a.name.startswith("grad_")),
        results=(name,),
        statements=without_unused(program.statements, (name,)),
    )
    plan = planned(guarded(alone), partial=True)
    letter = plan.lane if plan.lane is not None else plan.inner
    assert letter is not None
    return kernel(
        plan, letter, f"{loss}_divisor", ("What the mean divides by.",), takes, in_place=False
    )


def _option(power: sp.Basic) -> tuple[Param, int] | None:
    """The option that is the exponent of a power, if one is."""
    if isinstance(power, nd.HypotPowSlope):
        return whole_exponent(power.args[1] - 1)
    return whole_exponent(power.args[1]) if isinstance(power, (sp.Pow, nd.PowerSlope)) else None


def _without_partial(program: Program) -> tuple[Program, Plan]:
    """A program and its plan, without the gradients that no pass forms whole."""
    plan = planned(guarded(program))
    left = plan.program.results
    if left == program.results:
        return program, plan
    # Nor does what they were needed for, alone, have a reason any more.
    fewer = replace(program, results=left, statements=without_unused(program.statements, left))
    return fewer, planned(guarded(fewer))


def guarded(program: Program) -> Program:
    """The statements, each with the condition under which anything asked for needs it."""
    roots = dict.fromkeys(program.results, ALWAYS)
    for r in program.results:
        if r.startswith("d_"):
            roots[r] = guard_of(nd.Needs(Str(r.removeprefix("d_"))))
        if r.startswith(CARRIED):
            roots[r] = guard_of(condition(r.removeprefix(CARRIED)))
    # One gradient that nobody has: without it, gradients that are all asked for would need no test.
    roots["d_"] = guard_of(nd.Needs(Str("_")))
    return replace(program, statements=with_guards(program, roots))


def defines(kernels: Kernels) -> Iterator[tuple[str, str]]:
    """What C is told when it is compiled: each name, and what it is in words."""
    if not kernels.alone:
        yield kernels.entry.name.upper(), f"whether {kernels.entry.name} is wanted"
    words = {
        ROWS: "whether vectors run along the rows of the scores",
        SHORT: "whether these rows are shorter than two of the widest vectors",
        STREAMED: "whether gradients are written past the caches, to memory that is kept",
    }
    yield from ((x, words[x]) for x in layouts(kernels))
    for g in kernels.plan.gradients:
        source = g.removeprefix("d_")
        yield f"NEED_{source.upper()}", f"whether the gradient of {source} is wanted"
    for c in kernels.conditions:
        yield macro(c), f"whether {_words(c)}"
    for p in kernels.exponents:
        yield integer_macro(p), f"{p} where it is a whole number from 0 to 4, else -1"


def _words(condition: sp.Basic) -> str:
    if isinstance(condition, nd.Given):
        return f"{condition.name} is given"
    if isinstance(condition, Param):
        return f"{condition.name} is true"
    assert isinstance(condition, nd.Compare)
    return f"{condition.left} {condition.op} {condition.right}"
