"""Turns a loss's formula into a program of statements.

In: a ``LossSpec`` and its stable expressions. Out: a checked ``Program`` in which every reduction
is a statement, the author's names are kept, and statements stand in the author's order.

    lse = logsumexp(x[n, c], c); return lse - x[n, target[n]]
    lse[n] = logsumexp_{c} x[n, c]
    loss[n] = lse[n] - x[n, target[n]]

A fault of its own making raises ``GrammarError``; specs were checked before.
"""

from lossgen.lower.lowering import lower
from lossgen.lower.order import in_order_of_writing, item_letters
from lossgen.lower.protection import protect
from lossgen.lower.recording import DIVISOR, ITEM
from lossgen.lower.through_names import protect_names

__all__ = [
    "DIVISOR",
    "ITEM",
    "in_order_of_writing",
    "item_letters",
    "lower",
    "protect",
    "protect_names",
]
