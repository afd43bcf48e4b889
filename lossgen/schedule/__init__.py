"""Lays out a program's statements under Python branches.

In: a ``Program``. Out: blocks, which are statements free of static conditions and ``Branch``es on
one condition. A statement that only one branch needs is computed in that branch alone, so an option
that is off costs nothing, forward and backward.

    loss[e] = where(full, a[e] + b[e], a[e])   →   if full: loss = a + b
                                                   else: loss = a

It refuses nothing: any program that keeps its grammar can be laid out.
"""

from lossgen.schedule.blocks import Block, Branch, schedule
from lossgen.schedule.copies import without_copies
from lossgen.schedule.guards import with_guards
from lossgen.schedule.joined import with_branches_joined
from lossgen.schedule.repeated import (
    Run,
    hoisted,
    in_place_of,
    reading,
    renamed,
    repeated,
    statements_of,
)

__all__ = [
    "Block",
    "Branch",
    "Run",
    "hoisted",
    "in_place_of",
    "reading",
    "renamed",
    "repeated",
    "schedule",
    "statements_of",
    "with_branches_joined",
    "with_guards",
    "without_copies",
]
