"""Judges surviving mutants: which are equivalent, by rules written in ``equivalent_mutants.toml``.

In: where a mutant was changed, and into what.  Out: the rule that shows it to be equivalent, or
none.  A rule holds patterns, not lines of code, so that renamed values and moved lines leave a
judgement as it is.  A pattern is an expression in which a single capital letter stands for any
expression (the same letter for the same one), ``HERE`` for the part that the change lies in, and
``NODE`` for the changed expression itself.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

RULES = Path(__file__).resolve().parent / "equivalent_mutants.toml"
Bound = Mapping[str, ast.AST]
# fmt: off
_MIXING = frozenset((
    "sum", "mean", "prod", "amax", "amin", "any", "all", "logsumexp", "softmax", "log_softmax",
    "cumsum", "diff", "vector_norm", "norm", "_norm", "gather", "scatter_add", "index_add",
    "index_select", "einsum", "matmul",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Site:
    """Where a mutant was changed.

    Attributes:
        module: the generated module.
        function: the functions and classes around it, joined by dots.
        expression: the whole expression that it stands in.
        path: from there to the changed node, as (field, place in it or -1).
        before: the expression there.
        after: what it became.
    """

    module: str
    function: str
    expression: str
    path: tuple[tuple[str, int], ...]
    before: str
    after: str

    def ancestors(self) -> list[ast.AST]:
        """The nodes from the whole expression down to the changed one."""
        found: list[ast.AST] = [_parsed(self.expression)]
        for name, place in self.path:
            child = getattr(found[-1], name)
            found.append(child if place < 0 else child[place])
        return found


@dataclass(frozen=True, slots=True)
class Rule:
    """Why some mutants are equivalent, and which: all that is stated must fit."""

    name: str
    reason: str
    before: str
    after: str
    inside: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("*",)
    function: str = "*"

    def fits(self, site: Site) -> bool:
        """Whether the rule shows this mutant to be equivalent."""
        if not any(fnmatchcase(site.module, name) for name in self.modules):
            return False
        if not fnmatchcase(site.function, self.function):
            return False
        path = site.ancestors()
        return any(
            any(True for _ in _matched(_parsed(self.after), _parsed(site.after), bound))
            for inner in _inside([_parsed(p) for p in self.inside], path, 0, {})
            for bound in _matched(_parsed(self.before), path[-1], inner)
        )


def rules(path: Path = RULES) -> tuple[Rule, ...]:
    """The rules of a file, in its order."""
    found = tomllib.loads(path.read_text(encoding="utf-8")).get("rule", [])
    return tuple(Rule(**{k: _frozen(v) for k, v in row.items()}) for row in found)


def verdict(site: Site, known: Sequence[Rule]) -> Rule | None:
    """The first rule that fits."""
    return next((rule for rule in known if rule.fits(site)), None)


def steps(node: ast.AST, target: ast.expr) -> list[tuple[ast.AST, str, int]] | None:
    """The steps from a node down to another: each node, its field, the place in a list or -1."""
    for name, value in ast.iter_fields(node):
        children = enumerate(value) if isinstance(value, list) else [(-1, value)]
        for place, child in children:
            if child is target:
                return [(node, name, place)]
            below = steps(child, target) if isinstance(child, ast.AST) else None
            if below is not None:
                return [(node, name, place), *below]
    return None


def _frozen(setting: Any) -> Any:
    return tuple(setting) if isinstance(setting, list) else setting


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _inside(
    patterns: list[ast.expr], path: list[ast.AST], start: int, bound: Bound
) -> Iterator[Bound]:
    """Every way in which nested patterns, the outermost first, lie around the last of the path.

    What a selection says of its elements is true within it as long as each stays its own: nothing
    between a pattern's ``HERE`` and what is looked for there may mix elements.
    """
    if not patterns:
        if not start or not any(map(_mixes, path[start:-1])):
            yield bound
        return
    for place in range(start, len(path)):
        if start and any(map(_mixes, path[start:place])):
            return
        for found in _matched(patterns[0], path[place], bound):
            inner = {k: v for k, v in found.items() if k not in ("HERE", "NODE")}
            if "NODE" in found:
                if found["NODE"] is path[-1] and len(patterns) == 1:
                    yield inner
                continue
            if "HERE" not in found:
                continue
            below = next((k for k, x in enumerate(path) if x is found["HERE"]), -1)
            if below > place:
                yield from _inside(patterns[1:], path, below, inner)


def _mixes(node: ast.AST) -> bool:
    """Whether an element of the result is made of several elements."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    return name in _MIXING or name.startswith("_masked_")


def _matched(pattern: Any, node: Any, bound: Bound) -> Iterator[Bound]:
    """The bindings under which a pattern is this node, at most one."""
    if isinstance(pattern, ast.Name) and (
        pattern.id in ("HERE", "NODE") or (len(pattern.id) == 1 and pattern.id.isupper())
    ):
        known = bound.get(pattern.id)
        if known is None and isinstance(node, ast.AST):
            yield {**bound, pattern.id: node}
        elif known is not None and isinstance(node, ast.AST) and _same(known, node):
            yield bound
        return
    if isinstance(pattern, ast.AST):
        if type(pattern) is not type(node):
            return
        pairs = [(getattr(pattern, f), getattr(node, f)) for f in pattern._fields]
        yield from _all_matched(pairs, bound)
    elif isinstance(pattern, list):
        if isinstance(node, list) and len(pattern) == len(node):
            yield from _all_matched(list(zip(pattern, node, strict=True)), bound)
    elif pattern == node and type(pattern) is type(node):
        yield bound


def _all_matched(pairs: list[tuple[Any, Any]], bound: Bound) -> Iterator[Bound]:
    if not pairs:
        yield bound
        return
    for found in _matched(*pairs[0], bound):
        yield from _all_matched(pairs[1:], found)


def _same(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)
