"""Nodes that bind letters: reductions, softmax along a letter, named parts.

A bound letter belongs to its node: ``Sum(x[n, c], c)`` depends on ``n`` alone.  ``walking`` knows
which node binds which letters.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from lossgen.nodes.leaves import Letter, Node, text, word


class Reduce(Node):
    """``op`` of ``body`` over ``bound`` letters, where a mask holds.

    Args: op (sum mean amax amin any all count logsumexp norm), body, where, empty (the value over
    nothing; NaN means torch's), and the bound letters as a ``Tuple``.
    """

    __slots__ = ()

    def __new__(cls, op: str | Str, body: Any, where: Any, empty: Any, bound: Any) -> Any:
        return sp.Basic.__new__(
            cls, word(op), sp.sympify(body), sp.sympify(where), sp.sympify(empty), sp.Tuple(*bound)
        )

    @property
    def op(self) -> str:
        return text(self.args[0])

    @property
    def body(self) -> sp.Expr:
        return self.args[1]

    @property
    def where(self) -> sp.Expr:
        return self.args[2]

    @property
    def empty(self) -> sp.Expr:
        return self.args[3]

    @property
    def bound(self) -> tuple[Letter, ...]:
        return tuple(self.args[4])


class Along(Node):
    """``op`` (softmax, log_softmax) of ``body`` along the bound letter, read at ``position``."""

    __slots__ = ()

    def __new__(cls, op: str | Str, body: Any, letter: Any, position: Any) -> Any:
        return sp.Basic.__new__(cls, word(op), sp.sympify(body), letter, sp.sympify(position))

    @property
    def op(self) -> str:
        return text(self.args[0])

    @property
    def body(self) -> sp.Expr:
        return self.args[1]

    @property
    def letter(self) -> Letter:
        return self.args[2]

    @property
    def position(self) -> sp.Expr:
        return self.args[3]


class Let(Node):
    """A named part of the formula, ``name[params] = body``, read at ``args``.

    The parameters are bound: reading the part elsewhere (``at``) changes only the arguments, so
    nothing can be captured.
    """

    __slots__ = ()

    def __new__(cls, name: str | Str, params: Any, body: Any, args: Any) -> Any:
        return sp.Basic.__new__(
            cls, word(name), sp.Tuple(*params), sp.sympify(body), sp.Tuple(*map(sp.sympify, args))
        )

    @property
    def name(self) -> str:
        return text(self.args[0])

    @property
    def params(self) -> tuple[Letter, ...]:
        return tuple(self.args[1])

    @property
    def body(self) -> sp.Expr:
        return self.args[2]

    @property
    def at(self) -> tuple[sp.Expr, ...]:
        return tuple(self.args[3])
