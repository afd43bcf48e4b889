"""Gives the text of a spec its mathematical meaning.

In: the syntax tree of a spec file. Out: the same tree, changed in place, in which every assignment
names its value, and comparisons, ``and``, ``or``, ``not`` and ``x if c else y`` build expressions.
What has no meaning in a formula (an ``if`` statement, a loop) is a fault with its line; something
stands in for what it would have computed, so that the rest can still be checked.

    overlap = a if kept == 1 else b
    overlap = _name("overlap", _where(_compare("==", kept, _integer(1)), a, b))
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.errors import Fault

_OPERATORS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_PLAIN = "a formula has only assignments, helper functions and a return"
_WORDS: Mapping[type[ast.stmt], tuple[str, str]] = {
    ast.If: ("'if'", "write where(condition, yes, no), or `yes if condition else no`"),
    ast.For: ("'for'", "reduce over a letter instead: Sum(body, k)"),
    ast.While: ("'while'", "reduce over a letter instead: Sum(body, k)"),
    ast.AugAssign: ("'+='", "give the new value a name of its own"),
    ast.AnnAssign: ("an annotation", "write `part = ...`; roles belong to the arguments"),
    ast.Raise: ("'raise'", "bad input is refused by the generated code; leave it out"),
    ast.Assert: ("'assert'", "domains belong to the roles of the arguments; leave it out"),
    ast.Import: ("'import'", "import at the top of the file"),
    ast.ImportFrom: ("'import'", "import at the top of the file"),
}
_KEPT = (ast.Assign, ast.Return, ast.FunctionDef, ast.Pass)


@dataclass(slots=True)
class Meaning:
    """What reading the bodies of a file found.

    Attributes:
        faults: what has no meaning in a formula.
        excused: names in what was left out; a later check must not call them unused.
    """

    faults: list[Fault] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)


def give_meaning(module: ast.Module, path: str) -> Meaning:
    """Transform the functions of a parsed spec file, in place."""
    reader = _Reader(path)
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef):
            reader.visit(statement)
    ast.fix_missing_locations(module)
    return reader.found


class _Reader(ast.NodeTransformer):
    def __init__(self, path: str) -> None:
        self.path = path
        self.found = Meaning()

    def fault(self, node: ast.stmt | ast.expr, message: str, hint: str) -> None:
        self.found.faults.append(Fault(self.path, node.lineno, message, hint))

    # --- statements -------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        kept: list[ast.stmt] = []
        assigned: set[str] = set()
        for index, statement in enumerate(node.body):
            if index == 0 and _is_docstring(statement):
                kept.append(statement)
            elif isinstance(statement, ast.Expr):
                self.fault(statement, "this line has no effect", "name its value, or remove it")
                self._leave_out(statement)
            elif isinstance(statement, ast.Assign) and not _names(statement):
                self.fault(statement, "only names can be assigned to", "write `part = ...`")
                kept += self._leave_out(statement)
            elif isinstance(statement, _KEPT):
                for name in _names(statement) if isinstance(statement, ast.Assign) else ():
                    if name in assigned:
                        hint = "give the second value a name of its own"
                        self.fault(statement, f"'{name}' is assigned twice", hint)
                    assigned.add(name)
                kept.append(self.visit(statement))
            else:
                kept += self._refused(statement)
        node.body = kept or [ast.Pass()]
        return node

    def _refused(self, statement: ast.stmt) -> list[ast.stmt]:
        default = (f"'{type(statement).__name__.lower()}'", _PLAIN)
        word, hint = _WORDS.get(type(statement), default)
        self.fault(statement, f"{word} has no meaning in a formula", hint)
        return self._leave_out(statement)

    def _leave_out(self, statement: ast.stmt) -> list[ast.stmt]:
        """Statements that give what a refused one would have assigned a value to go on with."""
        parts = [x for x in ast.walk(statement) if isinstance(x, ast.Name)]
        self.found.excused |= {x.id for x in parts}
        stored = dict.fromkeys(x.id for x in parts if isinstance(x.ctx, ast.Store))
        return [
            ast.copy_location(
                ast.Assign([ast.Name(name, ast.Store())], _call("_unknown", name, at=statement)),
                statement,
            )
            for name in stored
        ]

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        target = node.targets[0]
        names = _names(node)
        shape = names if isinstance(target, ast.Tuple) else names[0]
        node.value = _call("_name", shape, self.visit(node.value), at=node)
        return node

    # --- expressions ------------------------------------------------------------------------

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        # An integer division in a formula is a fraction, not a rounded float.
        if type(node.value) is int:
            return _call("_integer", node, at=node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        terms = [self.visit(term) for term in (node.left, *node.comparators)]
        parts: list[ast.expr] = []
        for operator, left, right in zip(node.ops, terms, terms[1:], strict=False):
            if type(operator) not in _OPERATORS:
                hint = "test an optional tensor with given(tensor)"
                self.fault(node, "'is' and 'in' have no meaning in a formula", hint)
                self.found.excused |= {x.id for x in ast.walk(node) if isinstance(x, ast.Name)}
                return _call("_unknown", "condition", at=node)
            parts.append(_call("_compare", _OPERATORS[type(operator)], left, right, at=node))
        return parts[0] if len(parts) == 1 else _call("_and", *parts, at=node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        word = "_and" if isinstance(node.op, ast.And) else "_or"
        return _call(word, *map(self.visit, node.values), at=node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return _call("_not", operand, at=node)
        node.operand = operand
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return _call("_where", *map(self.visit, (node.test, node.body, node.orelse)), at=node)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _names(node: ast.Assign) -> tuple[str, ...]:
    """``("a", "b")`` for ``a, b = ...``; nothing where something else is assigned to."""
    target = node.targets[0]
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    names = tuple(x.id for x in parts if isinstance(x, ast.Name))
    return names if len(node.targets) == 1 and len(names) == len(parts) else ()


def _call(function: str, *args: Any, at: ast.expr | ast.stmt) -> ast.expr:
    values = [a if isinstance(a, ast.expr) else ast.Constant(a) for a in args]
    call = ast.Call(ast.Name(function, ast.Load()), values, [])
    return ast.fix_missing_locations(ast.copy_location(call, at))


# --- names ------------------------------------------------------------------------------------


def unbound_names(module: ast.Module, known: Iterable[str]) -> dict[str, int]:
    """Names that a file reads and nothing binds, each with the first line that reads it."""
    scopes = _Scopes({*known, *_stored(module)})
    scopes.visit(module)
    return scopes.unbound


def _stored(scope: ast.AST) -> Iterator[str]:
    """The names bound directly in a scope."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _stored(node)


