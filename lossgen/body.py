"""Reads the text of a spec so that Python's operators mean mathematics.

In: the source of a spec file.  Out: the same module as code in which every assignment names its
value, and comparisons, ``and``, ``or``, ``not`` and ``x if c else y`` build expressions.  What has
no meaning in a formula (an ``if`` statement, a loop) is a fault with its line.

    overlap = a if kept == 1 else b   →   overlap = _name("overlap", _where(_compare("==", kept, 1), a, b))
"""

from __future__ import annotations

import ast
from typing import Any

import sympy as sp

from lossgen import nodes
from lossgen.errors import Fault

_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_HINTS: dict[type[ast.stmt], str] = {
    ast.If: "write where(condition, yes, no), or `yes if condition else no`",
    ast.For: "sum over a letter instead: Sum(body, k)",
    ast.While: "a formula has no loops; reduce over a letter instead",
    ast.AugAssign: "give the new value a name of its own",
    ast.With: "a formula has only assignments and a return",
    ast.Try: "a formula has only assignments and a return",
    ast.Raise: "bad input is refused by the generated code; leave it out",
    ast.Assert: "domains belong to the roles of the arguments; leave it out",
    ast.Delete: "a formula has only assignments and a return",
}


class _Reader(ast.NodeTransformer):
    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: list[Fault] = []

    def fault(self, node: ast.AST, message: str, hint: str) -> None:
        self.faults.append(Fault(self.path, getattr(node, "lineno", 1), message, hint))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        kept: list[ast.stmt] = []
        for index, statement in enumerate(node.body):
            if type(statement) in _HINTS:
                word = type(statement).__name__.lower()
                self.fault(
                    statement, f"'{word}' has no meaning in a formula", _HINTS[type(statement)]
                )
            elif isinstance(statement, ast.Expr) and not _is_docstring(statement, index):
                self.fault(statement, "this line has no effect", "name its value, or remove it")
            else:
                kept.append(self.visit(statement))
        node.body = kept or [ast.Pass()]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        names = [_target_names(target) for target in node.targets]
        if len(names) != 1 or names[0] is None:
            self.fault(node, "only names can be assigned to", "write `part = ...`")
            return node
        node.value = _call("_name", names[0], self.visit(node.value), node)
        return node

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
                return node
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


def _is_docstring(statement: ast.Expr, index: int) -> bool:
    return index == 0 and isinstance(statement.value, ast.Constant)


def _target_names(target: ast.expr) -> str | tuple[str, ...] | None:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Tuple) and all(isinstance(x, ast.Name) for x in target.elts):
        return tuple(x.id for x in target.elts if isinstance(x, ast.Name))
    return None


def _call(function: str, *args: Any, at: ast.expr | ast.stmt | None = None) -> ast.expr:
    *plain, last = args if at is None else (*args, at)
    values = [a if isinstance(a, ast.expr) else ast.Constant(a) for a in plain]
    call = ast.Call(ast.Name(function, ast.Load()), values, [])
    return ast.fix_missing_locations(ast.copy_location(call, last))


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


MEANING: dict[str, Any] = {
    "_name": name_value,
    "_integer": sp.Integer,
    "_compare": nodes.Compare,
    "_and": nodes.And,
    "_or": nodes.Or,
    "_not": nodes.Not,
    "_where": nodes.Where,
}


def read_module(text: str, path: str) -> tuple[ast.Module, tuple[Fault, ...]]:
    """Parse a spec file and give its function bodies their mathematical meaning.

    Returns the transformed module, ready to compile, and the faults found in the bodies.
    A syntax error is the one fault, with an empty module.
    """
    try:
        module = ast.parse(text, filename=path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        message = getattr(error, "msg", str(error))
        return ast.Module([], []), (Fault(path, line, f"not valid Python: {message}", ""),)
    reader = _Reader(path)
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef):
            reader.visit(statement)
    return ast.fix_missing_locations(module), tuple(reader.faults)
