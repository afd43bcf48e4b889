"""When a gradient may come in as one number rather than one for each item.

In: a ``Compiled`` loss.  Out: whether it may, which saves a pass over the elements.

    loss[e] = (x[e] - y[e])**2; d_x[e] = grad_loss[e]*2*(x[e] - y[e])  →  True

It says no to whatever it cannot see to be safe.
"""

from __future__ import annotations

import sympy as sp

from lossgen.compiled import Compiled
from lossgen.nodes import Letter, Read, Where, is_static
from lossgen.program import Program
from lossgen.static import resolutions


def scales_alone(compiled: Compiled) -> bool:
    """Whether the incoming gradient may be one number in place of one for each item.

    It may where items are as many as the largest input's elements and each gradient has the input's
    shape through what it reads besides.
    """
    forward, backward = compiled.forward, compiled.backward
    item = forward.statement(forward.results[0])
    largest = max((a.axes for a in forward.inputs), key=len)
    weighted = len(forward.results) == 2 and forward.results[1] in backward.seeds
    unit = len(forward.results) == 1 or divides_by_one(forward)
    short = any(map(any, item.window.values()))  # fewer items than elements
    if {*item.free} != {*largest} or short or not unit or len(backward.seeds) > 1 + weighted:
        return False
    thin = {f"grad_{x}" for x in backward.seeds}
    for x in backward.program.statements:
        if not x.reads() & thin:
            continue
        if x.op != "map":
            return False
        if not all(b == 0 or _spans(b, {*item.free}, thin) for b in resolutions(x.body)):
            thin.add(x.name)
    return not thin & {*backward.program.results}


def _spans(body: sp.Basic, letters: set[Letter], thin: set[str]) -> bool:
    """Whether something in a body, thin arrays apart, has all the letters."""
    if isinstance(body, Read):
        return body.name not in thin and {*body.subscripts} >= letters
    return any(_spans(a, letters, thin) for a in body.args)


def divides_by_one(forward: Program) -> bool:
    """Whether the divisor of the mean is 1 unless an option is given."""
    body = forward.statement(forward.results[-1]).body
    return isinstance(body, Where) and is_static(body.args[0]) and body.args[2] == 1
