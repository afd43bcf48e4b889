"""Makes a drawn formula shorter as long as something stays true of it: that it fails, say."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

_WORDS = ("n", "c", "s", "d", "e", "t", "m", "i", "j", "k")


def shorter(text: str, holds: Callable[[str], bool], tries: int = 200) -> str:
    """The text of a spec, its expressions replaced by parts of them while ``holds`` holds."""
    found = True
    while found:
        found = False
        for candidate in _candidates(text):
            tries -= 1
            if tries < 0:
                return text
            if holds(candidate):
                text, found = candidate, True
                break
    return text


def _candidates(text: str) -> Iterator[str]:
    """The spec with one expression less, larger changes first."""
    seen = set()
    tree = ast.parse(text)
    for count, node in enumerate(_expressions(tree)):
        for part in _parts(node):
            changed = copy.deepcopy(tree)
            site = list(_expressions(changed))[count]
            new = _Replace(site, copy.deepcopy(part)).visit(changed)
            said = _tidied(ast.unparse(ast.fix_missing_locations(new)))
            if said not in seen and len(said) < len(text):
                seen.add(said)
                yield said


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions of the body, the outermost first."""
    function = next(x for x in tree.body if isinstance(x, ast.FunctionDef))
    for statement in function.body[1:]:
        for node in ast.walk(statement):
            if isinstance(node, ast.expr) and not _is_place(node):
                yield node


def _is_place(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in _WORDS)


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """What may stand in place of an expression: what is in it."""
    if isinstance(node, ast.Subscript):
        return
    inside = [x for x in ast.walk(node) if isinstance(x, ast.expr) and x is not node]
    for part in inside:
        if isinstance(part, (ast.Tuple, ast.Constant)) or _is_place(part):
            continue
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            continue
        yield part
    if not isinstance(node, (ast.Name, ast.Tuple)):
        yield ast.Constant(1)


def _tidied(text: str) -> str:
    """Without the names that nothing reads any more."""
    tree = ast.parse(text)
    function = next(x for x in tree.body if isinstance(x, ast.FunctionDef))
    read = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Load)}
    function.body = [
        x
        for x in function.body
        if not (isinstance(x, ast.Assign) and x.targets[0].id not in read)  # type: ignore[attr-defined]
        and not (isinstance(x, ast.FunctionDef) and x.name not in read)
    ]
    used = {x.id for x in ast.walk(ast.Module(function.body, [])) if isinstance(x, ast.Name)}
    arguments = function.args
    keep = [x.arg in used for x in arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(keep) - len(arguments.defaults))
    defaults += arguments.defaults
    arguments.args = [x for x, kept in zip(arguments.args, keep, strict=True) if kept]
    arguments.defaults = [
        x for x, kept in zip(defaults, keep, strict=True) if kept and x is not None
    ]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    named = [(x, default) for x, default in pairs if x.arg in used]
    arguments.kwonlyargs = [x for x, _ in named]
    arguments.kw_defaults = [default for _, default in named]
    return ast.unparse(tree) + "\n"


class _Replace(ast.NodeTransformer):
    def __init__(self, site: ast.expr, part: ast.expr) -> None:
        self.site, self.part = site, part

    def visit(self, node: ast.AST) -> ast.AST:
        return self.part if node is self.site else super().generic_visit(node)
