"""Makes safe what only a condition protects, through the names of parts.

    q = t/p; where(p > 0, Sum(q*x), 0)   →   q = t/where(p > 0, p, 1)

A part is computed everywhere, also where nothing comes of it: what is infinite there would meet the
0 of the branch that is not taken. What decides is computed before the part; where it depends on the
part, the part stays as it is. Where a part reads at a label, the label has been seen to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lossgen.branches import Choice, choices
from lossgen.lower.protection import protect
from lossgen.nodes import Read, free_letters, walk
from lossgen.program import Program, Statement
from lossgen.stabilize import Known


def protect_names(program: Program, known: Known) -> Program:
    """The program, its parts safe where no branch that reads them is taken.

    Args:
        program: a forward program.
        known: what is known of the values that it reads.
    """
    chosen = choices(program)
    made = {x.name: x for x in program.statements}
    done: dict[str, Statement] = {}
    for x in program.statements:
        body = x.body
        for condition, holds in chosen.get(x.name, ()):
            if x.op == "map" and _decided_without((condition, holds), x, made):
                body = protect(body, condition, holds, known, places=False)
        done[x.name] = x if body == x.body else replace(x, body=body)
    if [*done.values()] == [*program.statements]:
        return program
    return replace(program, statements=tuple(_in_order(done)))


def _decided_without(choice: Choice, x: Statement, made: dict[str, Statement]) -> bool:
    """Whether a condition is that of each element of a statement, and no reader of it."""
    condition, _ = choice
    if not free_letters(condition) <= {*x.free}:
        return False
    waiting = [r.name for r in walk(condition) if isinstance(r, Read)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name == x.name:
            return False
        if name in made and name not in seen:
            seen.add(name)
            waiting += made[name].reads()
    return True


def _in_order(statements: dict[str, Statement]) -> Iterator[Statement]:
    """Each after what it reads, else as they come."""
    done: set[str] = set()

    def with_reads(names: Iterable[str]) -> Iterator[Statement]:
        for name in names:
            if name in statements and name not in done:
                x = statements[name]
                yield from with_reads([n for n in statements if n in x.reads()])
                done.add(name)
                yield x

    yield from with_reads(statements)