class _Scopes(ast.NodeVisitor):
    def __init__(self, known: set[str]) -> None:
        self.scopes = [known]
        self.unbound: dict[str, int] = {}

    def visit_Name(self, node: ast.Name) -> None:
        if not any(node.id in scope for scope in self.scopes):
            line = self.unbound.get(node.id, node.lineno)
            self.unbound[node.id] = min(line, node.lineno)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, node.args, *filter(None, (node.returns,))):
            self.visit(part)
        self._enter(node.args, _stored(ast.Module(node.body, [])), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._enter(node.args, _stored(node), [node.body])

    def _enter(
        self, args: ast.arguments, stored: Iterable[str], body: list[ast.stmt] | list[ast.expr]
    ) -> None:
        self.scopes.append({x.arg for x in ast.walk(args) if isinstance(x, ast.arg)} | {*stored})
        for part in body:
            self.visit(part)
        self.scopes.pop()


# --- what the parsed operators do -------------------------------------------------------------


def name_value(name: str | tuple[str, ...], value: Any) -> Any:
    """Give a part of the formula its author's name; plain reads and numbers need none."""
    if isinstance(name, tuple):
        if not isinstance(value, (tuple, list)) or len(value) != len(name):
            raise TypeError(f"{', '.join(name)} need {len(name)} values")
        return tuple(name_value(*pair) for pair in zip(name, value, strict=True))
    if not isinstance(value, sp.Expr) or isinstance(value, nodes.Let) or not value.args:
        return value
    if isinstance(value, nodes.Read) and all(isinstance(x, nodes.Letter) for x in value.subscripts):
        return value
    letters = sorted(nodes.free_letters(value), key=str)
    return nodes.Let(name, letters, value, letters)


MEANING: Mapping[str, Any] = {
    "_name": name_value,
    "_integer": sp.Integer,
    "_unknown": nodes.Unknown,
    "_compare": nodes.Compare,
    "_and": nodes.And,
    "_or": nodes.Or,
    "_not": nodes.Not,
    "_where": nodes.Where,
    # Python's own would build SymPy's, which has no tie rule.
    "abs": nodes.Abs,
}
