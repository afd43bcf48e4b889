"""Which kernels a loss needs: what each computes, and over what its programs run.

In: the C backend's ``Plan``.  Out: ``Task``s.

- *value*: the loss of each element or row, or the sum of a block of them;
- *gradient*: each gradient, from the inputs and the upstream gradient of each item.

Where sums over many elements stand between the two (``overlap[n, c] = sum_s …``):

- *sums*: their parts, one for each block of elements;
- *items*, *slopes*: from the sums, the loss of each item, and the slopes that the gradient reads.

A loss that runs over its data more often than twice raises ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lossgen.backends.c import Unsupported
from lossgen.backends.c.plan import REDUCES, Plan
from lossgen.nodes import Letter
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Task:
    """What one kernel computes.

    Attributes:
        kind: ``value``, ``gradient``, ``sums``, ``items`` or ``slopes``.
        split: letters that stand still within a program.
        rows: letters that a program takes a block of.
        inner: the letter that sums of a row run along, if any.
        statements: what is computed on the way, in order.
        writes: what is stored for each element, row or item.
        sums: what is summed, over blocks of rows.
        reads: the values that an earlier kernel stored.
    """

    kind: str
    split: tuple[Letter, ...]
    rows: tuple[Letter, ...]
    inner: Letter | None
    statements: tuple[Statement, ...]
    writes: tuple[Statement, ...]
    sums: tuple[Statement, ...]
    reads: tuple[str, ...]


def tasks(plan: Plan) -> tuple[Task, ...]:
    """The kernels of a plan, in the order in which they run.

    Raises:
        Unsupported: where there is no such order of kernels.
    """
    everything = {x.name: x for x in plan.program.statements}
    tile = tuple(y for y in plan.program.order if y in (*plan.outer, plan.lane))
    first, last = plan.passes[0], plan.passes[-1]
    gradients = [everything[g] for g in plan.gradients]
    item = everything[plan.item]
    if len(plan.passes) > 2 or (len(plan.passes) == 2 and (last.across or not first.across)):
        raise Unsupported("it goes over its data more often than twice")
    if any(x not in last.writes for x in gradients):
        raise Unsupported("a gradient is formed before the last run over the data")

    def task(
        kind: str,
        rows: tuple[Letter, ...],
        *,
        writes: Iterable[Statement] = (),
        sums: Iterable[Statement] = (),
        split: tuple[Letter, ...] = (),
        known: Collection[str] = (),
    ) -> Task:
        writes, sums = tuple(writes), tuple(sums)
        found = _needed((*writes, *sums), everything, known)
        made = tuple(
            x
            for x in plan.program.statements
            if x.name in found and x not in sums and x.name not in known
        )
        inner = plan.inner if any(_has(x, plan.inner) for x in (*made, *sums)) else None
        reads = tuple(x.name for x in plan.program.statements if x.name in found & {*known})
        return Task(kind, split, rows, inner, made, writes, sums, reads)

    if not first.across:
        terms = [item] if plan.divisor is None else [item, everything[plan.divisor]]
        if any(x not in first.writes for x in terms):
            raise Unsupported("what its mean divides by is not formed with the loss")
        return task("value", tile, writes=terms), task("gradient", tile, writes=gradients)

    if plan.divisor is not None or plan.item not in plan.small:
        raise Unsupported("its items are known only after sums over all elements")
    if any(f"grad_{plan.item}" in x.reads() for x in (*first.local, *first.across)):
        raise Unsupported("it sums over what comes in backward")
    known = frozenset(x.name for x in first.across)
    small = plan.small - known
    run = tuple(y for y in tile if y not in plan.split)
    gradient = task("gradient", tile, writes=gradients, known=plan.small)
    slopes = [everything[r] for r in gradient.reads if r in small]
    done = [
        task("sums", run, sums=first.across, split=plan.split),
        task("items", plan.split, writes=[item], known=known),
    ]
    if slopes:
        done.append(task("slopes", plan.split, writes=slopes, known=known))
    return (*done, gradient)


def _needed(
    targets: Iterable[Statement], everything: Mapping[str, Statement], known: Collection[str]
) -> set[str]:
    """The names that targets read, and theirs; what is known already ends the search."""
    found: set[str] = set()
    pending = list(targets)
    found |= {x.name for x in pending}
    while pending:
        for name in pending.pop().reads() & everything.keys():
            if name not in found:
                found.add(name)
                if name not in known:
                    pending.append(everything[name])
    return found


def _has(x: Statement, inner: Letter | None) -> bool:
    return inner is not None and (inner in x.free or (x.op in REDUCES and inner in x.bound))
