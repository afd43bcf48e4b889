"""Choice by measurement over the statements of a program.

In: statements, and what is known of what they read.  Out: the same statements, those for which a
better form was found computed by it, and the choices made.  A statement is looked at with what it
reads from plain earlier ones in place, for what cancels in it may have a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from lossgen.nodes import Letter, Read, rebuild, substitute
from lossgen.program import Statement
from lossgen.stabilize.known import Known
from lossgen.stabilize.search import Choice, doubtful, search


def choose_forms(
    statements: Iterable[Statement], known: Known
) -> tuple[tuple[Statement, ...], tuple[Choice, ...]]:
    """The statements with the better forms, and what was chosen."""
    done: list[Statement] = []
    open_: dict[str, Statement] = {}
    choices: list[Choice] = []
    for x in statements:
        if x.kind == "real" and x.op not in ("any", "count"):
            body = _inlined(x.body, open_)
            if doubtful(body, known):
                choice = search(body, known, x.name)
                if choice is not None:
                    choices.append(choice)
                    x = replace(x, body=choice.chosen)
            # What was searched is not looked at again through its name.
            else:
                open_[x.name] = x
        done.append(x)
    return tuple(done), tuple(choices)


def _inlined(expr: sp.Expr, made: dict[str, Statement]) -> sp.Expr:
    """An expression with plain earlier statements in place of their names."""
    if isinstance(expr, Read):
        source = made.get(expr.name)
        plain = all(isinstance(s, Letter) for s in expr.subscripts)
        if source is None or source.op != "map" or source.kind != "real" or not plain:
            return expr
        if source.extents:
            return expr
        places = dict(zip(source.free, expr.subscripts, strict=True))
        return _inlined(substitute(source.body, places), made)
    return rebuild(expr, [_inlined(a, made) for a in expr.args]) if expr.args else expr
