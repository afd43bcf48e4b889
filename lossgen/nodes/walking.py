"""Questions about expressions, and expressions over other letters.

free_letters(Sum(x[n, c], c))              {n}
substitute(Sum(x[n, c], c), {n: c})        Sum(x[c, c_], c_): nothing is captured
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import sympy as sp

from lossgen.nodes.binders import Along, Let, Reduce
from lossgen.nodes.functions import Sqrt
from lossgen.nodes.leaves import Letter, Param, Read, Size


@cache
def free_letters(expr: sp.Basic) -> frozenset[Letter]:
    """The letters an expression depends on (not those that it binds)."""
    if isinstance(expr, Letter):
        return frozenset((expr,))
    if isinstance(expr, Size) or not expr.args:
        return frozenset()
    if isinstance(expr, Let):
        return free_letters(expr.args[3])
    if isinstance(expr, Reduce):
        return (free_letters(expr.body) | free_letters(expr.where)) - frozenset(expr.bound)
    if isinstance(expr, Along):
        return (free_letters(expr.body) - {expr.letter}) | free_letters(expr.position)
    return frozenset().union(*map(free_letters, expr.args))


def fresh(letter: Letter, taken: Iterable[Letter]) -> Letter:
    """A letter named after another and not among those taken."""
    names = {t.name for t in taken}
    name = letter.name
    while name in names:
        name += "_"
    return Letter(name)


def substitute(expr: sp.Basic, mapping: Mapping[Letter, Any]) -> Any:
    """Replace letters, simultaneously, renaming what would otherwise be captured."""
    mapping = {k: v for k, v in mapping.items() if k != v}
    if not mapping or not (free_letters(expr) & mapping.keys()):
        return expr
    if isinstance(expr, Letter):
        return mapping[expr]
    if isinstance(expr, Let):
        return Let(expr.args[0], expr.params, expr.body, [substitute(a, mapping) for a in expr.at])
    if isinstance(expr, Reduce):
        bound, (body, where) = _rebind(expr.bound, (expr.body, expr.where), mapping)
        return Reduce(expr.args[0], body, where, expr.empty, bound)
    if isinstance(expr, Along):
        (letter,), (body,) = _rebind((expr.letter,), (expr.body,), mapping)
        return Along(expr.args[0], body, letter, substitute(expr.position, mapping))
    return expr.func(*[substitute(a, mapping) for a in expr.args])


def _rebind(
    bound: tuple[Letter, ...], parts: tuple[Any, ...], mapping: Mapping[Letter, Any]
) -> tuple[list[Letter], list[Any]]:
    inner = {k: v for k, v in mapping.items() if k not in bound}
    arriving = frozenset().union(*(free_letters(sp.sympify(v)) for v in inner.values()))
    taken = arriving.union(*map(free_letters, parts))
    renamed = {b: fresh(b, taken) if b in arriving else b for b in bound}
    return [renamed[b] for b in bound], [substitute(p, {**inner, **renamed}) for p in parts]


def walk(expr: sp.Basic) -> Iterator[sp.Basic]:
    """Every distinct node of an expression, parents before children, through names."""
    seen: set[sp.Basic] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(reversed(node.args))


def rebuild(expr: sp.Basic, children: Iterable[Any]) -> Any:
    """The same node over other children."""
    children = tuple(children)
    return expr if children == expr.args else expr.func(*children)


def is_static(condition: sp.Basic) -> bool:
    """Whether a condition is known before any element is read: only options and ``given``."""
    return not any(isinstance(n, (Read, Letter, Size)) for n in walk(condition))


def is_scalar(expr: sp.Basic) -> bool:
    """Whether an expression is a Python number when the generated code runs."""
    return not any(isinstance(n, (Read, Letter)) and not _in_size(n, expr) for n in walk(expr))


def is_constant(expr: sp.Basic) -> bool:
    """Whether an expression is made of numbers alone: no tensor, option or size."""
    return not any(isinstance(n, (Read, Letter, Param, Size)) for n in walk(expr))


def _in_size(node: sp.Basic, expr: sp.Basic) -> bool:
    return isinstance(node, Letter) and node not in free_letters(expr)


def without_root(power: sp.Pow) -> sp.Expr | None:
    """``u**k`` for ``r**(2*k)``, where r is ``sqrt(u)`` or a part of that name; else None.

    Where u is at least 0 they are the same, slopes included: by the chain rule the slope at 0 would
    be that of the root, which is 0 there.
    """
    base = power.base
    root = base.body if isinstance(base, Let) else base
    if not isinstance(root, Sqrt) or not power.exp.is_Integer or power.exp % 2:
        return None
    under = root.arg
    if isinstance(base, Let):
        under = substitute(under, dict(zip(base.params, base.at, strict=True)))
    return under ** (power.exp / 2)
