"""The functions that an author wrote for parts of a loss, and where each is called.

In: the syntax of a loss, and of the functions beside it.  Out: ``InnerFunction``s.

    def unit(z): …             InnerFunction("unit", ("z",), calls=(
    rows = unit(input[n, d])  →        InnerCall(("rows",), ({"input", "n", "d"},)), …))

Only a call whose value gets a name is told of.  It refuses nothing: the names are for readers, and
nothing is computed by them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from lossgen.spec.data import InnerCall, InnerFunction


def inner_functions(
    loss: ast.FunctionDef, beside: Iterable[ast.FunctionDef]
) -> tuple[InnerFunction, ...]:
    """The functions that a loss calls by name, those inside it first.

    Args:
        loss: the syntax of the loss, in which every assignment names its value.
        beside: other functions of its file.
    """
    inside = [x for x in ast.walk(loss) if isinstance(x, ast.FunctionDef) and x is not loss]
    own = {x for f in inside for x in ast.walk(f)}
    calls: dict[str, list[InnerCall]] = {}
    for name, call in _named_calls(x for x in ast.walk(loss) if x not in own):
        calls.setdefault(name, []).append(call)
    known = {f.name: f for f in (*(x for x in beside if x is not loss), *inside)}
    outside = _stored(x for x in ast.walk(loss) if x not in own)
    return tuple(
        InnerFunction(
            name,
            _parameters(known[name]),
            _told(known[name]),
            _stored(ast.walk(known[name])) - outside,
            tuple(made),
        )
        for name, made in calls.items()
        if name in known
    )


def _named_calls(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, InnerCall]]:
    for x in nodes:
        if not isinstance(x, ast.Assign):
            continue
        named = x.value
        # ``_name("rows", unit(…))``, as the text of a spec reads once it has its meaning.
        value = named.args[1] if isinstance(named, ast.Call) and len(named.args) == 2 else None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            targets = tuple(y.id for y in ast.walk(x.targets[0]) if isinstance(y, ast.Name))
            yield value.func.id, InnerCall(targets, tuple(map(_names, value.args)))


def _names(expr: ast.expr) -> frozenset[str]:
    return frozenset(x.id for x in ast.walk(expr) if isinstance(x, ast.Name))


def _stored(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that are assigned to."""
    names = (x for x in nodes if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store))
    return frozenset(x.id for x in names)


def _parameters(function: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(x.arg for x in function.args.args)


def _told(function: ast.FunctionDef) -> str:
    """The first line of its docstring."""
    return (ast.get_docstring(function) or "").partition("\n")[0]
