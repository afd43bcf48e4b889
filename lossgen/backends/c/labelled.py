"""What the loop over a row computes otherwise at the label, for a few lines after the loop.

In: the statements of a loop.  Out: the label, and the statements as they are elsewhere and there.

    d_x[n, c] = where(c == label, a, b)  →  for c: d_x = b;  at label: d_x = a

A comparison with each position takes longer than all else in a loop of two products.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.c.carried import LeftThere
from lossgen.nodes import Letter, free_letters
from lossgen.program import Statement


def label_of(statements: Iterable[Statement], inner: Letter) -> sp.Basic | None:
    """The one place at which statements choose; None where there are several, or none."""
    found: set[sp.Basic] = set()
    for x in statements:
        if x.body.has(LeftThere):  # which the loop overwrites
            return None
        if _chooses(x, inner):
            found.add(x.body.args[0].right)
        elif any(y.left == inner for y in x.body.atoms(nd.Compare)):
            return None
    return found.pop() if len(found) == 1 else None


def elsewhere(x: Statement, inner: Letter) -> Statement:
    """A statement as it is anywhere but at the label."""
    return replace(x, body=x.body.args[2]) if _chooses(x, inner) else x


def there(x: Statement, inner: Letter) -> Statement:
    """A statement as it is at the label."""
    return replace(x, body=x.body.args[1]) if _chooses(x, inner) else x


def _chooses(x: Statement, inner: Letter) -> bool:
    """Whether a statement is one thing at a label and another elsewhere."""
    if not isinstance(x.body, nd.Where) or not isinstance(x.body.args[0], nd.Compare):
        return False
    test = x.body.args[0]
    return bool(test.op == "==" and test.left == inner and inner not in free_letters(test.right))
