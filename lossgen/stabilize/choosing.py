"""Choice by measurement over the statements of a program.

In: statements, and what is known of what they read.  Out: the same statements, those for which a
better form was found computed by it, and the choices made.  A statement is looked at with what it
reads from plain earlier ones in place, for what cancels in it may have a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import sympy as sp

from lossgen.nodes import Letter, Read, rebuild, substitute, walk
from lossgen.program import Statement
from lossgen.stabilize.known import Known
from lossgen.stabilize.search import LIMIT, Choice, doubtful, search


def choose_forms(
    statements: Iterable[Statement], known: Known
) -> tuple[tuple[Statement, ...], tuple[Choice, ...]]:
    """The statements with the better forms, and what was chosen."""
    done: list[Statement] = []
    plain: dict[str, Statement] = {}
    choices: list[Choice] = []
    for x in statements:
        body = _over_inputs(x, plain, known)
        # What was searched is not looked at again through its name.
        if body is not None and doubtful(body, known):
            choice = search(body, known, x.name)
            if choice is not None:
                choices.append(choice)
                x = replace(x, body=choice.chosen)
        elif body is not None and x.op == "map" and not x.extents:
            plain[x.name] = replace(x, body=body)
        done.append(x)
    return tuple(done), tuple(choices)


def _over_inputs(x: Statement, plain: Mapping[str, Statement], known: Known) -> sp.Expr | None:
    """A statement's body over inputs alone; None where it depends on anything else."""
    if x.kind != "real" or x.op in ("any", "count", "scatter", "stack"):
        return None
    size = 0
    for node in walk(x.body):
        size += 1
        if isinstance(node, Read) and not known.declares(node.name):
            source = plain.get(node.name)
            if source is None or not all(isinstance(s, Letter) for s in node.subscripts):
                return None
            size += sum(1 for _ in walk(source.body))
    return _inlined(x.body, plain) if size <= LIMIT else None


def _inlined(expr: sp.Expr, plain: Mapping[str, Statement]) -> sp.Expr:
    if isinstance(expr, Read):
        source = plain.get(expr.name)
        if source is None:
            return expr
        return substitute(source.body, dict(zip(source.free, expr.subscripts, strict=True)))
    return rebuild(expr, [_inlined(a, plain) for a in expr.args]) if expr.args else expr
