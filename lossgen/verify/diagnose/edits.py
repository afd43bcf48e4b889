"""One mistake in one place of an expression: of what is computed, of gradients, of stability.

In: an expression, and the letters there are. Out: (words, changed expression). A part that occurs
several times is changed wherever it occurs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, walk
from lossgen.stabilize.matching import minus
from lossgen.verify.diagnose.mistakes import node_edits
from lossgen.verify.diagnose.parts import Edit, replaced, short


def edits(expr: sp.Expr, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """Every single mistake."""
    for node in walk(expr):
        for words, new in node_edits(node, letters):
            if new != node:
                yield words, replaced(expr, node, new)


def alike_edits(expr: sp.Expr, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """One mistake made in several places: in every sum, in every distance."""
    groups: dict[Any, list[sp.Basic]] = {}
    for node in walk(expr):
        if isinstance(node, (sp.Pow, nd.Reduce, nd.Along, nd.Unary, nd.Max)):
            groups.setdefault(_pattern(node), []).append(node)
        kind = (type(node), getattr(node, "op", None), getattr(node, "bound", None))
        if isinstance(node, sp.Pow):
            groups.setdefault((*kind, node.exp), []).append(node)
        elif isinstance(node, nd.Let) and isinstance(node.body, nd.Reduce):
            groups.setdefault((nd.Let, node.body.op, node.body.bound), []).append(node)
        elif isinstance(node, nd.Max) and sp.S.Zero in node.args[:2]:
            groups.setdefault((nd.Max, 0), []).append(node)
        elif isinstance(node, (nd.Reduce, nd.Along, nd.Unary)):
            groups.setdefault(kind, []).append(node)
    for nodes in {frozenset(x): x for x in groups.values()}.values():
        if len(nodes) < 2 or _nested(nodes):
            continue
        for words, several in _together([list(node_edits(node, letters)) for node in nodes]):
            changed: Any = expr
            for node, new in zip(nodes, several, strict=True):
                changed = replaced(changed, node, new)
            yield f"{words}, and so wherever there is one", changed


def _pattern(node: sp.Basic) -> Any:
    """What a part is whatever its tensors and names are called: the same of either view."""
    if isinstance(node, nd.Read):
        return nd.Read, tuple(map(_pattern, node.subscripts))
    parts = (node.body, *node.params, *node.at) if isinstance(node, nd.Let) else node.args
    own = node if not parts else None
    # Sums and products sort their terms by name.
    found = [_pattern(x) for x in parts]
    inner: Any = frozenset(found) if isinstance(node, (sp.Add, sp.Mul)) else tuple(found)
    return type(node), getattr(node, "op", None), own, inner


def unmasked(expr: sp.Expr) -> Iterator[Edit]:
    """A mask left out of several reductions at once: pairs of a row with itself, padding."""
    masks: dict[Any, list[nd.Reduce]] = {}
    for node in walk(expr):
        if isinstance(node, nd.Reduce) and node.where is not sp.true:
            masks.setdefault(node.where, []).append(node)
    for mask, nodes in masks.items():
        if len(nodes) < 2 or _nested(list(nodes)):
            continue
        changed: Any = expr
        for node in nodes:
            whole = nd.Reduce(node.op, node.body, sp.true, sp.nan, node.bound)
            changed = replaced(changed, node, whole)
        yield f"with the mask '{short(mask)}' left out wherever there is one", changed


def _together(found: list[list[Edit]]) -> Iterator[tuple[str, list[sp.Expr]]]:
    """The same edit of every node: called the same, else in the same place of the list."""
    first, *others = found
    named = [dict(x) for x in others]
    alike = len({len(x) for x in found}) == 1
    for place, (words, new) in enumerate(first):
        if all(words in x for x in named):
            yield words, [new, *(x[words] for x in named)]
        elif alike:
            yield words, [x[place][1] for x in found]


def _nested(nodes: list[sp.Basic]) -> bool:
    return any(b in walk(a) for a, b in itertools.permutations(nodes, 2))


def detached(expr: sp.Expr) -> Iterator[Edit]:
    """Gradients stopped where they should flow; the value stays."""
    seen: set[str] = set()
    parts = [
        x
        for x in walk(expr)
        if isinstance(x, (nd.Let, sp.Pow, nd.Unary, nd.Reduce, nd.Along, nd.Read))
    ]
    # A branch alone: what is clamped has no slope beyond.
    parts += [x for node in walk(expr) if isinstance(node, nd.Where) for x in node.args[1:]]
    for node in sorted(parts, key=lambda x: not isinstance(x, nd.Let)):
        words = f"if no gradient flows through {short(node)}"
        if words not in seen:
            seen.add(words)
            if isinstance(node, nd.Let):
                stopped: Any = nd.Let(node.name, node.params, nd.StopGradient(node.body), node.at)
                yield words, _all_lets(expr, node, stopped)
            else:
                yield words, replaced(expr, node, nd.StopGradient(node))


def _all_lets(expr: sp.Expr, let: nd.Let, stopped: nd.Let) -> Any:
    """A named part stopped wherever it is read."""
    changed: Any = expr
    alike = [x for x in walk(expr) if isinstance(x, nd.Let) and x.body == let.body]
    for other in alike:
        changed = replaced(changed, other, nd.Let(other.name, other.params, stopped.body, other.at))
    return changed


def released(expr: sp.Expr) -> Iterator[Edit]:
    """Gradients that flow where they should be stopped; the value stays."""
    stopped = dict.fromkeys(x for x in walk(expr) if isinstance(x, nd.StopGradient))
    names = {x.body: x.name for x in walk(expr) if isinstance(x, nd.Let)}
    for node in stopped:
        words = str(names.get(node, short(node.args[0])))
        yield f"if a gradient flows through {words}", replaced(expr, node, node.args[0])
    if len(stopped) > 1:
        changed: Any = expr
        while found := [x for x in walk(changed) if isinstance(x, nd.StopGradient)]:
            changed = replaced(changed, found[-1], found[-1].args[0])
        yield "if no gradient is stopped", changed


CLAMPS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def clamped(expr: sp.Expr) -> Iterator[Edit]:
    """Small numbers added or clamped to, in place of a stable form."""
    found = list(walk(expr))
    for node, size in itertools.product(found, CLAMPS):
        eps = sp.Float(size)
        if isinstance(node, nd.Log):
            inner = node.arg
            yield (
                f"with {short(inner)} clamped to [{size:g}, 1 - {size:g}] in the log",
                replaced(expr, node, nd.Log(nd.Clip(inner, eps, 1 - eps))),
            )
            yield (
                f"with {size:g} added in log({short(inner)})",
                replaced(expr, node, nd.Log(inner + eps)),
            )
            yield (
                f"with log({short(inner)}) clamped at {size:g}",
                replaced(expr, node, nd.Log(nd.Max(inner, eps))),
            )
        elif isinstance(node, (nd.LogSigmoid, nd.Softplus)):
            score = short(_score(node))
            yield f"with {size:g} added in log(sigmoid({score}))", _each(expr, _added(eps))
            yield (
                f"with sigmoid({score}) clamped to [{size:g}, 1 - {size:g}]",
                _each(expr, _held(eps)),
            )
        elif isinstance(node, nd.Along) and node.op == "log_softmax":
            soft = nd.Along("softmax", node.body, node.letter, node.position)
            yield (
                f"with {size:g} added in the log of the softmax",
                replaced(expr, node, nd.Log(soft + eps)),
            )
            yield (
                f"with the softmax clamped at {size:g} in the log",
                replaced(expr, node, nd.Log(nd.Clip(soft, eps, 1))),
            )
        elif isinstance(node, sp.Pow) and node.exp == -1 and not node.base.is_number:
            yield (
                f"with {size:g} added to the denominator {short(node.base)}",
                replaced(expr, node, 1 / (node.base + eps)),
            )
        elif isinstance(node, nd.Sqrt) or (isinstance(node, nd.Reduce) and node.op == "norm"):
            yield f"with {size:g} added to {short(node)}", replaced(expr, node, node + eps)
            if isinstance(node, nd.Sqrt):
                inside = replaced(expr, node, nd.Sqrt(node.arg + eps))
                yield f"with {size:g} added below the root {short(node)}", inside


def _score(node: Any) -> Any:
    """What the sigmoid is of in log(sigmoid(x)), and in softplus(-x), which is -log(sigmoid(x))."""
    return node.arg if isinstance(node, nd.LogSigmoid) else minus(node.arg)


def _each(expr: sp.Expr, change: Callable[[Any], sp.Expr]) -> Any:
    """The logarithm of every sigmoid changed at once: it is one line of code."""
    changed: Any = expr
    for node in [x for x in walk(expr) if isinstance(x, (nd.LogSigmoid, nd.Softplus))]:
        sign = 1 if isinstance(node, nd.LogSigmoid) else -1
        changed = replaced(changed, node, sign * change(_score(node)))
    return changed


def _added(eps: sp.Float) -> Callable[[Any], sp.Expr]:
    return lambda x: nd.Log(nd.Sigmoid(x) + eps)


def _held(eps: sp.Float) -> Callable[[Any], sp.Expr]:
    return lambda x: nd.Log(nd.Clip(nd.Sigmoid(x), eps, 1 - eps))
