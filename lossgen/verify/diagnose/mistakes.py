"""What people write in place of each kind of node, the likely mistakes first.

In: a node, and the letters there are. Out: (words, what stands there instead).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter
from lossgen.verify.diagnose import arithmetic, functions
from lossgen.verify.diagnose.parts import Edit

_TABLE: Mapping[type[Any], Callable[[Any, tuple[Letter, ...]], Iterator[Edit]]] = {
    nd.Along: functions.along,
    nd.Sigmoid: functions.sigmoid,
    nd.LogSigmoid: functions.log_sigmoid,
    nd.Softplus: functions.softplus,
    nd.Log: functions.log,
    nd.Exp: functions.exp,
    nd.Max: functions.extreme,
    nd.Clip: functions.clip,
    nd.Where: functions.choice,
    nd.Xlogy: functions.xlogy,
    nd.Compare: functions.comparison,
    nd.Unary: functions.unwrapped,
    nd.Reduce: arithmetic.reduce,
    nd.Let: arithmetic.part,
    sp.Pow: arithmetic.power,
    sp.Add: arithmetic.add,
    sp.Mul: arithmetic.mul,
}


def node_edits(node: sp.Basic, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """What may stand in place of a node by mistake."""
    for kind in type(node).__mro__:
        if kind in _TABLE:
            yield from _TABLE[kind](node, letters)
            return
