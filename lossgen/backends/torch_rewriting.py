"""Nodes of one kind replaced throughout a program.

In: a program, a kind of node, and what stands for such a node.  Out: the program, so rewritten.

    rewritten(program, LogSigmoid, lambda x: -Softplus(-x.arg))

Numbers that Python computes stay as they are. It refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from lossgen.nodes import is_scalar, rebuild
from lossgen.program import Program


def rewritten(program: Program, kind: type[sp.Basic], by: Callable[[Any], sp.Expr]) -> Program:
    """The program with what ``by`` makes of each node of a kind, the innermost first."""

    def rewrite(expr: sp.Basic) -> sp.Basic:
        if not expr.has(kind):
            return expr
        expr = rebuild(expr, [rewrite(a) for a in expr.args])
        return by(expr) if isinstance(expr, kind) and not is_scalar(expr) else expr

    return replace(program, statements=tuple(x.mapped(rewrite) for x in program.statements))
