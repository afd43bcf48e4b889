"""Which tensors of a loss are scores of classes, and along which of their dimensions.

In: a ``LossSpec`` and one of its tensors.  Out: the dimension along which a softmax of its elements
is taken.  The generated test makes one class lead there, the same in all such tensors: what is left
of the other classes is then all that a divergence is made of.  Once two classes lead together.

    log_softmax(a[s, c] / t, c)    dimension 1 of a
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sympy as sp

from lossgen.nodes import Along, Let, Letter, Read, Reduce, is_scalar, walk
from lossgen.spec import LossSpec, TensorArg


def class_dimension(spec: LossSpec, tensor: TensorArg) -> int | None:
    """The dimension of the classes that a tensor of logits scores, if a softmax is taken of it."""
    if tensor.role.name != "Logits":
        return None
    return next((place for name, place in _scores(spec.item) if name == tensor.name), None)


@cache
def _scores(item: sp.Expr) -> tuple[tuple[str, int], ...]:
    """The tensors of which a softmax is taken, each with the dimension it is taken along."""
    found = []
    for node in walk(item):
        if isinstance(node, Along):
            bound: tuple[Letter, ...] = (node.letter,)
        elif isinstance(node, Reduce) and node.op == "logsumexp":
            bound = node.bound
        else:
            continue
        for read in _scaled(node.body):
            found += [(read.name, read.subscripts.index(x)) for x in bound if x in read.subscripts]
    return tuple(found)


def _scaled(expr: sp.Expr) -> Iterator[Read]:
    """The element that an expression is, but for options that scale it."""
    if isinstance(expr, Let):
        expr = expr.body
    factors = [x for x in sp.Mul.make_args(expr) if not is_scalar(x)]
    if len(factors) == 1 and isinstance(factors[0], Read):
        yield factors[0]
