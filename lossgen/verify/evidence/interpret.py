"""Runs a graph of torch's operations in an algebra."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lossgen.verify.evidence.arrays import Array, Unsupported, array
from lossgen.verify.evidence.operations import Arithmetic, rules
from lossgen.verify.truth.tape import Algebra


def run_graph(module: Any, inputs: Sequence[Array], algebra: Algebra) -> list[Array]:
    """The graph's results on arrays of numbers of the algebra.

    Raises:
        Unsupported: for an operation without a rule.
    """
    table, arithmetic = rules(algebra), Arithmetic(algebra)
    known: dict[Any, Any] = {}
    given = iter(inputs)

    def value(x: Any) -> Any:
        if isinstance(x, torch.fx.Node):
            return known[x]
        if isinstance(x, (list, tuple)):
            return type(x)(map(value, x))
        return arithmetic.number(x)

    for node in module.graph.nodes:
        if node.op == "placeholder":
            known[node] = next(given)
        elif node.op == "get_attr":
            known[node] = constant(getattr(module, node.target), algebra)
        elif node.op == "output":
            return [array(value(x)) for x in node.args[0]]
        elif node.target is operator.getitem:
            known[node] = known[node.args[0]][node.args[1]]
        else:
            known[node] = _apply(table, node, value)
    raise Unsupported("a graph without a result")


def _apply(table: Mapping[str, Any], node: Any, value: Any) -> Any:
    packet = getattr(node.target, "overloadpacket", None)
    name = packet.__name__ if packet is not None else str(node.target)
    if name.endswith("_") and (name[:-1] in table or name in ("copy_", "fill_", "zero_")):
        return _in_place(table, name[:-1], value(node.args[0]), [value(x) for x in node.args[1:]])
    if name not in table:
        raise Unsupported(f"torch's {name}")
    options = {k: value(v) if k != "dtype" else v for k, v in node.kwargs.items()}
    for word in ("layout", "device", "pin_memory", "memory_format", "non_blocking"):
        options.pop(word, None)
    keep = options.pop("keepdim", None)
    if keep is not None:
        options["keep"] = keep
    if name != "_to_copy" and "dtype" in options:
        kind = str(options.pop("dtype"))
        result = table[name](*map(value, node.args), **options)
        return table["_to_copy"](result, dtype=kind)
    return table[name](*map(value, node.args), **options)


def _in_place(table: Mapping[str, Any], name: str, into: Array, rest: list[Any]) -> Array:
    """Write into an array, as the views of it see it too."""
    if name in ("copy", "fill"):
        result = array(rest[0])
    else:
        result = array(0) if name == "zero" else table[name](into, *rest)
    into[...] = result
    return into


def constant(tensor: torch.Tensor, algebra: Algebra) -> Array:
    """A tensor that the code itself holds."""
    numbers = tensor.detach().cpu()
    result = np.empty(tuple(numbers.shape), dtype=object)
    for place in np.ndindex(*result.shape):
        x = numbers[place].item()
        result[place] = algebra.mpf(x) if isinstance(x, float) else x
    return result
